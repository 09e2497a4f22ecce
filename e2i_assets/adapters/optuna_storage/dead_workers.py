"""Detection of running trials whose process is dead (its lock stays free) or silent (its lease has expired)."""

import time
from dataclasses import dataclass

from e2i_assets.adapters.optuna_storage import reads
from e2i_assets.adapters.optuna_storage.worker_lease import RECONNECT_SECONDS
from e2i_assets.adapters.postgres.database import Database

_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Suspect:
    """A running trial whose process does not hold its lock or sends no heartbeat.

    Attributes:
        number: The trial.
        worker: The name of the process.
        may_reconnect: Whether the process may be alive, with a connection that was lost a moment ago.
    """

    number: int
    worker: str | None
    may_reconnect: bool


def suspects(database: Database, study: reads.Study, own: str | None) -> list[Suspect]:
    """Return the current suspects.

    Args:
        database: The database of the study.
        study: The study.
        own: Name of the calling process if it is not running a trial: trials that are still marked as running under
            that name are lost. None otherwise.
    """
    with database.connect() as connection:
        running = reads.running(connection, study)
    held = database.held_locks(one.worker for one in running if one.worker is not None)
    return [
        Suspect(one.number, one.worker, may_reconnect=not one.has_expired and one.worker not in (None, own))
        for one in running
        if one.has_expired or one.worker not in held or one.worker == own
    ]


def abandoned(database: Database, study: reads.Study, own: str | None) -> list[int]:
    """Return the numbers of the trials whose process is gone, after waiting for processes that may reconnect.

    Args:
        database, study, own: See `suspects`.
    """
    found = suspects(database, study, own)
    deadline = time.monotonic() + RECONNECT_SECONDS
    while any(one.may_reconnect for one in found) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        now = suspects(database, study, own)
        found = [
            one for one in found if one in now
        ]  # a process that loses its connection during this wait is handled by the next call
    if not found:
        return []
    # Read again: a process that ended its last trial meanwhile stored the result before it released its lock.
    with database.connect() as connection:
        running = {(one.number, one.worker) for one in reads.running(connection, study)}
    return [one.number for one in found if (one.number, one.worker) in running]
