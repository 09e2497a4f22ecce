"""Requested runs and their status: the table `ml_run_requests`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.row_mapping import columns, every

Cause = Literal["new_experiment", "changed_data", "drifted_data", "age"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """A requested run.

    Attributes:
        run_key: The key by which Dagster recognises a repeated request.
        content_hash: Hash of the content that the run is requested for.
        reason: Human-readable reason.
    """

    run_key: str
    experiment: str
    cause: Cause
    content_hash: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRequest:
    """The last request with a cause for an experiment, and the number of such requests."""

    experiment: str
    content_hash: str
    status: str
    requested_at: datetime
    times: int


_RECORD = sa.text("""
    INSERT INTO ml_run_requests (run_key, experiment_id, cause, content_hash, reason, status)
    SELECT :run_key, id, :cause, :content_hash, :reason, :status FROM ml_experiments
    WHERE experiment_name = :experiment
    ON CONFLICT (run_key) DO NOTHING
""")
_WAITING = sa.text(f"""
    SELECT {columns(RunRequest, "request").replace("request.experiment", "experiment.experiment_name AS experiment")}
    FROM ml_run_requests AS request JOIN ml_experiments AS experiment ON experiment.id = request.experiment_id
    WHERE request.cause = :cause AND request.status = 'asked' AND experiment.is_active
    ORDER BY request.requested_at, request.run_key
""")
_LAUNCHED = sa.text("""
    UPDATE ml_run_requests SET status = 'launched', dagster_run_id = :run_id, launched_at = clock_timestamp()
    WHERE run_key = :run_key AND status <> 'launched'
""")
_LAST = sa.text("""
    SELECT DISTINCT ON (request.experiment_id) experiment.experiment_name AS experiment, request.content_hash,
           request.status, request.requested_at, count(*) OVER (PARTITION BY request.experiment_id) AS times
    FROM ml_run_requests AS request JOIN ml_experiments AS experiment ON experiment.id = request.experiment_id
    WHERE request.cause = :cause ORDER BY request.experiment_id, request.requested_at DESC, request.run_key DESC
""")


_WAITING_KEYS = sa.text("SELECT run_key FROM ml_run_requests WHERE status = 'asked'")
_WAITING_EXPERIMENTS = sa.text("""
    SELECT DISTINCT experiment.experiment_name
    FROM ml_run_requests AS request JOIN ml_experiments AS experiment ON experiment.id = request.experiment_id
    WHERE request.status = 'asked' AND experiment.is_active
""")


@dataclass(frozen=True, slots=True)
class RunRequestRepository:
    """Reads and writes run requests."""

    database: Database

    def record(self, requests: Sequence[RunRequest], needed: bool = True) -> None:
        """Record requests, each once; with `needed` False, that the result of the run exists already."""
        rows = [
            {
                **{name: getattr(one, name) for name in RunRequest.__slots__},
                "status": "asked" if needed else "not_needed",
            }
            for one in requests
        ]
        if rows:
            with self.database.begin() as connection:
                connection.execute(_RECORD, rows)

    def waiting(self, cause: Cause) -> list[RunRequest]:
        """Return the requests of active experiments that Dagster has not confirmed yet, oldest first."""
        with self.database.connect() as connection:
            return every(RunRequest, connection.execute(_WAITING, {"cause": cause}))

    def waiting_keys(self) -> list[str]:
        """Return the keys of all requests that Dagster has not confirmed yet."""
        with self.database.connect() as connection:
            return list(connection.execute(_WAITING_KEYS).scalars())

    def waiting_experiments(self) -> set[str]:
        """Return the experiments with a request that Dagster has not confirmed yet."""
        with self.database.connect() as connection:
            return set(connection.execute(_WAITING_EXPERIMENTS).scalars())

    def launched(self, runs: Mapping[str, str]) -> None:
        """Record the Dagster run ids of launched requests, by run key."""
        if runs:
            with self.database.begin() as connection:
                connection.execute(_LAUNCHED, [{"run_key": key, "run_id": run_id} for key, run_id in runs.items()])

    def last(self, cause: Cause) -> dict[str, LastRequest]:
        """Return the last request with a cause for each experiment, by experiment name."""
        with self.database.connect() as connection:
            return {one.experiment: one for one in every(LastRequest, connection.execute(_LAST, {"cause": cause}))}
