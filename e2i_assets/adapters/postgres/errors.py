"""Errors of PostgreSQL for users: an unusable embedded server, and a failure during a command."""

from pathlib import Path

import psycopg2
from psycopg2 import errors as postgres
from sqlalchemy.exc import DBAPIError

from e2i_assets.adapters.postgres.address import without_secrets
from e2i_assets.adapters.processes.log_tail import last_lines
from e2i_assets.core.errors import E2iError


class PostgresUnavailable(E2iError):
    """The embedded server could not be prepared, started or joined.

    Args:
        problem: What is wrong and where.
        remedy: What the user can do about it.
        log: A server log whose last lines explain the problem.
        since: The size of that log, in bytes, before the attempt; older lines are left out.
    """

    def __init__(self, problem: str, remedy: str, log: Path | None = None, since: int = 0) -> None:
        self.log_lines = last_lines(log, since) if log else ()
        parts = [problem, remedy]
        if log:
            parts.append(f"The server log is {log}; its last lines:")
            parts.extend(f"  {line}" for line in self.log_lines or ("(nothing was written)",))
        super().__init__("\n".join(parts))


_REMEDIES: tuple[tuple[type[BaseException], str], ...] = (
    (postgres.DiskFull, "Make room on the disk of the database"),
    (postgres.InsufficientPrivilege, "Grant its user that privilege"),
)
_OTHER = "Check that it runs, accepts connections (max_connections) and has free disk space"


# The errors of SQLAlchemy, and those of the plain psycopg2 connections of Dagster and of this package.
DATABASE_ERRORS = (DBAPIError, psycopg2.Error)


class DatabaseFailed(E2iError):
    """The database failed during a command."""


def database_failed(error: DBAPIError | psycopg2.Error, url: str | None) -> DatabaseFailed:
    """Return a readable error for what the driver raised.

    Args:
        error: The driver's or SQLAlchemy's error.
        url: The address, whose secrets are removed from the message; None if it is not known.
    """
    raised = error.orig or error if isinstance(error, DBAPIError) else error
    message = " ".join(str(raised).split())
    message = without_secrets(message, url) if url else message
    remedy = next((text for kind, text in _REMEDIES if isinstance(raised, kind)), _OTHER)
    kept = "then run the same command again: it continues, because finished work is stored"
    return DatabaseFailed(f"the database failed: {message[:300]}. {remedy}; {kept}")
