"""Dagster's storage in the project's database, so that the database address is configured in one place only."""

import os
from typing import Any

import dagster as dg
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage

from e2i_assets.adapters.postgres.database import dagster_engine
from e2i_assets.adapters.postgres.roles import as_worker
from e2i_assets.adapters.postgres.server import database
from e2i_assets.adapters.settings import current_settings
from e2i_assets.defs.dagster_internals import ConcurrencyClaimStatus, ConfigurableClassData, UserConfigSchema
from e2i_assets.defs.pool_queue import PoolQueue
from e2i_assets.services.prepare import require_prepared
from e2i_assets.services.project import Project


class ProjectEventLogStorage(PostgresEventLogStorage):
    """dagster-postgres, except that a step that waits for a pool slot takes it from a dead run, and logs who has it."""

    queue: PoolQueue

    def claim_concurrency_slot(
        self, concurrency_key: str, run_id: str, step_key: str, priority: int | None = None
    ) -> ConcurrencyClaimStatus:
        """Claim a slot. Dagster calls this again after 1 to 15 seconds while the step waits."""
        claim = super().claim_concurrency_slot(concurrency_key, run_id, step_key, priority)
        if not claim.is_claimed and self.queue.freed(self._instance, self, concurrency_key, run_id):
            claim = super().claim_concurrency_slot(concurrency_key, run_id, step_key, priority)
        return claim


class ProjectPostgresStorage(DagsterPostgresStorage):
    """dagster-postgres in the schema ``dagster`` of the project's database. `dagster.yaml` names this class."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Return the configuration schema. It has only a note: the address is that of the project."""
        return {"note": dg.Field(str, is_required=False)}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: object
    ) -> "ProjectPostgresStorage":
        """Open the storage. Without a configured address, this starts the embedded server and holds a lease on it.

        Raises:
            NotPrepared: The tables are missing or outdated. Opening a storage does not change them.
        """
        settings = current_settings()
        project = database(settings)
        require_prepared(project, settings.sql)
        url = as_worker(project).url_for("dagster")
        storage = cls(postgres_url=url, should_autocreate_tables=False, inst_data=inst_data)
        events = ProjectEventLogStorage(url, should_autocreate_tables=False)
        events.queue = PoolQueue(Project(settings, project))
        storage._event_log_storage = events
        engine = dagster_engine(url, os.getpid())
        # Dagster replaces this pool for its webserver later.
        parts: tuple[Any, ...] = (storage.event_log_storage, storage.run_storage, storage.schedule_storage)
        for part in parts:
            part._engine = engine
        return storage
