"""The lease of a worker process: an advisory lock, which the server frees when it ends, and a regular heartbeat."""

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
_HEARTBEATS_PER_LEASE = 6
_MAX_HEARTBEAT_SECONDS = 5.0
_POLL_SECONDS = 0.5
# How long the lock of a live process may be free: its connection was lost, by a restart of the server or a network
# fault. The process checks the connection twice a second and reconnects at once. The heartbeats, five seconds apart,
# would need more than ten seconds to tell a killed process from a disconnected one.
RECONNECT_SECONDS = 3.0
_TRY_LOCK = sa.text("SELECT pg_try_advisory_lock(:key)")
_HEARTBEAT = sa.text("""
    INSERT INTO ml_hpo_workers (name, host, process_id, lease_seconds) VALUES (:name, :host, :process_id, :lease)
    ON CONFLICT (name) DO UPDATE SET seen_at = clock_timestamp()
""")
_LOCK_STUDY = sa.text(LOCK)
_DELETE_WORKER = sa.text("DELETE FROM ml_hpo_workers WHERE name = :name")
# The time until which a worker is alive. While the server was down, no worker could send a heartbeat.
HEARTBEAT_VALID_UNTIL = f"""
    greatest(seen_at + make_interval(secs => lease_seconds),
             pg_postmaster_start_time() + make_interval(secs => {RECONNECT_SECONDS}))
"""
_IS_ALIVE = sa.text(f"""
    SELECT EXISTS (SELECT FROM ml_hpo_workers
        WHERE name = :name AND {HEARTBEAT_VALID_UNTIL} >= clock_timestamp())
""")
# Rows of dead workers, which nothing reads any more.
_DELETE_STALE_WORKERS = sa.text("DELETE FROM ml_hpo_workers WHERE seen_at < clock_timestamp() - interval '1 day'")


def has_expired(database: Database, name: str) -> bool:
    """Return whether a worker has left, or has sent no heartbeat for the duration of its lease."""
    with database.connect() as connection:
        return not connection.execute(_IS_ALIVE, {"name": name}).scalar_one()


class WorkerLease:
    """Registers this process as a worker for the duration of the ``with`` block.

    The lock and the heartbeats use a connection of their own, which is checked twice a second. If it is lost, the
    lease reconnects at once: other processes take over the trials of this one only if it stays disconnected for longer
    than `dead_workers.abandoned` waits, or if its lease expires.

    Args:
        database: The database of the study.
        lease: Seconds without a heartbeat after which other processes take over the trials of this one.
        on_heartbeat: Called after each heartbeat, in the thread of the heartbeat.
    """

    def __init__(
        self, database: Database, lease: float = LEASE_SECONDS, on_heartbeat: Callable[[], object] = lambda: None
    ) -> None:
        self.name = f"worker {uuid4().hex}"
        self._database = database
        self._lease = lease
        self._on_heartbeat = on_heartbeat
        self._connection: sa.Connection | None = None
        self._holds_lock = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="worker heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._send_heartbeat()
        with self._database.begin() as connection:
            connection.execute(_DELETE_STALE_WORKERS)
        self._thread.start()
        return self

    def retire(self, study_id: str) -> None:
        """Remove this process from the workers, so that nothing claims a trial of the study on its behalf.

        This holds the study's lock: a later read sees every claim that was in progress.
        """
        self._ended.set()
        self._thread.join()
        with self._database.begin() as connection:
            connection.execute(_LOCK_STUDY, {"study_id": study_id})
            connection.execute(_DELETE_WORKER, {"name": self.name})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        # A thread that waits for a broken network is left behind: it is a daemon, so the process can exit.
        self._thread.join(timeout=_MAX_HEARTBEAT_SECONDS)
        if not self._thread.is_alive():
            with suppress(SQLAlchemyError):  # a server that is down has freed the lock; the row is deleted later
                if self._connection is not None:
                    self._connection.execute(_DELETE_WORKER, {"name": self.name})
            self._disconnect()

    def _run(self) -> None:
        interval = min(self._lease / _HEARTBEATS_PER_LEASE, _MAX_HEARTBEAT_SECONDS)
        due = time.monotonic() + interval
        while not self._ended.wait(min(interval, _POLL_SECONDS)):
            if time.monotonic() >= due or not self._holds_lock or self._needs_reconnect():
                due = time.monotonic() + interval
                self._send_or_reconnect()
                with suppress(SQLAlchemyError):  # called again after the next heartbeat
                    self._on_heartbeat()

    def _send_or_reconnect(self) -> None:
        """Send a heartbeat, over a new connection if the old one is lost."""
        for _ in range(2):
            try:
                return self._send_heartbeat()
            except SQLAlchemyError:  # if the new connection fails too, the next check tries another one
                self._disconnect()

    def _needs_reconnect(self) -> bool:
        """Return whether the connection is lost, or has an unrequested message, as the server sends at shutdown."""
        if self._connection is None:
            return True
        driver: Any = self._connection.connection.driver_connection
        driver_socket = select.poll()
        driver_socket.register(driver.fileno(), select.POLLIN)
        return bool(driver_socket.poll(0))

    def _send_heartbeat(self) -> None:
        if self._connection is None:
            self._connection = self._database.session()
        if not self._holds_lock:  # a lost connection may hold it until the server notices
            self._holds_lock = bool(self._connection.execute(_TRY_LOCK, {"key": lock_key(self.name)}).scalar_one())
        heartbeat = {"name": self.name, "host": socket.gethostname(), "process_id": os.getpid(), "lease": self._lease}
        self._connection.execute(_HEARTBEAT, heartbeat)

    def _disconnect(self) -> None:
        connection, self._connection, self._holds_lock = self._connection, None, False
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()
