"""A PostgreSQL that the product treats as external, and in which a drill can cause faults."""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg2
import sqlalchemy as sa
from quiet_port import quiet_port

from drills.project import copied, gone
from e2i_assets.adapters.postgres.account import server_account, server_environment
from e2i_assets.adapters.postgres.address import libpq_url
from e2i_assets.adapters.postgres.binaries import binaries_for, client_program
from e2i_assets.adapters.postgres.cluster import DATABASE, USER
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.processes.loopback import HOST

_READY_SECONDS = 60
_SHARED = Path("/var/lib/e2i_assets")


@dataclass
class OwnServer:
    """A server on the loopback address, which keeps its port after a restart.

    Attributes:
        template: The prepared cluster that it was copied from.
        folder: Contains the cluster ``data`` and its ``password``.
        settings: Server settings that differ from the defaults.
        database: Name of the project's database.
        prefix: Command before that of the server, such as one that enters a namespace and changes the account.
    """

    template: Path
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    database: str = DATABASE
    port: int = field(default_factory=quiet_port)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        password = (self.folder / "password").read_text()
        return f"postgresql+psycopg2://{USER}:{password}@{HOST}:{self.port}/{self.database}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        """Start the server and wait until it answers; retry while processes of a killed server still exist."""
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            if self._process is None or self._process.poll() is not None:
                self._process = self._launched()
            with suppress(psycopg2.OperationalError):
                self.connected().close()
                return
            assert time.monotonic() < deadline, (self.folder / "server.log").read_text()[-3000:]
            time.sleep(0.1)

    def connected(self) -> "psycopg2.extensions.connection":
        """Open a separate connection for the drill."""
        return psycopg2.connect(libpq_url(self.url), connect_timeout=5)

    def _launched(self) -> "subprocess.Popen[bytes]":
        account = server_account(self.template / "data")
        options = {**self.settings, "port": str(self.port), "listen_addresses": HOST, "unix_socket_directories": ""}
        program = str(binaries_for(account, _SHARED) / "postgres")
        command = [program, "-D", str(self.data), *(f"--{name}={value}" for name, value in options.items())]
        changes = account.uid is not None and not self.prefix
        with (self.folder / "server.log").open("ab") as log:
            return subprocess.Popen(
                [*self.prefix, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=server_environment(),
                user=account.uid if changes else None,
                group=account.gid if changes else None,
                extra_groups=[] if changes else None,
            )

    def postmaster(self) -> psutil.Process:
        """Return the postmaster of the server."""
        assert self._process is not None
        return psutil.Process(self._process.pid)

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def end(self, number: signal.Signals) -> None:
        """Send a signal to the server (SIGKILL to all its processes), and wait until all processes have ended."""
        if self._process is None or self._process.poll() is not None:
            return
        everything = [self.postmaster(), *self.postmaster().children(recursive=True)]
        for process in everything if number == signal.SIGKILL else everything[:1]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        self._process.wait(60)
        gone(everything[1:], 20)


@contextmanager
def own_server(template: Path, folder: Path, settings: dict[str, str]) -> Iterator[OwnServer]:
    """Yield a server on a copy of a prepared cluster; it ends and is deleted with the block."""
    copied(template, folder)
    server = OwnServer(template, folder, settings)
    try:
        server.start()
        yield server
    finally:
        server.end(signal.SIGINT)
        if server.is_alive():
            server.end(signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def copy_of(running: Database, database: str) -> Iterator[OwnServer]:
    """Yield a server on a copy of a running server's cluster, and open one of its databases."""
    folder = Path(tempfile.mkdtemp(prefix="e2i-copy-"))
    folder.chmod(0o755)
    account = server_account(folder / "data")
    account.own(folder)
    (folder / "password").write_text(str(sa.make_url(running.url).password))
    backup = [client_program("pg_basebackup"), "-d", libpq_url(running.url), "-D", folder / "data"]
    copying = account.run([*backup, "--checkpoint=fast", "--no-sync"])
    assert copying.returncode == 0, copying.stdout
    server = OwnServer(folder, folder, {"fsync": "off"})
    try:
        server.start()
        with closing(server.connected()) as connection:
            connection.autocommit = True
            connection.cursor().execute(f"ALTER DATABASE {database} WITH ALLOW_CONNECTIONS true")
        server.database = database
        yield server
    finally:
        server.end(signal.SIGINT)
        shutil.rmtree(folder, ignore_errors=True)
