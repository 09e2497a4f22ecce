"""Rows of a query on a user's PostgreSQL server: read-only, limited in time and size, and without leaking passwords."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from e2i_assets.adapters.postgres.address import without_secrets
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.sources.cursor import OutOfTime, hashed, rows
from e2i_assets.adapters.sources.limits import source_limits
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.source_section import SqlQuery
from e2i_assets.core.suggestions import did_you_mean

STATEMENT_TIMEOUT_SECONDS = 600
_QUERY_CANCELED = "57014"
_READ_ONLY = "25006"
# Several statements, a statement without rows, or a WITH that writes cannot open a cursor.
_NO_CURSOR = ("42P11", "0A000", "22004")


class SourceUnreadable(E2iError):
    """The rows of a query could not be read; the message says what to do."""


def query_rows(
    sql: SqlQuery, environment: Mapping[str, str], timeout_seconds: float = STATEMENT_TIMEOUT_SECONDS
) -> pd.DataFrame:
    """Return the rows of a query.

    Args:
        sql: The query, and the name of the variable with the address.
        environment: Variables with the address and the limits of a source.
        timeout_seconds: Time limit of the query.

    Raises:
        SourceUnreadable: The variable is not set, or the server rejects or cancels the query.
        DataInvalid: The query exceeds the limits of a source.
        DatabaseUnreachable: The connection failed.
        DatabaseAddressInvalid: The variable does not contain a PostgreSQL address.
    """
    return _frame(sql.query, "source.sql.query", sql.url_env, environment, timeout_seconds)


def watermark_of(
    sql: SqlQuery, environment: Mapping[str, str], timeout_seconds: float = STATEMENT_TIMEOUT_SECONDS
) -> list[str]:
    """Return a text that changes with the rows: the result of the watermark query, otherwise a hash by the server.

    The order of rows does not affect the hash.

    Raises:
        SourceUnreadable: The variable is not set, the server rejects the query, or the result is not one row.
        DataInvalid: The watermark exceeds the limits of a source.
        DatabaseUnreachable: The connection failed.
        DatabaseAddressInvalid: The variable does not contain a PostgreSQL address.
    """
    if sql.watermark is None:
        with _reading("source.sql.query", sql.url_env, environment, timeout_seconds) as connection:
            return hashed(connection, sql.query, timeout_seconds)
    found = _frame(sql.watermark, "source.sql.watermark", sql.url_env, environment, timeout_seconds)
    if len(found) != 1:
        raise SourceUnreadable(f"source.sql.watermark: it returns {len(found)} rows, write a SELECT that returns one")
    return [str(cell) for cell in found.iloc[0]]


def _frame(
    query: str, where: str, url_env: str, environment: Mapping[str, str], timeout_seconds: float
) -> pd.DataFrame:
    limits = source_limits(environment)

    def enough(count: int, size: int) -> None:
        limits.require_rows(count, where, query)
        limits.require_size(size, where, query)

    with _reading(where, url_env, environment, timeout_seconds) as connection:
        found, names = rows(connection, query, timeout_seconds, enough)
    return pd.DataFrame(found, columns=names)


def named_database(where: str, url_env: str, environment: Mapping[str, str]) -> Database:
    """Return the database whose address is in a variable, after connecting once.

    Args:
        where: The key of the experiment file that names the variable.
        url_env: The variable.
        environment: Variables with the address.

    Raises:
        SourceUnreadable: The variable is not set.
        DatabaseUnreachable: The connection failed.
        DatabaseAddressInvalid: The variable does not contain a PostgreSQL address.
    """
    address = environment.get(url_env)
    if not address:
        near = did_you_mean(url_env, environment)
        raise SourceUnreadable(
            f"{where}: the environment variable {url_env} is not set{near}. "
            f"Set it to the address of the database, such as postgresql://user:password@host:5432/name"
        )
    database = Database(address)
    database.require_reachable()
    return database


@contextmanager
def _reading(
    where: str, url_env: str, environment: Mapping[str, str], timeout_seconds: float
) -> Iterator[sa.Connection]:
    """Yield a read-only connection, and convert the server's errors to readable ones."""
    database = named_database("source.sql.url_env", url_env, environment)
    engine = sa.create_engine(database.url, poolclass=NullPool, connect_args={"connect_timeout": 10})
    try:
        with engine.connect().execution_options(postgresql_readonly=True, no_parameters=True) as connection:
            connection.exec_driver_sql("SET default_transaction_read_only = on")
            yield connection
    except OutOfTime:
        raise SourceUnreadable(f"{where}: {_too_slow(timeout_seconds)}") from None
    except DBAPIError as error:
        # Not chained: the driver's message may quote the connection string.
        raise SourceUnreadable(f"{where}: {_reason(error, database, timeout_seconds)}") from None
    except ValueError as error:  # raised by the driver for a text that cannot be sent
        raise SourceUnreadable(f"{where}: it cannot be sent to the database: {error}") from None


def _reason(error: DBAPIError, database: Database, timeout_seconds: float) -> str:
    code = getattr(error.orig, "pgcode", None)
    if code == _QUERY_CANCELED:
        return _too_slow(timeout_seconds)
    if code == _READ_ONLY:
        return "it tries to write, and an experiment only reads: write one SELECT"
    # The following parts of the message describe our own PL/pgSQL block.
    message = str(error.orig).partition("\nCONTEXT:")[0].partition("\nQUERY:")[0]
    detail = without_secrets(message, database.url).strip()
    hint = ". Write one SELECT" if code in _NO_CURSOR else ""
    return f"the database at {database.redacted} refuses it: {detail}{hint}"


def _too_slow(seconds: float) -> str:
    return f"the server ended it after {seconds:g} seconds: make it return less, or faster"
