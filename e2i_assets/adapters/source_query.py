"""The rows of a query on somebody's PostgreSQL: read-only, limited in time, and silent about the password."""

from collections.abc import Mapping

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from e2i_assets.adapters.postgres.address import without_secrets
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.sections import SqlQuery
from e2i_assets.core.suggestions import did_you_mean

STATEMENT_TIMEOUT_SECONDS = 600
_QUERY_CANCELED = "57014"
_READ_ONLY = "25006"
# A row as text, hashed and added up: the server reads every row and sends one.
_HASHED = "SELECT count(*), coalesce(sum(hashtextextended(hashed::text, 0)), 0) FROM ({query}) AS hashed"


class SourceUnreadable(E2iError):
    """A query whose rows could not be fetched, with what to do about it."""


def query_rows(
    sql: SqlQuery, environment: Mapping[str, str], timeout_seconds: float = STATEMENT_TIMEOUT_SECONDS
) -> pd.DataFrame:
    """Return the rows of a query.

    Args:
        sql: The query, and the name of the variable that holds the address.
        environment: Where that variable is looked up.
        timeout_seconds: The server ends a longer query.

    Raises:
        SourceUnreadable: The variable is not set, or the server refuses the query or ends it.
        DatabaseUnreachable: No connection could be made.
        DatabaseAddressInvalid: The variable holds something else than a PostgreSQL address.
    """
    return _frame(sql.query, "source.sql.query", sql.url_env, environment, timeout_seconds)


def watermark_of(
    sql: SqlQuery, environment: Mapping[str, str], timeout_seconds: float = STATEMENT_TIMEOUT_SECONDS
) -> list[str]:
    """Return what tells one state of the rows from another: what the watermark says, else a hash made by the server.

    The order of rows does not count in that hash.

    Raises:
        SourceUnreadable: The variable is not set, the server refuses the query, or it is not one row.
        DatabaseUnreachable: No connection could be made.
        DatabaseAddressInvalid: The variable holds something else than a PostgreSQL address.
    """
    where = "source.sql.watermark" if sql.watermark else "source.sql.query"
    query = sql.watermark or _HASHED.format(query=sql.query.strip().rstrip(";"))
    found = _frame(query, where, sql.url_env, environment, timeout_seconds)
    if len(found) != 1:
        raise SourceUnreadable(f"{where}: it returns {len(found)} rows, write a SELECT that returns one")
    return [str(cell) for cell in found.iloc[0]]


def _frame(
    query: str, where: str, url_env: str, environment: Mapping[str, str], timeout_seconds: float
) -> pd.DataFrame:
    address = environment.get(url_env)
    if not address:
        near = did_you_mean(url_env, environment)
        raise SourceUnreadable(
            f"source.sql.url_env: the environment variable {url_env} is not set{near}. "
            f"Set it to the address of the database, such as postgresql://user:password@host:5432/name"
        )
    database = Database(address)
    database.require_reachable()
    engine = sa.create_engine(database.url, poolclass=NullPool, connect_args={"connect_timeout": 10})
    try:
        with engine.connect().execution_options(postgresql_readonly=True, no_parameters=True) as connection:
            # The session's default too, or a COMMIT inside the query would end the protection.
            connection.exec_driver_sql("SET default_transaction_read_only = on")
            connection.exec_driver_sql(f"SET statement_timeout = {round(timeout_seconds * 1000)}")
            result = connection.exec_driver_sql(query)
            if not result.returns_rows:
                raise SourceUnreadable(f"{where}: it returns no rows, write one SELECT")
            return pd.DataFrame(result.fetchall(), columns=list(result.keys()))
    except DBAPIError as error:
        # Not chained: the driver's message may quote the connection string.
        raise SourceUnreadable(f"{where}: {_reason(error, database, timeout_seconds)}") from None


def _reason(error: DBAPIError, database: Database, timeout_seconds: float) -> str:
    code = getattr(error.orig, "pgcode", None)
    if code == _QUERY_CANCELED:
        return f"the server ended it after {timeout_seconds:g} seconds: make it return less, or faster"
    if code == _READ_ONLY:
        return "it tries to write, and an experiment only reads: write one SELECT"
    detail = without_secrets(str(error.orig), database.url).strip()
    return f"the database at {database.redacted} refuses it: {detail}"
