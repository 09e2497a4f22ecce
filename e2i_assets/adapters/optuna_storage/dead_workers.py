"""Running trials whose process is gone: dead, when its lock stays free, or silent, when its lease is over."""

import time
from dataclasses import dataclass

from e2i_assets.adapters.optuna_storage import reads
from e2i_assets.adapters.optuna_storage.worker_lease import RETURN_SECONDS
from e2i_assets.adapters.postgres.database import Database

_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Suspect:
    """A running trial whose process does not hold its lock, or is silent.

    Attributes:
        number: The trial.
        worker: The process.
        may_return: Whether it may live all the same, with its connection cut a moment ago.
    """

    number: int
    worker: str | None
    may_return: bool


def suspects(database: Database, study: reads.Study, own: str | None) -> list[Suspect]:
    """Return those that there are at this moment.

    Args:
        database: Where the study is.
        study: The study.
        own: The process that asks, when it runs no trial: what is running in its name is lost as well.
    """
    with database.connect() as connection:
        running = reads.running(connection, study)
    held = database.held_locks(one.worker for one in running if one.worker is not None)
    return [
        Suspect(one.number, one.worker, may_return=not one.has_expired and one.worker not in (None, own))
        for one in running
        if one.has_expired or one.worker not in held or one.worker == own
    ]


def abandoned(database: Database, study: reads.Study, own: str | None) -> list[int]:
    """Return the numbers of the trials that nobody runs any more; who may return is waited for.

    Args:
        database, study, own: See `suspects`.
    """
    found = suspects(database, study, own)
    deadline = time.monotonic() + RETURN_SECONDS
    while any(one.may_return for one in found) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        now = suspects(database, study, own)
        found = [one for one in found if one in now]  # who was cut meanwhile has his own time, from the next call on
    if not found:
        return []
    # Read again: a process that ends its last trial gives its lock back after that.
    with database.connect() as connection:
        running = {(one.number, one.worker) for one in reads.running(connection, study)}
    return [one.number for one in found if (one.number, one.worker) in running]
