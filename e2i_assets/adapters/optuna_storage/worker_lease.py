"""That a process lives, told twice: by a lock that its end frees at once, and by a sign of life within a lease."""

import os
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from e2i_assets.adapters.postgres.database import Database, lock_key
from e2i_assets.adapters.repositories.studies import LOCK

LEASE_SECONDS = 60.0
_SIGNS_WITHIN_A_LEASE = 6
_LONGEST_BETWEEN = 5.0
_LOOK_SECONDS = 0.5
# For how long the lock of a living process may be free: while its connection is cut, by a restart of the server or by
# anything between the two. It looks twice a second, and connects again at once. A killed one is not waited for any
# longer: by signs of life, five seconds apart, the two could not be told apart in less than ten.
RETURN_SECONDS = 3.0
_TAKE = sa.text("SELECT pg_try_advisory_lock(:key)")
_SIGN = sa.text("""
    INSERT INTO ml_hpo_workers (name, host, process_id, lease_seconds) VALUES (:name, :host, :process_id, :lease)
    ON CONFLICT (name) DO UPDATE SET seen_at = clock_timestamp()
""")
_LOCK_STUDY = sa.text(LOCK)
_LEAVE = sa.text("DELETE FROM ml_hpo_workers WHERE name = :name")
# Until when a process is not silent. To a server that was away nobody could give a sign.
HEARD_UNTIL = f"""
    greatest(seen_at + make_interval(secs => lease_seconds),
             pg_postmaster_start_time() + make_interval(secs => {RETURN_SECONDS}))
"""
_LIVES = sa.text(f"""
    SELECT EXISTS (SELECT FROM ml_hpo_workers
        WHERE name = :name AND {HEARD_UNTIL} >= clock_timestamp())
""")
# Those of dead processes, which nobody has reason to look at any more.
_TIDY = sa.text("DELETE FROM ml_hpo_workers WHERE seen_at < clock_timestamp() - interval '1 day'")


def has_expired(database: Database, name: str) -> bool:
    """Return whether a process has left, or has given no sign of life for its lease."""
    with database.connect() as connection:
        return not connection.execute(_LIVES, {"name": name}).scalar_one()


class WorkerLease:
    """A process that works on studies, for as long as it is entered.

    The lock and the signs of life have a connection of their own, which is looked at twice a second. Should it be lost,
    another one takes its place at once: what the process runs is taken from it only when it stays away longer than
    `absence` waits for it, or was silent for a whole lease.

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

    def retire(self, study_id: str) -> None:
        """Say from now on that this process has left, so that nobody claims a trial of a study on its behalf.

        Under the study's lock, so that every claim that was under way is seen by who looks afterwards.
        """
        self._ended.set()
        self._thread.join()
        with self._database.begin() as connection:
            connection.execute(_LOCK_STUDY, {"study_id": study_id})
            connection.execute(_LEAVE, {"name": self.name})

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
        between = min(self._lease / _SIGNS_WITHIN_A_LEASE, _LONGEST_BETWEEN)
        due = time.monotonic() + between
        while not self._ended.wait(min(between, _LOOK_SECONDS)):
            if time.monotonic() >= due or not self._holds_lock or self._has_news():
                due = time.monotonic() + between
                self._sign_again()
                with suppress(SQLAlchemyError):  # asked again beside the next sign
                    self._between()

    def _sign_again(self) -> None:
        """Give a sign of life, by a new connection at once where the old one is cut."""
        for _ in range(2):
            try:
                return self._sign()
            except SQLAlchemyError:  # where the new one fails as well, another one is tried at the next look
                self._disconnect()

    def _has_news(self) -> bool:
        """Return whether the server has said something unasked, as it does at its end, or has hung up."""
        if self._connection is None:
            return True
        driver: Any = self._connection.connection.driver_connection
        socket_of_the_driver = select.poll()
        socket_of_the_driver.register(driver.fileno(), select.POLLIN)
        return bool(socket_of_the_driver.poll(0))

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
