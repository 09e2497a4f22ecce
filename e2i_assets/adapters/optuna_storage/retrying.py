"""Retries while the database is unavailable for a short time: restarted, disconnected or out of connections."""

import time
from collections.abc import Callable
from typing import TypeVar

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

# Transient errors: the server is unavailable, refuses connections for a while, or has ended the transaction of a
# process that was frozen. Any other error is permanent. Optuna's own storage does not say which of them it met.
TRANSIENT_ERRORS = (OperationalError, InterfaceError, StorageInternalError)
RETRY_SECONDS = 60.0
_FIRST_WAIT, _MAX_WAIT = 0.1, 2.0
T = TypeVar("T")


def retry_transient(work: Callable[[], T], seconds: float = RETRY_SECONDS) -> T:
    """Return the result of `work`, retried after transient errors for at most `seconds`.

    `work` must be idempotent: when the connection is lost during a commit, it may or may not have been committed.

    Raises:
        OperationalError, InterfaceError, StorageInternalError: The database is still unavailable at the deadline.
    """
    deadline, wait = time.monotonic() + seconds, _FIRST_WAIT
    while True:
        try:
            return work()
        except (*TRANSIENT_ERRORS, DBAPIError) as error:
            is_transient = isinstance(error, TRANSIENT_ERRORS) or error.connection_invalidated
            if not is_transient or time.monotonic() + wait > deadline:
                raise
        time.sleep(wait)
        wait = min(2 * wait, _MAX_WAIT)
