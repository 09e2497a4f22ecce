"""The one PostgreSQL database that everything lives in: its connections and its named locks.

What is stored there belongs to the stores; how its tables come to be belongs to `migrations`.
"""

import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.pool import NullPool

from e2i_assets.adapters.postgres.address import (
    Owner,
    libpq_url,
    normalised_url,
    owner_url,
    redacted_url,
    role_url,
    without_secrets,
)
from e2i_assets.core.errors import E2iError

_LOCK_NOT_AVAILABLE = "55P03"
_TRUSTED_SECONDS = 0.5
_USED_AT = "used_at"
_KEEPALIVES = "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"
# And here: after half a minute a connection to a machine that no longer answers is an error, and not a wait.
_PATIENCE = {"keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "25000"}
# A lock of one 64-bit key stands in two columns of 32 bits.
_HELD = sa.text("""
    SELECT key FROM (
        SELECT (CAST(classid AS bigint) << 32) | CAST(objid AS bigint) AS key FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 1 AND granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) AS held WHERE key = ANY(CAST(:keys AS bigint[]))
""")


class DatabaseUnreachable(E2iError):
    """A database that no connection could be made to, with what to do about it."""


class LockTimeout(E2iError):
    """A named lock that another process held for longer than we were willing to wait."""


@dataclass(frozen=True, slots=True)
class Database:
    """A PostgreSQL database; `connect` and `begin` work in the schema ``e2i``.

    Args:
        url: Any accepted spelling; kept in the normalised one. Never part of the representation: it holds a password.

    Example:
        >>> with Database("postgresql://me:secret@localhost/e2i").begin() as connection:
        ...     connection.execute(sa.text("SELECT count(*) FROM ml_experiments"))
    """

    url: str = field(repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", normalised_url(self.url))

    @property
    def engine(self) -> sa.Engine:
        """The pool for this address: one per process, so that a forked child never shares a connection."""
        return _engine(self.url_for("e2i"), os.getpid())

    @property
    def redacted(self) -> str:
        """The address without its secrets, for display."""
        return redacted_url(self.url)

    @property
    def libpq_url(self) -> str:
        """The address as psql and the other PostgreSQL tools take it, in our schema. It holds the password."""
        return libpq_url(self.url_for("e2i"))

    def url_for(self, owner: Owner) -> str:
        """The address to hand to the library that owns this schema."""
        return owner_url(self.url, owner)

    def acting_as(self, role: str | None) -> "Database":
        """The same database, on which the account acts as a role that it is a member of; None: as itself."""
        return Database(role_url(self.url, role))

    def connect(self) -> AbstractContextManager[sa.Connection]:
        """A connection for reading."""
        return self.engine.connect()

    def begin(self) -> AbstractContextManager[sa.Connection]:
        """A connection in a transaction that is committed at the end, or rolled back when an exception leaves it."""
        return self.engine.begin()

    def dispose(self) -> None:
        """Close the pooled connections of this process."""
        self.engine.dispose()

    def require_reachable(self) -> None:
        """Connect once.

        Raises:
            DatabaseUnreachable: With the reason in plain words and without the password.
        """
        engine = _unpooled_engine(self.url_for("e2i"))
        try:
            with engine.connect() as connection:
                connection.execute(sa.text("SELECT 1"))
        except DBAPIError as error:
            # Not chained: the driver's message may quote the connection string.
            raise DatabaseUnreachable(_reason(self, str(error.orig))) from None

    def session(self) -> sa.Connection:
        """A connection of its own, which ends when it is closed and opens no transactions: for what lasts, as a lock.

        The server notices within a minute that its other end has vanished.
        """
        connection = _unpooled_engine(self.url_for("e2i")).connect()
        connection.exec_driver_sql(_KEEPALIVES)
        return connection

    @contextmanager
    def advisory_lock(self, name: str, timeout: float | None = None) -> Iterator[None]:
        """Hold the lock of this name in the whole database; it is not re-entrant.

        The lock belongs to a connection of its own, so it is gone as soon as this process is, however it ends.

        Args:
            name: Any text; equal texts exclude each other, across processes and machines.
            timeout: Seconds to wait; None waits for as long as it takes.

        Raises:
            LockTimeout: When the lock was not free in time.
        """
        key = {"key": lock_key(name)}
        with self.session() as connection:
            # Zero means no limit to PostgreSQL, so the shortest wait is one millisecond.
            milliseconds = 0 if timeout is None else max(1, round(timeout * 1000))
            connection.exec_driver_sql(f"SET lock_timeout = {milliseconds}")
            try:
                connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), key)
            except OperationalError as error:
                if getattr(error.orig, "pgcode", None) != _LOCK_NOT_AVAILABLE:
                    raise
                raise LockTimeout(
                    f'Another process has held the lock "{name}" for more than {timeout:g} seconds. '
                    "Wait for it to end, or stop it, and try again."
                ) from error
            try:
                yield
            finally:
                with suppress(DBAPIError):  # a connection that is gone holds no lock
                    connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), key)

    def held_locks(self, names: Iterable[str]) -> set[str]:
        """Return those of the named locks that somebody holds now."""
        keys = {lock_key(name): name for name in names}
        if not keys:
            return set()
        with self.connect() as connection:
            return {keys[key] for key in connection.execute(_HELD, {"keys": list(keys)}).scalars()}


@lru_cache(maxsize=64)
def dagster_engine(url: str, process_id: int) -> sa.Engine:
    """Return the pool through which Dagster's storages of a process read and write.

    Dagster's own engines connect anew for each statement: hundreds of times in a small run. A connection is tested
    before each use, so that a restart of the server costs no event, and there is no limit on them, as before.

    Args:
        url: The address of Dagster's schema.
        process_id: Of this process: a forked child never shares a connection.
    """
    return sa.create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=1,
        max_overflow=-1,
        pool_pre_ping=True,
        connect_args=_connect_arguments(url),
    )


@lru_cache(maxsize=64)
def _engine(url: str, process_id: int) -> sa.Engine:
    engine = sa.create_engine(url, pool_size=3, max_overflow=5, connect_args=_connect_arguments(url))

    @sa.event.listens_for(engine, "checkout")
    def ask_whether_it_lives(connection: Any, record: Any, proxy: Any) -> None:
        # A connection that was used a moment ago is not asked: that would be a fourth of a trial's round trips.
        if time.monotonic() - record.info.get(_USED_AT, 0.0) > _TRUSTED_SECONDS:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise DisconnectionError from error

    @sa.event.listens_for(engine, "checkin")
    def remember_when(connection: Any, record: Any) -> None:
        record.info[_USED_AT] = time.monotonic()

    return engine


def lock_key(name: str) -> int:
    """Return the number under which PostgreSQL knows a named lock."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


@lru_cache(maxsize=64)
def _unpooled_engine(url: str) -> sa.Engine:
    """An engine whose connections end when they are given back, and that opens no transactions."""
    return sa.create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=_connect_arguments(url))


def _connect_arguments(url: str) -> dict[str, str]:
    """What we ask of a connection, where the address does not say otherwise."""
    wanted = {"connect_timeout": "5", "fallback_application_name": "e2i_assets", **_PATIENCE}
    return {name: value for name, value in wanted.items() if name not in sa.make_url(url).query}


def _reason(database: Database, detail: str) -> str:
    """What a failed connection means for a person; `detail` is the driver's message."""
    parsed = sa.make_url(database.url)
    if re.search(r"could not translate host name|Name or service not known|getaddrinfo", detail):
        return f'The database host "{parsed.host}" is not known. Check its spelling in {database.redacted}'
    if "authentication failed" in detail or "no password supplied" in detail:
        return f'The database refused the password of user "{parsed.username}". Correct it in {database.redacted}'
    if re.search(r'FATAL:\s+database ".*" does not exist', detail):
        return (
            f'There is no database "{parsed.database}" on this server. Create it (createdb {parsed.database}), '
            f"or correct its name in {database.redacted}"
        )
    if re.search(r'FATAL:\s+role ".*" does not exist', detail):
        return f'The database has no user "{parsed.username}". Create it, or correct it in {database.redacted}'
    if re.search(r"Connection refused|No such file or directory|timeout expired|timed out|unreachable", detail):
        return f"No database answers at {database.redacted}. Start it, or correct the host and the port."
    return f"The database at {database.redacted} cannot be used: {without_secrets(detail, database.url).strip()}"
