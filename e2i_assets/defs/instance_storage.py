"""Dagster's own tables on the project's database, so that one address (or none at all) is all a person configures."""

import os

import dagster as dg
from dagster._config import UserConfigSchema
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from e2i_assets.adapters.postgres.database import dagster_engine
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
        url = as_worker(e2i).url_for("dagster")
        storage = cls(postgres_url=url, should_autocreate_tables=False, inst_data=inst_data)
        engine = dagster_engine(url, os.getpid())
        # Dagster has a pool for its webserver alone, which it makes later and in the place of this one.
        for part in (storage.event_log_storage, storage.run_storage, storage.schedule_storage):
            part._engine = engine  # type: ignore[attr-defined]
        return storage
