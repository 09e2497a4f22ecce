"""Start of a server under its supervisor; the caller holds the supervisor's lock."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from e2i_assets.adapters.postgres.account import server_environment
from e2i_assets.adapters.postgres.cluster import clear_leftovers, ensure_cluster
from e2i_assets.adapters.postgres.errors import PostgresUnavailable
from e2i_assets.adapters.postgres.home import PostgresHome, postgres_home
from e2i_assets.adapters.processes.log_tail import last_lines
from e2i_assets.adapters.processes.loopback import HOST, free_port

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_START_SECONDS = 60.0
_PORT_ATTEMPTS = 5
_PORT_TAKEN = "could not create any TCP/IP sockets"
_LOG_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """The files in the folder of an embedded server, besides the cluster."""

    folder: Path

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.folder / "postgres.log"

    @property
    def password(self) -> Path:
        """The superuser's password."""
        return self.folder / "password"

    @property
    def users_lock(self) -> Path:
        """The lock file that every user locks shared; without users, the supervisor locks it exclusively."""
        return self.folder / "users.lock"

    def port(self) -> int | None:
        """Return the port of the current or last server, or None."""
        file = self.folder / "port"
        return int(text) if file.exists() and (text := file.read_text(encoding="ascii")).isdecimal() else None

    def keep_port(self, port: int) -> None:
        """Store the port for other users and for the next start."""
        (self.folder / "port").write_text(str(port), encoding="ascii")


def start_server(files: ServerFiles, settings: Mapping[str, str], shared_folder: Path, supervisor_lock: int) -> int:
    """Start the server, after creating its cluster or cleaning up after a crash.

    Args:
        files: The server's folder, resolved and existing.
        settings: Server settings that differ from the defaults.
        shared_folder: For root; see ``postgres_home``.
        supervisor_lock: A descriptor with the exclusive supervisor lock, which the supervisor inherits.

    Returns:
        The port on which the server accepts connections.

    Raises:
        PostgresUnavailable: The server did not start.
    """
    home = postgres_home(files.folder, shared_folder)
    clear_leftovers(home.data)
    ensure_cluster(home, files.password, durable=settings.get("fsync") != "off")
    since = _log_size(files.log)
    preferred = files.port()
    for _ in range(_PORT_ATTEMPTS):
        port = free_port(preferred)
        files.keep_port(port)
        plan = _plan(home, files, {**settings, "port": str(port)})
        outcome = _launch(plan, supervisor_lock, files.log)
        if outcome == "ready":
            return port
        if not any(_PORT_TAKEN in line for line in last_lines(files.log, since)):
            break
        preferred, since = None, _log_size(files.log)  # another program has taken the port: try another one
    raise PostgresUnavailable(
        f"The PostgreSQL server in {files.folder} did not start: it {outcome}.",
        "Fix what its log names, or set E2I_DATABASE_URL to your own server.",
        files.log,
        since,
    )


def _plan(home: PostgresHome, files: ServerFiles, settings: Mapping[str, str]) -> dict[str, object]:
    loopback_only = {"listen_addresses": HOST, "unix_socket_directories": ""}
    options = [f"--{name}={value}" for name, value in {**settings, **loopback_only}.items()]
    return {
        "command": [str(home.binaries / "postgres"), "-D", str(home.data), *options],
        "environment": server_environment(),
        "uid": home.account.uid,
        "gid": home.account.gid,
        "pid_file": str(home.data / "postmaster.pid"),
        "users_lock": str(files.users_lock),
    }


def _log_size(log: Path) -> int:
    if not log.exists():
        return 0
    if log.stat().st_size > _LOG_BYTES:
        log.rename(log.with_suffix(".log.1"))
        return 0
    return log.stat().st_size


def _launch(plan: Mapping[str, object], supervisor_lock: int, log: Path) -> str:
    reading, writing = os.pipe()
    try:
        with log.open("ab") as output:
            subprocess.run(  # returns at once: the supervisor is a child of this process
                # Isolated and without site: it starts faster, and environment variables do not affect it.
                [sys.executable, "-I", "-S", _SUPERVISOR, json.dumps({**plan, "ready": writing})],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                pass_fds=(supervisor_lock, writing),
                start_new_session=True,  # Ctrl-C in the terminal must not reach the server
            )
        os.close(writing)
        writing = -1
        readable, _, _ = select.select([reading], [], [], _START_SECONDS)
        if not readable:
            return f"was not ready after {_START_SECONDS:.0f} seconds"
        return os.read(reading, 200).decode().strip() or "lost its supervisor"
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
