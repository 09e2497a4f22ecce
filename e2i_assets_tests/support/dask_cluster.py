"""A Dask scheduler and its workers as separate processes on loopback, each with a separate database URL."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from quiet_port import quiet_port

from e2i_assets.adapters.processes.loopback import HOST
from e2i_assets.adapters.settings import DATABASE_URL

_QUIET = {"DASK_DISTRIBUTED__WORKER__DAEMON": "False", "OMP_NUM_THREADS": "1", "E2I_CORES": "1"}


@dataclass
class Cluster:
    """A scheduler, and the workers that were started."""

    address: str
    folder: Path
    stack: ExitStack
    workers: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def worker(self, name: str, database_url: str | None, **environment: str) -> "subprocess.Popen[bytes]":
        """Start a worker of one thread, without a nanny: a killed worker is not restarted."""
        told = {**os.environ, **_QUIET, **environment}
        told.pop(DATABASE_URL, None)
        if database_url is not None:
            told[DATABASE_URL] = database_url
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", HOST, "--name", name]
        options += ["--local-directory", str(self.folder), "--memory-limit", "0"]
        process = self.stack.enter_context(
            _running(["worker", self.address, *options], self.folder / f"{name}.log", told)
        )
        self.workers[name] = process
        return process


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start a scheduler; everything ends with the context."""
    port = quiet_port()
    told = {**os.environ, **_QUIET}
    options = ["scheduler", "--host", HOST, "--port", str(port), "--no-dashboard"]
    with ExitStack() as stack:
        stack.enter_context(_running(options, folder / "scheduler.log", told))
        deadline = time.monotonic() + 60
        while not _listens(port):
            assert time.monotonic() < deadline, (folder / "scheduler.log").read_text()
            time.sleep(0.1)
        yield Cluster(f"tcp://{HOST}:{port}", folder, stack)


def _listens(port: int) -> bool:
    import socket

    with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


@contextmanager
def _running(arguments: list[str], log: Path, environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as stream:
        command = [sys.executable, "-m", "dask", *arguments]
        process = subprocess.Popen(command, stdout=stream, stderr=stream, env=environment)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
