"""Classification of transient errors: a database or a server that does not answer. Invalid data is never transient."""

from collections.abc import Iterator

import requests
from psycopg2 import errors as postgres
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from e2i_assets.adapters.mlflow.client import TrackingUnreachable
from e2i_assets.adapters.postgres.database import DatabaseUnreachable, LockTimeout
from e2i_assets.adapters.stores.store import StoreUnreachable

_TRANSIENT = (
    DatabaseUnreachable,
    LockTimeout,
    TrackingUnreachable,
    StoreUnreachable,
    PoolTimeout,
    requests.ConnectionError,
    requests.Timeout,
    ConnectionError,
    TimeoutError,
)
# A statement timeout or a full disk is an operational error too, but would occur again.
_PERMANENT = (
    postgres.QueryCanceled,
    postgres.DiskFull,
    postgres.OutOfMemory,
    postgres.InsufficientPrivilege,
    postgres.InvalidPassword,
)


def is_transient(error: BaseException) -> bool:
    """Return whether a retry after a short wait may succeed; the causes of the error are examined too."""
    return any(_is_transient_itself(one) for one in _with_causes(error))


def _is_transient_itself(error: BaseException) -> bool:
    if isinstance(error, DBAPIError):
        is_operational = isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
        return is_operational and not isinstance(error.orig, _PERMANENT)
    return isinstance(error, _TRANSIENT)


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        # Optuna raises an AssertionError about the trial's state while the database's error is being handled.
        error = error.__cause__ or (error.__context__ if isinstance(error, AssertionError) else None)
