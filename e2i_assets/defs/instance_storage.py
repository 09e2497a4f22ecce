"""Dagster's own tables on the project's database, so that one address (or none at all) is all a person configures."""

import os

import dagster as dg
from dagster._config import UserConfigSchema
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from e2i_assets.adapters.postgres.roles import as_worker
from e2i_assets.adapters.postgres.server import database
from e2i_assets.adapters.settings import from_environment
from e2i_assets.services.prepare import prepare


class ProjectPostgresStorage(DagsterPostgresStorage):
    """dagster-postgres on schema ``dagster`` of the project's database; `dagster.yaml` names this class."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Nothing but a note: the address is the project's."""
        return {"note": dg.Field(str, is_required=False)}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: object
    ) -> "ProjectPostgresStorage":
        """Open the storage; without an address in the environment this starts and holds the embedded server."""
        settings = from_environment(os.environ)
        e2i = database(settings)
        prepare(e2i, settings.sql)
        return cls(postgres_url=as_worker(e2i).url_for("dagster"), should_autocreate_tables=False, inst_data=inst_data)
