"""That a process lives, told twice: by a lock that its end frees at once, and by a sign of life within a lease."""

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from e2i_assets.adapters.postgres.database import Database, lock_key

LEASE_SECONDS = 60.0
_SIGNS_WITHIN_A_LEASE = 6
_LONGEST_BETWEEN = 5.0
_TAKE = sa.text("SELECT pg_try_advisory_lock(:key)")
_SIGN = sa.text("""
    INSERT INTO ml_hpo_workers (name, host, process_id, lease_seconds) VALUES (:name, :host, :process_id, :lease)
    ON CONFLICT (name) DO UPDATE SET seen_at = clock_timestamp()
""")
_LEAVE = sa.text("DELETE FROM ml_hpo_workers WHERE name = :name")
_LIVES = sa.text("""
    SELECT EXISTS (SELECT FROM ml_hpo_workers
        WHERE name = :name AND seen_at + make_interval(secs => lease_seconds) >= clock_timestamp())
""")
# Those of dead processes, which nobody has reason to look at any more.
_TIDY = sa.text("DELETE FROM ml_hpo_workers WHERE seen_at < clock_timestamp() - interval '1 day'")


def is_silent(database: Database, name: str) -> bool:
    """Return whether a process has left, or has given no sign of life for its lease."""
    with database.connect() as connection:
        return not connection.execute(_LIVES, {"name": name}).scalar_one()


class Presence:
    """A process that works on studies, for as long as it is entered.

    The lock and the signs of life have a connection of their own. Should it be lost, another one takes its place: what
    the process runs is taken from it only when it was silent for a whole lease.

    Args:
        database: Where it is told.
        lease: Seconds of silence after which others take over what it runs.
        between: Called beside each sign of life, in its thread.
    """

    def __init__(
        self, database: Database, lease: float = LEASE_SECONDS, between: Callable[[], object] = lambda: None
    ) -> None:
        self.name = f"worker {uuid4().hex}"
        self._database = database
        self._lease = lease
        self._between = between
        self._connection: sa.Connection | None = None
        self._holds_lock = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="sign of life", daemon=True)

    def __enter__(self) -> Self:
        self._sign()
        with self._database.begin() as connection:
            connection.execute(_TIDY)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        # A thread that waits for a network which is cut is left to itself: the process may go all the same.
        self._thread.join(timeout=_LONGEST_BETWEEN)
        if not self._thread.is_alive():
            with suppress(SQLAlchemyError):  # a server that is away has freed the lock; the row is tidied up later
                if self._connection is not None:
                    self._connection.execute(_LEAVE, {"name": self.name})
            self._disconnect()

    def _tell(self) -> None:
        while not self._ended.wait(min(self._lease / _SIGNS_WITHIN_A_LEASE, _LONGEST_BETWEEN)):
            try:
                self._sign()
                self._between()
            except SQLAlchemyError:  # the next sign comes with a new connection, or the lease ends
                self._disconnect()

    def _sign(self) -> None:
        if self._connection is None:
            self._connection = self._database.session()
        if not self._holds_lock:  # a lost connection that the server still takes for alive may hold it for a while
            self._holds_lock = bool(self._connection.execute(_TAKE, {"key": lock_key(self.name)}).scalar_one())
        told = {"name": self.name, "host": socket.gethostname(), "process_id": os.getpid(), "lease": self._lease}
        self._connection.execute(_SIGN, told)

    def _disconnect(self) -> None:
        connection, self._connection, self._holds_lock = self._connection, None, False
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()
