"""The services to which a run reports: MLflow's server and a trace receiver, which can die or hang."""

import os
import random
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
from quiet_port import quiet_port

from drills.faults import Scene, external
from drills.moments import Moment
from drills.project import kill
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.processes.loopback import HOST
from e2i_assets.adapters.processes.services import Service
from e2i_assets.adapters.settings import Settings
from e2i_assets.cli.service_list import Ports, service_list
from e2i_assets.services.project import Project

_READY_SECONDS = 120


@dataclass
class MlflowServer:
    """MLflow's server as `e2i up` starts it, on the project's database."""

    service: Service
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self.process = subprocess.Popen(
            self.service.command,
            env={**os.environ, **self.service.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        direct, deadline = (
            urllib.request.build_opener(urllib.request.ProxyHandler({})),
            time.monotonic() + _READY_SECONDS,
        )
        while time.monotonic() < deadline:
            with suppress(OSError), direct.open(f"{self.service.address}/health", timeout=5):
                return
            time.sleep(0.2)
        raise AssertionError(f"MLflow's server did not start in {_READY_SECONDS} s")

    def signalled(self, number: signal.Signals) -> None:
        """Send a signal to the server and all its workers."""
        for process in self._everything():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def kill(self) -> None:
        """Kill the server with all its workers."""
        kill(self._everything())
        if self.process is not None:
            self.process.wait()

    def _everything(self) -> list[psutil.Process]:
        if self.process is None or self.process.poll() is not None:
            return []
        server = psutil.Process(self.process.pid)
        return [server, *server.children(recursive=True)]


@dataclass
class MlflowScene(Scene):
    """A project that logs to an MLflow server."""

    mlflow: MlflowServer | None = None

    @property
    def server_of_mlflow(self) -> MlflowServer:
        assert self.mlflow is not None
        return self.mlflow


@contextmanager
def with_mlflow(template: Path, source: random.Random) -> Iterator[Scene]:
    """Yield a project on a separate PostgreSQL, with an MLflow server."""
    with external(template, source) as scene:
        settings = Settings(scene.project.root, scene.project.state)
        project = Project(settings, Database(scene.own.url))
        services = service_list(project, HOST, Ports(quiet_port(), quiet_port(), quiet_port()))
        (service,) = [one for one in services if one.name == "mlflow"]
        server = MlflowServer(service)
        try:
            server.start()
            there = replace(scene.project, environment={"E2I_MLFLOW_TRACKING_URI": service.address})
            yield MlflowScene(there, source, scene.server, mlflow=server)
        finally:
            server.kill()


def mlflow_killed(scene: Scene) -> None:
    """Kill the MLflow server; it is restarted before the next run."""
    assert isinstance(scene, MlflowScene)
    scene.server_of_mlflow.kill()
    scene.afterwards.append(scene.server_of_mlflow.start)


def mlflow_hangs(scene: Scene) -> None:
    """Freeze the MLflow server, which still accepts connections; it continues before the next run."""
    assert isinstance(scene, MlflowScene)
    server = scene.server_of_mlflow
    server.signalled(signal.SIGSTOP)
    scene.afterwards.append(lambda: server.signalled(signal.SIGCONT))


def during_logging(source: random.Random) -> Moment:
    """Return a random moment after the start of the training, while MLflow receives data."""
    return Moment("best_hyperparameters", source.uniform(0, 9))


@dataclass
class ReceiverScene(Scene):
    """A project that exports its traces."""

    receiver: ThreadingHTTPServer | None = None
    silent: threading.Event | None = None


@contextmanager
def with_receiver(template: Path, source: random.Random) -> Iterator[Scene]:
    """Yield a project on its PostgreSQL, with a trace receiver."""
    silent, over = threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if silent.is_set():
                over.wait(60)
            with suppress(OSError):
                self.send_response(200)
                self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Write nothing to the terminal."""

    receiver = ThreadingHTTPServer((HOST, 0), Handler)
    receiver.daemon_threads = True
    thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    with external(template, source) as scene:
        environment = {"E2I_TRACING_ENDPOINT": f"http://{HOST}:{receiver.server_port}", "E2I_TRACING_TRIALS": "1"}
        there = replace(scene.project, environment=environment)
        try:
            yield ReceiverScene(there, source, scene.server, receiver=receiver, silent=silent)
        finally:
            over.set()
            receiver.shutdown()
            receiver.server_close()
            thread.join()


def receiver_gone(scene: Scene) -> None:
    """Close the trace receiver for good."""
    assert isinstance(scene, ReceiverScene)
    assert scene.receiver is not None
    scene.receiver.shutdown()
    scene.receiver.server_close()


def receiver_hangs(scene: Scene) -> None:
    """Let the trace receiver accept requests without answering."""
    assert isinstance(scene, ReceiverScene)
    assert scene.silent is not None
    scene.silent.set()
