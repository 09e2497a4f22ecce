"""Which failures may be gone in a minute: a database or a server that does not answer. Bad data never is."""

from collections.abc import Iterator

import requests
from psycopg2 import errors as postgres
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from e2i_assets.adapters.mlflow.client import TrackingUnreachable
from e2i_assets.adapters.postgres.database import DatabaseUnreachable, LockTimeout

_HEALING = (
    DatabaseUnreachable,
    LockTimeout,
    TrackingUnreachable,
    PoolTimeout,
    requests.ConnectionError,
    requests.Timeout,
    ConnectionError,
    TimeoutError,
)
# A statement that ran out of its time, or a full disk, is an operational error too, and would be one again.
_LASTING = (
    postgres.QueryCanceled,
    postgres.DiskFull,
    postgres.OutOfMemory,
    postgres.InsufficientPrivilege,
    postgres.InvalidPassword,
)


def is_transient(error: BaseException) -> bool:
    """Return whether doing the same once more, a little later, may succeed; the causes of an error count as well."""
    return any(_is_passing(one) for one in _with_causes(error))


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, DBAPIError):
        passing = isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
        return passing and not isinstance(error.orig, _LASTING)
    return isinstance(error, _HEALING)


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        # Optuna asserts that a trial could be told of, while the database's own error is on its way up.
        error = error.__cause__ or (error.__context__ if isinstance(error, AssertionError) else None)
