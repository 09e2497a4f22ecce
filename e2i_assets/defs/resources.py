"""The project as a resource: what the assets reach the world through. Nothing is opened before it is used."""

import os
from functools import lru_cache

import dagster as dg
from pydantic import Field

from e2i_assets.adapters import settings as project_settings
from e2i_assets.adapters.postgres.roles import as_worker
from e2i_assets.adapters.postgres.server import database
from e2i_assets.defs.tracing_resource import SECRET
from e2i_assets.services.project import Project, opened


class ProjectResource(dg.ConfigurableResource):  # type: ignore[type-arg]  # Dagster's base is generic in itself
    """The project: its folders, and its PostgreSQL, which is the embedded one unless an address is given."""

    database_url: str | None = Field(None, description="A PostgreSQL of one's own.", json_schema_extra=SECRET)
    mlflow_tracking_uri: str | None = Field(
        None, description="An MLflow server; default is the same PostgreSQL.", json_schema_extra=SECRET
    )

    def open(self) -> Project:
        """Return the project with its database up, which is looked for once in a process."""
        given = {
            project_settings.DATABASE_URL: self.database_url or "",
            project_settings.MLFLOW_TRACKING_URI: self.mlflow_tracking_uri or "",
        }
        return _opened(project_settings.from_environment({**os.environ, **given}), os.getpid())


@lru_cache(maxsize=8)
def _opened(found: project_settings.Settings, process_id: int) -> Project:
    """Set the project up once per process: a forked process opens connections of its own."""
    return opened(found, as_worker(database(found)))
