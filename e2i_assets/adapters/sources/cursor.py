"""One reading statement of a person's on their PostgreSQL: it cannot write, outlast its time, or fill our memory.

The text of the statement is a value here and never part of another one. It reaches the server as a setting of the
transaction, and PL/pgSQL opens a cursor for it: that takes one statement which returns rows, and nothing behind a
semicolon. A plain execution would take ``COMMIT; BEGIN READ WRITE; DELETE ...`` as well, which no setting prevents.
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
# Each row as text, hashed and added up: the server reads every row and sends one.
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
    """The statement's time was up between two fetches; while one is under way the server says so itself."""


def rows(
    connection: sa.Connection, query: str, seconds: float, enough: Callable[[int, int], None]
) -> tuple[list[Row], list[str]]:
    """Return the rows of a query and the names of their columns.

    Args:
        connection: In a read-only transaction.
        query: One statement that returns rows.
        seconds: The whole reading may take.
        enough: Told the rows and bytes read so far after each fetch; it raises to end the reading.

    Raises:
        OutOfTime: The time was up.
        sqlalchemy.exc.DBAPIError: The server refuses the statement, or ended it.
    """
    deadline = time.monotonic() + seconds
    _opened(connection, query, _OPEN, seconds)
    found: list[Row] = []
    read, count = 0, 1
    while True:
        # Each time anew, since the statement might have changed the setting. A first row shows how wide rows are.
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
    """Return how many rows a query has and the sum of their hashes, made by the server; their order does not count.

    Raises:
        sqlalchemy.exc.DBAPIError: The server refuses the statement, or ended it.
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
