"""Joining a study: how every process that searches one reaches its storage, and how it is known while it does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from optuna.storages import RDBStorage

from e2i_assets.adapters.optuna_storage.retrying import retry_transient
from e2i_assets.adapters.optuna_storage.storage import StudyStorage
from e2i_assets.adapters.optuna_storage.worker_lease import WorkerLease, has_expired
from e2i_assets.adapters.optuna_storage.workers import recover, written_regularly
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.studies import StudyRepository
from e2i_assets.core.search.study_plan import Coordination
from e2i_assets.core.search.worker_pool import WorkerPool

if TYPE_CHECKING:
    import optuna


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
        """Return how the search shares the study with others."""
        return Coordination(
            recover=self.recover,
            joined=StudyRepository(self.database).join(self.study_id),
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
