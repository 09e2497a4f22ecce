"""Study sessions: how a process joins a study and is registered as its worker while it works on it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from optuna.storages import RDBStorage
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from e2i_assets.adapters.optuna_storage.retrying import retry_transient
from e2i_assets.adapters.optuna_storage.storage import StudyStorage
from e2i_assets.adapters.optuna_storage.worker_lease import LEASE_SECONDS, WorkerLease, has_expired
from e2i_assets.adapters.postgres.database import IDLE_TRANSACTION_SECONDS, Database, limited_url
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
    """The membership of a process in a study.

    Attributes:
        database: The database of the study.
        study_id: The id of the study in our tables.
        storage: The Optuna storage of the study.
        name: The name of this process, which is stored with its trials.
    """

    database: Database
    study_id: str
    storage: StudyStorage
    name: str
    _worker_lease: WorkerLease = field(repr=False)
    _is_cancelled: threading.Event | None = field(default=None, repr=False)

    def recover(self, study: "optuna.Study") -> None:
        """Queue the trials of dead and silent processes again."""
        retry_transient(lambda: recover(self.database, self.storage, study))

    def retire(self) -> None:
        """Stop all claims of trials on behalf of this process, which must not run any trial itself from then on."""
        retry_transient(lambda: self._worker_lease.retire(self.study_id))

    def coordination(self, worker_pool: WorkerPool | None = None) -> Coordination:
        """Return how the search coordinates with other processes.

        A coordinator with a worker pool samples no trials, so it does not count as joined: with one worker, the pool
        then samples the same points as a thread of this process would.
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
    """Join a study and yield the session; the process leaves the study at the end of the block.

    Args:
        database: The database of the study.
        study_id: The id of the study in our tables.
        budget: Maximum number of trials of the study.
        lease: Seconds without a heartbeat after which other processes treat this one as dead.
        coordinator: The process that this one works for; when it is gone or silent, the study is cancelled here.
    """
    cancelled = threading.Event() if coordinator else None

    def check_coordinator() -> None:
        if coordinator and cancelled and has_expired(database, coordinator):
            cancelled.set()

    with WorkerLease(database, lease, on_heartbeat=check_coordinator) as worker_lease:
        storage = StudyStorage(database, optuna_storage(database), study_id, budget, worker_lease.name, coordinator)
        with written_regularly(storage):
            yield StudySession(database, study_id, storage, worker_lease.name, worker_lease, cancelled)


def optuna_storage(database: Database) -> RDBStorage:
    """Return Optuna's own storage; `migrations` creates its tables."""
    engine: dict[str, Any] = {"pool_size": 2, "max_overflow": 2, "pool_pre_ping": True}
    if database.pooled_url is not None:  # it is seldom used, and would keep a connection of its own meanwhile
        engine = {"poolclass": NullPool}
    return RDBStorage(limited_url(database.url_for("optuna")), engine_kwargs=engine)


@contextmanager
def worker(database: Database, lease: float = LEASE_SECONDS) -> Iterator[str]:
    """Register this process as a worker and yield its name, which is stored with each of its trials.

    When the process ends in any way, the server releases its lock, which shows that its running trials are abandoned. A
    process that is frozen or disconnected counts as dead after `lease` seconds without a heartbeat.
    """
    with WorkerLease(database, lease) as worker_lease:
        yield worker_lease.name


@contextmanager
def written_regularly(storage: "StudyStorage") -> Iterator[None]:
    """Write the progress of running trials once a second, also during a long fit without reports."""
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
            # The progress stays pending, and the trial's own thread gets the same error at its next write.
            continue


def recover(database: Database, storage: "StudyStorage", study: "optuna.Study") -> None:
    """Queue each trial of a dead or silent process again, exactly once, also if other processes recover concurrently.

    Call it while this process runs no trial: a trial that is still running under its name is abandoned too.
    """
    if storage.has_suspects(with_own=True) or unfinished(study):
        with database.advisory_lock(f"recover {study.study_name}", longest=IDLE_TRANSACTION_SECONDS):
            recovered(study, storage.abandoned(with_own=True))
