"""The processes that work on a study: each is known by a lock that it holds for as long as it lives."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy.exc import SQLAlchemyError

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.core.search.recovery import recovered

if TYPE_CHECKING:
    import optuna

    from e2i_assets.adapters.study_storage.storage import StudyStorage

_WRITE_EVERY_SECONDS = 1.0


@contextmanager
def worker(database: Database) -> Iterator[str]:
    """Hold a lock of a new name while this process works, and yield the name: it is stored with each trial.

    However the process ends, the server frees the lock, and its running trials can be told from those of the living.
    """
    name = f"worker {uuid4().hex}"
    with database.advisory_lock(name):
        yield name


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
    """Queue each trial of a dead process again, once, whoever else does the same at this moment.

    It is called while no trial of this process runs: one that still says so is a dead one too.
    """
    if storage.abandoned(with_own=True):
        with database.advisory_lock(f"recover {study.study_name}"):
            recovered(study, storage.abandoned(with_own=True))
