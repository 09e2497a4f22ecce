"""The project as a Dagster resource. Connections are opened on first use."""

import os
from functools import lru_cache

import dagster as dg
from pydantic import Field

from e2i_assets.adapters import settings as project_settings
from e2i_assets.adapters.environment_values import KEY_PREFIX
from e2i_assets.adapters.postgres.roles import as_worker
from e2i_assets.adapters.postgres.server import database
from e2i_assets.defs.namespace import Namespace
from e2i_assets.defs.tracing_resource import SECRET
from e2i_assets.services.prepare import require_prepared
from e2i_assets.services.project import Project, opened


class ProjectResource(dg.ConfigurableResource):  # type: ignore[type-arg]  # Dagster's base is generic in itself
    """The project: its folders and its PostgreSQL database, which is the embedded server unless an address is set."""

    database_url: str | None = Field(None, description="Address of your own PostgreSQL.", json_schema_extra=SECRET)
    mlflow_tracking_uri: str | None = Field(
        None, description="Address of an MLflow server; by default the same PostgreSQL.", json_schema_extra=SECRET
    )

    key_prefix: list[str] = Field([], description="The first parts of the key of each asset.")

    @property
    def namespace(self) -> Namespace:
        """The namespace of the asset keys."""
        return Namespace(tuple(self.key_prefix))

    def open(self) -> Project:
        """Return the project with its database running. It is opened once per process."""
        given = {
            project_settings.DATABASE_URL: self.database_url or "",
            project_settings.MLFLOW_TRACKING_URI: self.mlflow_tracking_uri or "",
            KEY_PREFIX: "/".join(self.key_prefix),
        }
        return _opened(project_settings.from_environment({**os.environ, **given}), os.getpid())


@lru_cache(maxsize=8)
def _opened(found: project_settings.Settings, process_id: int) -> Project:
    """Open the project once per process: a forked process opens its own connections.

    Raises:
        NotPrepared: The tables are missing or outdated. Only our own storage of Dagster checks this earlier.
    """
    project = as_worker(database(found))
    require_prepared(project, found.sql)
    return opened(found, project)
