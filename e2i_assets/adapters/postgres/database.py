"""The PostgreSQL database: its connections and its named locks.

The repositories define what is stored in it; `migrations` creates its tables.
"""

import hashlib
import os
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
    with_setting,
)
from e2i_assets.adapters.postgres.json_numbers import loads
from e2i_assets.adapters.postgres.unreachable import unreachable
from e2i_assets.core.errors import E2iError

_LOCK_NOT_AVAILABLE = "55P03"
_TRUSTED_SECONDS = 0.5
_USED_AT = "used_at"
# A process that is frozen inside a transaction holds its row locks, and everybody waits for them. The server ends such
# a transaction after this time; the process gets an error when it continues, and retries.
IDLE_TRANSACTION_SECONDS = 15.0
_KEEPALIVES = "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"
# On the client side, an unreachable server becomes an error after half a minute instead of an endless wait.
_CLIENT_TIMEOUTS = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
}
# pg_locks shows a 64-bit lock key as two columns of 32 bits.
_HELD = sa.text("""
    SELECT key FROM (
        SELECT (CAST(classid AS bigint) << 32) | CAST(objid AS bigint) AS key FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 1 AND granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) AS held WHERE key = ANY(CAST(:keys AS bigint[]))
""")


# What the role of a pooled account has to set, because PgBouncer passes no options of a connection on.
_POOLED = sa.text("SELECT current_schema(), current_setting('idle_in_transaction_session_timeout')")


class PoolMisconfigured(E2iError):
    """Connections through the pooler do not have the settings that ours need."""


class DatabaseUnreachable(E2iError):
    """No connection to the database could be made; the message says what to do about it."""


class LockTimeout(E2iError):
    """Another process held a named lock for longer than the timeout."""


@dataclass(frozen=True, slots=True)
class Database:
    """A PostgreSQL database; `connect` and `begin` work in the schema ``e2i``.

    Args:
        url: Any accepted spelling; stored normalised, and not in the repr, because it contains a password.
        pooled_url: The same database through PgBouncer in transaction mode, for `connect` and `begin`; None: without.
            Locks, and what libraries do, need a session and use ``url``.

    Example:
        >>> with Database("postgresql://me:secret@localhost/e2i").begin() as connection:
        ...     connection.execute(sa.text("SELECT count(*) FROM ml_experiments"))
    """

    url: str = field(repr=False)
    pooled_url: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", normalised_url(self.url))
        if self.pooled_url is not None:
            object.__setattr__(self, "pooled_url", normalised_url(self.pooled_url))

    @property
    def engine(self) -> sa.Engine:
        """The connection pool for this address: one per process, so that a forked child shares no connection."""
        if self.pooled_url is not None:
            return _pooled_engine(self.pooled_url, os.getpid())
        return _engine(limited_url(self.url_for("e2i")), os.getpid())

    @property
    def redacted(self) -> str:
        """The address without its secrets, for display."""
        return redacted_url(self.url)

    @property
    def libpq_url(self) -> str:
        """The address of our schema for psql and the other PostgreSQL programs. It contains the password."""
        return libpq_url(self.url_for("e2i"))

    def url_for(self, owner: Owner) -> str:
        """Return the address for the library that owns this schema."""
        return owner_url(self.url, owner)

    def acting_as(self, role: str | None) -> "Database":
        """Return the same database, on which the account acts as one of its roles; with None, as itself.

        It has no pooler, whose account has a role of its own.
        """
        return Database(role_url(self.url, role))

    def connect(self) -> AbstractContextManager[sa.Connection]:
        """Return a connection for reading."""
        return self.engine.connect()

    def begin(self) -> AbstractContextManager[sa.Connection]:
        """Return a connection in a transaction, which is committed at the end or rolled back after an exception."""
        return self.engine.begin()

    def dispose(self) -> None:
        """Close the pooled connections of this process."""
        self.engine.dispose()

    def require_reachable(self) -> None:
        """Connect once to check the address.

        Raises:
            DatabaseUnreachable: The connection failed; the message gives the reason without the password.
        """
        engine = _unpooled_engine(self.url_for("e2i"))
        try:
            with engine.connect() as connection:
                connection.execute(sa.text("SELECT 1"))
        except DBAPIError as error:
            # Not chained: the driver's message may quote the connection string.
            raise DatabaseUnreachable(unreachable(self.url, str(error.orig))) from None

    def session(self) -> sa.Connection:
        """Return an unpooled connection in autocommit mode, for state that belongs to a connection, such as a lock.

        The server notices within a minute that the client has vanished.
        """
        connection = _unpooled_engine(self.url_for("e2i")).connect()
        connection.exec_driver_sql(_KEEPALIVES)
        return connection

    @contextmanager
    def advisory_lock(self, name: str, timeout: float | None = None, longest: float | None = None) -> Iterator[None]:
        """Hold the database-wide lock of this name; it is not re-entrant.

        The lock belongs to a connection of its own, so the server frees it when this process ends in any way.

        Args:
            name: Any text; equal names exclude each other, across processes and machines.
            timeout: Seconds to wait; None waits without limit.
            longest: Seconds after which the server frees the lock, because its process may be frozen; None: never. The
                work must tolerate that another process begins it then.

        Raises:
            LockTimeout: The lock was not free in time.
        """
        key = {"key": lock_key(name)}
        with self.session() as connection:
            # Zero means no limit in PostgreSQL, so the shortest wait is one millisecond.
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
            if longest is not None:
                connection.exec_driver_sql(f"SET idle_session_timeout = {round(longest * 1000)}")
            try:
                yield
            finally:
                with suppress(DBAPIError):  # a lost connection holds no lock
                    connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), key)

    def held_locks(self, names: Iterable[str]) -> set[str]:
        """Return the names whose lock some process holds now."""
        keys = {lock_key(name): name for name in names}
        if not keys:
            return set()
        with self.connect() as connection:
            return {keys[key] for key in connection.execute(_HELD, {"keys": list(keys)}).scalars()}


@lru_cache(maxsize=64)
def dagster_engine(url: str, process_id: int) -> sa.Engine:
    """Return the connection pool for Dagster's storages in a process.

    Dagster's own engines open a connection for each statement: hundreds in a small run. A connection is tested before
    each use, so that no event is lost when the server restarts. Their number is unlimited, as in Dagster.

    Args:
        url: The address of Dagster's schema.
        process_id: The id of this process: a forked child shares no connection.
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
    arguments = _connect_arguments(url)
    engine = sa.create_engine(url, pool_size=3, max_overflow=5, json_deserializer=loads, connect_args=arguments)

    @sa.event.listens_for(engine, "checkout")
    def ping_if_idle(connection: Any, record: Any, proxy: Any) -> None:
        # A recently used connection is not tested: the test would be a fourth of the round trips of a trial.
        if time.monotonic() - record.info.get(_USED_AT, 0.0) > _TRUSTED_SECONDS:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise DisconnectionError from error

    @sa.event.listens_for(engine, "checkin")
    def record_use(connection: Any, record: Any) -> None:
        record.info[_USED_AT] = time.monotonic()

    return engine


@lru_cache(maxsize=64)
def _pooled_engine(url: str, process_id: int) -> sa.Engine:
    """Return the connection pool for an address of PgBouncer, and check once that its account has our settings."""
    engine = _engine(url, process_id)

    @sa.event.listens_for(engine, "first_connect")
    def require_settings(connection: Any, record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(str(_POOLED))
            schema, timeout = cursor.fetchone()
        connection.rollback()
        if schema != "e2i" or timeout == "0":
            raise PoolMisconfigured(
                f"The pooled connections to {redacted_url(url)} have the schema {schema} and the time limit {timeout} "
                "of idle transactions. Make their account with `e2i db login NAME --role worker --pooled`."
            )

    return engine


def limited_url(url: str) -> str:
    """Return an address whose transactions the server ends when they wait too long for this process."""
    return with_setting(url, "idle_in_transaction_session_timeout", f"{IDLE_TRANSACTION_SECONDS * 1000:.0f}")


def lock_key(name: str) -> int:
    """Return PostgreSQL's key of a named lock."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


@lru_cache(maxsize=64)
def _unpooled_engine(url: str) -> sa.Engine:
    """Return an autocommit engine that closes a connection when it is released."""
    options = {"poolclass": NullPool, "isolation_level": "AUTOCOMMIT", "json_deserializer": loads}
    return sa.create_engine(url, connect_args=_connect_arguments(url), **options)


def _connect_arguments(url: str) -> dict[str, str]:
    """Return our connection parameters, except those that the address sets itself."""
    wanted = {"connect_timeout": "5", "fallback_application_name": "e2i_assets", **_CLIENT_TIMEOUTS}
    return {name: value for name, value in wanted.items() if name not in sa.make_url(url).query}
