"""A PostgreSQL server in a project folder: its first user starts it, all share it, and it stops after the last one."""

import fcntl
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from e2i_assets.adapters.postgres.binaries import client_program
from e2i_assets.adapters.postgres.cluster import DATABASE, USER
from e2i_assets.adapters.postgres.errors import PostgresUnavailable
from e2i_assets.adapters.postgres.launch import ServerFiles, start_server
from e2i_assets.adapters.postgres.shell_variables import embedded_url
from e2i_assets.adapters.processes.loopback import answers

_WAIT_SECONDS = 60.0
# PostgreSQL's SSLRequest: a running server replies S or N at once; one that is stopping may only have its port open.
_SSL_REQUEST, _SSL_REPLIES = bytes([0, 0, 0, 8, 4, 210, 22, 47]), b"SN"


class ServerLease:
    """A user's share of a running server, which stops when the last share of all processes is closed.

    The kernel closes a share when its process ends in any way.

    Attributes:
        url: The SQLAlchemy address of the database.
    """

    __slots__ = ("_lock", "url")

    def __init__(self, url: str, lock: int) -> None:
        self.url = url
        self._lock: int | None = lock

    def close(self) -> None:
        """Release the share; a second call does nothing."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """The server of a folder, with pgvector, on the loopback address, with a generated password.

    Example:
        >>> with EmbeddedPostgres(Path("state/postgres")).hold() as postgres:
        ...     engine = sqlalchemy.create_engine(postgres.url)

    Attributes:
        folder: The folder of the cluster, its password, its log (``postgres.log``) and the locks.
        settings: Server settings that differ from the defaults, for example ``{"fsync": "off"}`` in tests.
        shared_folder: Used when root starts the server, which then runs under an unprivileged account: it has the files
            that this account cannot reach in ``folder``.
    """

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    shared_folder: Path = Path("/var/lib/e2i_assets")

    def hold(self) -> ServerLease:
        """Join the server, and start it if it does not run yet.

        Raises:
            PostgresUnavailable: The server cannot be started or used; the message has the end of its log.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            files = ServerFiles(self.folder.resolve())
            # This lock comes first: a supervisor holds it until its server has stopped, so no second server starts.
            users = _locked_in_time(files.users_lock, "shared")
            try:
                port = self._running_port(files)
                password = files.password.read_text(encoding="ascii")
                return ServerLease(embedded_url(USER, password, port, DATABASE), users)
            except BaseException:
                os.close(users)
                raise
        except OSError as error:
            raise PostgresUnavailable(
                f"The embedded PostgreSQL in {self.folder} cannot be used: {error}.",
                "Check the owner of that folder and the free disk space, choose another place with E2I_STATE, "
                "or set E2I_DATABASE_URL to your own server.",
            ) from error

    def binary(self, name: str) -> Path:
        """Return the path of a client program such as ``psql`` or ``pg_dump``, of the server's version."""
        return client_program(name)

    def _running_port(self, files: ServerFiles) -> int:
        deadline = time.monotonic() + _WAIT_SECONDS
        start = _locked_in_time(files.folder / "start.lock", "exclusive")
        try:
            while time.monotonic() < deadline:
                supervisor = locked(files.folder / "keeper.lock", "exclusive", 0)
                if supervisor is not None:
                    try:
                        return start_server(files, self.settings, self.shared_folder, supervisor)
                    finally:
                        os.close(supervisor)
                port = files.port()
                if port is not None and answers(port, _SSL_REQUEST, _SSL_REPLIES):
                    return port
                time.sleep(0.05)  # the supervisor is about to end: its server crashed or is being stopped
        finally:
            os.close(start)
        raise _stuck(files)


def _locked_in_time(path: Path, mode: Literal["shared", "exclusive"]) -> int:
    descriptor = locked(path, mode, _WAIT_SECONDS)
    if descriptor is None:
        raise _stuck(ServerFiles(path.parent))
    return descriptor


def _stuck(files: ServerFiles) -> PostgresUnavailable:
    return PostgresUnavailable(
        f"The PostgreSQL server in {files.folder} has been starting or stopping for {_WAIT_SECONDS:.0f} seconds.",
        "Wait for it and try again, or set E2I_DATABASE_URL to your own server.",
        files.log,
    )


def locked(path: Path, mode: Literal["shared", "exclusive"], timeout: float) -> int | None:
    """Open and lock a file. The kernel frees the lock when its process ends, also after SIGKILL.

    Args:
        path: The lock file; created, readable by its owner only, if it does not exist.
        mode: ``shared`` with other shared holders, or ``exclusive``.
        timeout: Seconds to wait; 0 tries once.

    Returns:
        A descriptor that holds the lock until it is closed and that child programs do not inherit, or None after the
        timeout.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    operation = fcntl.LOCK_SH if mode == "shared" else fcntl.LOCK_EX
    deadline = time.monotonic() + timeout
    try:
        while not _try_lock(descriptor, operation):
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return None
            time.sleep(0.02)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _try_lock(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
