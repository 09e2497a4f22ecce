"""The work of each process of a worker pool: search the study with the others, and return why it ended."""

import json
import os
import socket
import tempfile
from pathlib import Path

from e2i_assets.adapters.files import asset_values
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.studies import StudyRepository
from e2i_assets.adapters.settings import DATABASE_URL, own_database_url, own_pooled_url
from e2i_assets.adapters.trial_processes.limited import objective_within_limits
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.errors import E2iError, StudyCancelled
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.search.study import search
from e2i_assets.services.workers.assignment import Assignment, Files, digest, unpacked
from e2i_assets.services.workers.versions import require_the_same


class UnsuitableWorker(E2iError):
    """A process that can never work on the study, however often it is started."""


def work_with(assignment: str, files: Files, threads: int) -> str:
    """Work on a study with transferred rows: the task of a Dask worker.

    Args:
        assignment: An `Assignment` in JSON.
        files: The rows.
        threads: Number of concurrent trials.

    Raises:
        UnsuitableWorker: The files differ from those that were sent.
        VersionsDiffer: This process has other versions than the coordinator.
    """
    # Check the versions first: another version may have another format.
    require_the_same(json.loads(assignment)["versions"], _here())
    received = Assignment.model_validate_json(assignment)
    if digest(files) != received.rows:
        raise UnsuitableWorker("the worker received other rows than those of the study: restart the Dask cluster")
    with tempfile.TemporaryDirectory(prefix="e2i-rows-") as folder:
        return work(received, unpacked(files, Path(folder)), threads, own_database_url())


def work(assignment: Assignment, folder: Path, threads: int, database_url: str | None) -> str:
    """Search a study until it ends, and return why it ended.

    Args:
        assignment: The study and this process's part in it.
        folder: The stored rows.
        threads: Number of concurrent trials.
        database_url: The database of this process; None if it has none.

    Raises:
        UnsuitableWorker: This process has no database, or another one than the coordinator.
        VersionsDiffer: This process has other versions than the coordinator.
    """
    here = _here()
    require_the_same(assignment.versions, here)
    database = _database(database_url, here)
    stored = StudyRepository(database).by_spec_hash(assignment.identity)
    if stored is None or stored.id != assignment.study_id:
        raise UnsuitableWorker(f"{here} has another database than the coordinator: {DATABASE_URL} must be the same")
    rows: SearchRows = asset_values.read(SearchRows, folder)
    return _searched(database, assignment, rows, threads)


def _here() -> str:
    return f"the worker on {socket.gethostname()}, process {os.getpid()},"


def _searched(database: Database, assignment: Assignment, rows: SearchRows, threads: int) -> str:
    from e2i_assets.adapters.optuna_storage.study_session import joined

    experiment = experiment_from(assignment.experiment, "the assigned experiment")
    plan = assignment.plan(experiment, threads)
    led = (assignment.study_id, plan.trials, assignment.lease_seconds, assignment.coordinator)
    with objective_within_limits(experiment, rows) as objective_until, joined(database, *led) as member:
        try:
            found = search(
                objective_until,
                plan,
                member.storage,
                assignment.warm_start.proposer(),
                coordination=member.coordination(),
            )
        except StudyCancelled as end:
            return str(end)
    return found.stop_reason


def _database(url: str | None, here: str) -> Database:
    if url is None:
        raise UnsuitableWorker(f"{here} has no database: set {DATABASE_URL} where the worker starts; it is never sent")
    database = Database(url, own_pooled_url())
    database.require_reachable()
    return database
