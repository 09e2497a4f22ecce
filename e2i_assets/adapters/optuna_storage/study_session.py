"""Joining a study: how every process that searches one reaches its storage, and how it is known while it does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from optuna.storages import RDBStorage
from sqlalchemy.exc import SQLAlchemyError

from e2i_assets.adapters.optuna_storage.retrying import retry_transient
from e2i_assets.adapters.optuna_storage.storage import StudyStorage
from e2i_assets.adapters.optuna_storage.worker_lease import LEASE_SECONDS, WorkerLease, has_expired
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.studies import StudyRepository
from e2i_assets.core.search.recovery import recovered, unfinished
from e2i_assets.core.search.study_plan import Coordination
from e2i_assets.core.search.worker_pool import WorkerPool

if TYPE_CHECKING:
    import optuna

    from e2i_assets.adapters.optuna_storage.storage import StudyStorage

_WRITE_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class StudySession:
    """A process that works on a study.

    Attributes:
        database: Where the study is.
        study_id: Its id in our tables.
        storage: The study, as Optuna takes it.
        name: The name of this process, which its trials carry.
    """

    database: Database
    study_id: str
    storage: StudyStorage
    name: str
    _worker_lease: WorkerLease = field(repr=False)
    _is_cancelled: threading.Event | None = field(default=None, repr=False)

    def recover(self, study: "optuna.Study") -> None:
        """Give the trials of dead and silent processes to others."""
        retry_transient(lambda: recover(self.database, self.storage, study))

    def retire(self) -> None:
        """Have nobody begin a trial on behalf of this process any more; it must run none itself from here on."""
        retry_transient(lambda: self._worker_lease.retire(self.study_id))

    def coordination(self, worker_pool: WorkerPool | None = None) -> Coordination:
        """Return how the search shares the study with others.

        A process that leads a crew draws no point, so it is not counted: with one worker the crew then draws the points
        that a thread of this process would.
        """
        return Coordination(
            recover=self.recover,
            joined=0 if worker_pool else StudyRepository(self.database).join(self.study_id),
            worker_pool=worker_pool,
            retire=self.retire,
            is_cancelled=self._is_cancelled.is_set if self._is_cancelled else None,
        )


@contextmanager
def joined(
    database: Database, study_id: str, budget: int, lease: float, coordinator: str | None = None
) -> Iterator[StudySession]:
    """Work on a study.

    Args:
        database: Where it is.
        study_id: Its id in our tables.
        budget: Trials that it may have in all.
        lease: Seconds of silence after which others take this process for dead.
        leader: The process on whose behalf this one works: is it gone or silent, the study is called off here.
    """
    cancelled = threading.Event() if coordinator else None

    def check_coordinator() -> None:
        if coordinator and cancelled and has_expired(database, coordinator):
            cancelled.set()

    with WorkerLease(database, lease, between=check_coordinator) as worker_lease:
        storage = StudyStorage(database, optuna_storage(database), study_id, budget, worker_lease.name, coordinator)
        with written_regularly(storage):
            yield StudySession(database, study_id, storage, worker_lease.name, worker_lease, cancelled)


def optuna_storage(database: Database) -> RDBStorage:
    """Return Optuna's own storage; its tables are made by `migrations`."""
    engine = {"pool_size": 2, "max_overflow": 2, "pool_pre_ping": True}
    return RDBStorage(database.url_for("optuna"), engine_kwargs=engine)


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
