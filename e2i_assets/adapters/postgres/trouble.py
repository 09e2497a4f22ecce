"""What a person is told when PostgreSQL fails under a command: the server's own words, and what to do."""

import psycopg2
from psycopg2 import errors as postgres
from sqlalchemy.exc import DBAPIError

from e2i_assets.adapters.postgres.address import without_secrets
from e2i_assets.core.errors import E2iError

_REMEDIES: tuple[tuple[type[BaseException], str], ...] = (
    (postgres.DiskFull, "Make room on the disk of the database"),
    (postgres.InsufficientPrivilege, "Give its user that right"),
)
_PASSING = "See whether it runs, takes connections (max_connections) and has room on its disk"


# As SQLAlchemy raises them, and as Dagster's and our own plain connections do.
DATABASE_ERRORS = (DBAPIError, psycopg2.Error)


class DatabaseFailed(E2iError):
    """A database that failed in the middle of a command."""


def database_failed(error: DBAPIError | psycopg2.Error, url: str | None) -> DatabaseFailed:
    """Return in words what the driver raised.

    Args:
        error: What was raised.
        url: The address, whose secrets are blotted out; None where no one is known.
    """
    raised = error.orig or error if isinstance(error, DBAPIError) else error
    said = " ".join(str(raised).split())
    said = without_secrets(said, url) if url else said
    remedy = next((text for kind, text in _REMEDIES if isinstance(raised, kind)), _PASSING)
    kept = "then the same command goes on from there: what was finished is kept"
    return DatabaseFailed(f"the database failed: {said[:300]}. {remedy}; {kept}")
