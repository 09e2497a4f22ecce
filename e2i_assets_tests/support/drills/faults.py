"""The faults of the drills: each function causes a fault during a run and ends it."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg2

from drills.postgres import OwnServer, own_server
from drills.project import DrillProject, StartedRun, copied, drill_folder, kill

MOST_CONNECTIONS = 40


@dataclass
class Scene:
    """The parts of a run that a fault may affect.

    Attributes:
        project: The project, in a separate folder.
        run: The running `e2i run`.
        source: Source of the random choices.
        server: The project's PostgreSQL if it is not the embedded one.
        afterwards: Actions that undo the fault after the run, before the next one.
    """

    project: DrillProject
    source: random.Random
    server: OwnServer | None = None
    run: StartedRun | None = None
    afterwards: list[Callable[[], object]] = field(default_factory=list)

    def started(self) -> StartedRun:
        """Start the run that the fault is to interrupt."""
        return self.project.started()

    @property
    def under_way(self) -> StartedRun:
        assert self.run is not None
        return self.run

    @property
    def own(self) -> OwnServer:
        assert self.server is not None
        return self.server


Fault = Callable[[Scene], None]


@contextmanager
def embedded(template: Path, source: random.Random) -> Iterator[Scene]:
    """Yield a project on its embedded PostgreSQL."""
    with drill_folder() as folder:
        copied(template, folder / ".e2i" / "postgres")
        yield Scene(DrillProject(folder), source)


@contextmanager
def external(template: Path, source: random.Random) -> Iterator[Scene]:
    """Yield a project on a separate PostgreSQL."""
    settings = {"max_connections": str(MOST_CONNECTIONS)}
    with drill_folder() as folder, own_server(template, folder / "server", settings) as server:
        yield Scene(DrillProject(folder, server.url), source, server)


# Faults of the programs of a run.


def run_killed(scene: Scene) -> None:
    """Kill `e2i run` and all its descendants at once."""
    kill(scene.under_way.everything())


def command_killed(scene: Scene) -> None:
    """Kill the command only: the process with the graph must end without it."""
    kill(scene.under_way.everything()[:1])


def process_killed(scene: Scene) -> None:
    """Kill the process with the graph: the command must report this."""
    child = scene.under_way.child()
    kill([] if child is None else [child])


# Faults of the embedded PostgreSQL.


def postmaster_killed(scene: Scene) -> None:
    """Kill the postmaster; the other processes of the server end when they notice."""
    kill([_postmaster(scene.project)])


def supervisor_killed(scene: Scene) -> None:
    """Kill the supervisor of the server: the server shuts down cleanly during the run."""
    parent = _postmaster(scene.project).parent()
    assert parent is not None
    kill([parent])


def backend_killed(scene: Scene) -> None:
    """Kill the process of one connection: PostgreSQL ends all connections and recovers as after a crash."""
    first = _postmaster(scene.project) if scene.server is None else scene.own.postmaster()
    backends = [one for one in first.children() if "idle" in _title(one) or "127.0.0.1(" in _title(one)]
    kill([scene.source.choice(backends)] if backends else [])


def _postmaster(project: DrillProject) -> psutil.Process:
    pid_file = project.state / "postgres" / "data" / "postmaster.pid"
    return psutil.Process(int(pid_file.read_text().split()[0]))


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


# Faults of an external PostgreSQL.


def server_killed(scene: Scene) -> None:
    """Kill every process of the server, and restart it a little later."""
    _restarted(scene, signal.SIGKILL)


def server_stopped(scene: Scene) -> None:
    """Stop the server in fast mode, as an administrator does, and restart it a little later."""
    _restarted(scene, signal.SIGINT)


def _restarted(scene: Scene, number: signal.Signals) -> None:
    scene.own.end(number)
    time.sleep(scene.source.uniform(0, 3))
    scene.own.start()


def out_of_connections(scene: Scene) -> None:
    """Use up all remaining connections for some seconds."""
    seconds = scene.source.uniform(1, 8)
    taken = list(_connections(scene.own))
    time.sleep(seconds)
    for connection in taken:
        connection.close()


def _connections(server: OwnServer) -> Iterator[psycopg2.extensions.connection]:
    """Connect until the server has no more connections."""
    while True:
        try:
            yield server.connected()
        except psycopg2.OperationalError as error:
            if "connection slots" in str(error) or "too many clients" in str(error):
                return
            raise


_LOCKED = [
    "SELECT 1 FROM e2i.ml_hpo_studies FOR UPDATE",
    "SELECT 1 FROM e2i.ml_experiments FOR UPDATE",
    "LOCK TABLE e2i.ml_hpo_studies IN ACCESS EXCLUSIVE MODE",
    "LOCK TABLE e2i.ml_hpo_trials IN ACCESS EXCLUSIVE MODE",
    "LOCK TABLE optuna.trials IN ACCESS EXCLUSIVE MODE",
    "LOCK TABLE e2i.ml_training_runs IN ACCESS EXCLUSIVE MODE",
]


def lock_held(scene: Scene) -> None:
    """Lock a row or a table that the run needs for some seconds."""
    statement, seconds = scene.source.choice(_LOCKED), scene.source.uniform(2, 8)
    connection = scene.own.connected()
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
        time.sleep(seconds)
    finally:
        connection.close()
