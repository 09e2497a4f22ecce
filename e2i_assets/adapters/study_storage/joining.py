"""Joining a study: how every process that searches one reaches its storage, and how it is known while it does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from optuna.storages import RDBStorage

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.stores.study_store import StudyStore
from e2i_assets.adapters.study_storage.patience import patiently
from e2i_assets.adapters.study_storage.presence import Presence, is_silent
from e2i_assets.adapters.study_storage.storage import StudyStorage
from e2i_assets.adapters.study_storage.workers import recover, written_regularly
from e2i_assets.core.search.crew import Crew
from e2i_assets.core.search.study_plan import Sharing

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, slots=True)
class Membership:
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
    _presence: Presence = field(repr=False)
    _is_called_off: threading.Event | None = field(default=None, repr=False)

    def recover(self, study: "optuna.Study") -> None:
        """Give the trials of dead and silent processes to others."""
        patiently(lambda: recover(self.database, self.storage, study))

    def retire(self) -> None:
        """Have nobody begin a trial on behalf of this process any more; it must run none itself from here on."""
        patiently(lambda: self._presence.retire(self.study_id))

    def sharing(self, crew: Crew | None = None) -> Sharing:
        """Return how the search shares the study with others."""
        return Sharing(
            recover=self.recover,
            joined=StudyStore(self.database).join(self.study_id),
            crew=crew,
            retire=self.retire,
            is_called_off=self._is_called_off.is_set if self._is_called_off else None,
        )


@contextmanager
def joined(
    database: Database, study_id: str, budget: int, lease: float, leader: str | None = None
) -> Iterator[Membership]:
    """Work on a study.

    Args:
        database: Where it is.
        study_id: Its id in our tables.
        budget: Trials that it may have in all.
        lease: Seconds of silence after which others take this process for dead.
        leader: The process on whose behalf this one works: is it gone or silent, the study is called off here.
    """
    called_off = threading.Event() if leader else None

    def look_for_the_leader() -> None:
        if leader and called_off and is_silent(database, leader):
            called_off.set()

    with Presence(database, lease, between=look_for_the_leader) as presence:
        storage = StudyStorage(database, optuna_storage(database), study_id, budget, presence.name, leader)
        with written_regularly(storage):
            yield Membership(database, study_id, storage, presence.name, presence, called_off)


def optuna_storage(database: Database) -> RDBStorage:
    """Return Optuna's own storage; its tables are made by `migrations`."""
    engine = {"pool_size": 2, "max_overflow": 2, "pool_pre_ping": True}
    return RDBStorage(database.url_for("optuna"), engine_kwargs=engine)
