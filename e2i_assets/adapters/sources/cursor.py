"""Runs one read-only statement of a user on their PostgreSQL server, limited in time and memory.

The statement is always a value and never part of another statement. It is sent as a setting of the transaction, and
PL/pgSQL opens a cursor for it: a cursor accepts a single statement that returns rows, and nothing after a semicolon.
A plain execution would also accept ``COMMIT; BEGIN READ WRITE; DELETE ...``, which no setting prevents.
"""

import sys
import time
from collections.abc import Callable
from itertools import chain
from typing import Any

import sqlalchemy as sa

Row = tuple[Any, ...]
_KEEP = "SELECT set_config('e2i.query', %s, true)"
_OPEN = """
    DO $$ DECLARE e2i_rows CONSTANT refcursor := 'e2i_rows';
    BEGIN OPEN e2i_rows NO SCROLL FOR EXECUTE current_setting('e2i.query'); END $$
"""
# Each row is converted to text, hashed and summed up: the server reads every row and sends one.
_HASH = """
    DO $$ DECLARE one record; counted bigint := 0; total numeric := 0;
    BEGIN
        FOR one IN EXECUTE current_setting('e2i.query') LOOP
            counted := counted + 1;
            total := total + hashtextextended(CAST(one AS text), 0);
        END LOOP;
        PERFORM set_config('e2i.hash', counted || ' ' || total, true);
    END $$
"""
_HASHED = "SELECT current_setting('e2i.hash')"
_FETCHED_BYTES = 16_000_000
_FETCHED_ROWS = 20_000


class OutOfTime(Exception):
    """The time limit was reached between two fetches; during a fetch, the server raises the error."""


def rows(
    connection: sa.Connection, query: str, seconds: float, enough: Callable[[int, int], None]
) -> tuple[list[Row], list[str]]:
    """Return the rows of a query and the names of their columns.

    Args:
        connection: A connection in a read-only transaction.
        query: A single statement that returns rows.
        seconds: Time limit for all rows.
        enough: Called with the rows and bytes read so far after each fetch; it raises to stop reading.

    Raises:
        OutOfTime: The time limit was reached.
        sqlalchemy.exc.DBAPIError: The server rejected or cancelled the statement.
    """
    deadline = time.monotonic() + seconds
    _opened(connection, query, _OPEN, seconds)
    found: list[Row] = []
    read, count = 0, 1
    while True:
        # Set before each fetch: the statement may have changed it. The first row shows the size of a row.
        limited = f"SET LOCAL statement_timeout = {_milliseconds(deadline - time.monotonic())};"
        result = connection.exec_driver_sql(f"{limited} FETCH FORWARD {count} FROM e2i_rows")
        names = list(result.keys())
        fetched = [tuple(row) for row in result.fetchall()]
        found += fetched
        read += sum(map(sys.getsizeof, chain.from_iterable(fetched)))
        enough(len(found), read)
        if len(fetched) < count:
            return found, names
        count = max(1, min(_FETCHED_ROWS, _FETCHED_BYTES * len(found) // max(read, 1), 10 * count))


def hashed(connection: sa.Connection, query: str, seconds: float) -> list[str]:
    """Return the number of rows of a query and the sum of their hashes, computed by the server in any row order.

    Raises:
        sqlalchemy.exc.DBAPIError: The server rejected or cancelled the statement.
    """
    _opened(connection, query, _HASH, seconds)
    return str(connection.exec_driver_sql(_HASHED).scalar()).split()


def _opened(connection: sa.Connection, query: str, statement: str, seconds: float) -> None:
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {_milliseconds(seconds)}")
    connection.exec_driver_sql(_KEEP, (query,))
    connection.exec_driver_sql(statement)


def _milliseconds(seconds: float) -> int:
    if seconds <= 0:
        raise OutOfTime
    return max(1, round(seconds * 1000))
