"""Waiting for a database that is away for a moment: restarted, cut off, or out of connections."""

import time
from collections.abc import Callable
from typing import TypeVar

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import InterfaceError, OperationalError

# What may heal by itself: the server is away or says no for a while. Anything else is a mistake, now and later.
# Optuna's own storage does not say which of them it was.
PASSING = (OperationalError, InterfaceError, StorageInternalError)
RETRY_SECONDS = 60.0
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 2.0
T = TypeVar("T")


def retry_transient(work: Callable[[], T], seconds: float = RETRY_SECONDS) -> T:
    """Return what the work returns, begun again for as long as the database is away, but for no more than some seconds.

    It must be safe to repeat: when a connection is lost on a commit, nobody knows whether that was done.
    """
    deadline, wait = time.monotonic() + seconds, _FIRST_WAIT
    while True:
        try:
            return work()
        except PASSING:
            if time.monotonic() + wait > deadline:
                raise
        time.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)
