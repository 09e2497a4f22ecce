"""What the assets reach the world through. Addresses come from the environment; nothing is opened before it is used."""

import os
from typing import Any

import dagster as dg
from pydantic import Field

from e2i_assets.adapters import settings as project_settings
from e2i_assets.adapters.server import database
from e2i_assets.adapters.tracking import Tracker
from e2i_assets.adapters.workspace import Workspace

SECRET: dict[str, Any] = {"dagster__is_secret": True}


class ProjectResource(dg.ConfigurableResource):  # type: ignore[type-arg]  # Dagster's base is generic in itself
    """The project: its folders, and its PostgreSQL, which is the embedded one unless an address is given."""

    database_url: str | None = Field(None, description="A PostgreSQL of one's own.", json_schema_extra=SECRET)
    mlflow_tracking_uri: str | None = Field(
        None, description="An MLflow server; default is the same PostgreSQL.", json_schema_extra=SECRET
    )

    def workspace(self) -> Workspace:
        """Return the project with its database up."""
        given = {
            project_settings.DATABASE_URL: self.database_url or "",
            project_settings.MLFLOW_TRACKING_URI: self.mlflow_tracking_uri or "",
        }
        found = project_settings.from_environment({**os.environ, **given})
        return Workspace(found, database(found))

    def tracker(self) -> Tracker:
        """Return MLflow, by explicit ids."""
        return self.workspace().tracker()


def from_environment(name: str) -> dg.EnvVar | None:
    """Return a reference to an environment variable, None where it is not set: the default then applies."""
    return dg.EnvVar(name) if os.environ.get(name) else None


@dg.definitions
def resources() -> dg.Definitions:
    """Make the resources: an address that is set in the environment is referred to, not read."""
    from e2i_assets.defs.io_managers import FolderIOManager

    project = ProjectResource(
        database_url=from_environment(project_settings.DATABASE_URL),
        mlflow_tracking_uri=from_environment(project_settings.MLFLOW_TRACKING_URI),
    )
    return dg.Definitions(resources={"project": project, "io_manager": FolderIOManager(project=project)})
