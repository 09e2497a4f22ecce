"""Converts a PostgreSQL failure during a command into a readable error: the server's message and a remedy."""

import psycopg2
from psycopg2 import errors as postgres
from sqlalchemy.exc import DBAPIError

from e2i_assets.adapters.postgres.address import without_secrets
from e2i_assets.core.errors import E2iError

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
