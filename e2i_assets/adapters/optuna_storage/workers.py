"""The processes that work on a study: each is known by a lock, and by signs of life within its lease."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from e2i_assets.adapters.optuna_storage.worker_lease import LEASE_SECONDS, WorkerLease
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.core.search.recovery import recovered, unfinished

if TYPE_CHECKING:
    import optuna

    from e2i_assets.adapters.optuna_storage.storage import StudyStorage

_WRITE_EVERY_SECONDS = 1.0


@contextmanager
def worker(database: Database, lease: float = LEASE_SECONDS) -> Iterator[str]:
    """Be known as a process that works on studies, and yield the name: it is stored with each trial.

    However the process ends, the server frees its lock, and its running trials can be told from those of the living. Is
    it frozen or cut off, the same is true once it has been silent for its lease, in seconds.
    """
    with WorkerLease(database, lease) as worker_lease:
        yield worker_lease.name


@contextmanager
def written_regularly(storage: "StudyStorage") -> Iterator[None]:
    """Write what running trials have come to once a second, also while a long fit says nothing."""
    ended = threading.Event()
    thread = threading.Thread(target=_write_until, args=(ended, storage), name="study progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _write_until(ended: threading.Event, storage: "StudyStorage") -> None:
    from optuna.exceptions import UpdateFinishedTrialError

    while not ended.wait(_WRITE_EVERY_SECONDS):
        try:
            storage.flush(older_than=_WRITE_EVERY_SECONDS)
        except (SQLAlchemyError, UpdateFinishedTrialError):
            # It stays to be written, and the trial's own thread meets the same error with its next write.
            continue


def recover(database: Database, storage: "StudyStorage", study: "optuna.Study") -> None:
    """Queue each trial of a dead or silent process again, once, whoever else does the same at this moment.

    It is called while no trial of this process runs: one that still says so is a dead one too.
    """
    if storage.has_suspects(with_own=True) or unfinished(study):
        with database.advisory_lock(f"recover {study.study_name}"):
            recovered(study, storage.abandoned(with_own=True))
