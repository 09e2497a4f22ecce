"""A second process that searches the same study, and Dagster's daemon and webserver, which faults may kill."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import search_program
from dagster_programs import Programs

from drills.faults import Scene, external
from drills.moments import Moment
from drills.project import NAME, StartedRun, kill
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings

_LONGEST_TOGETHER = 3.0
_ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


def other_worker_killed(scene: Scene) -> None:
    """Let a second process work on the study, as another machine would, and kill that process."""
    command = [sys.executable, search_program.__file__, scene.own.url, str(scene.project.state), NAME]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()
        time.sleep(scene.source.uniform(0, _LONGEST_TOGETHER))
        worker.kill()


def before_the_study(source: random.Random) -> Moment:
    """Return the moment just before the study begins."""
    return Moment("validation_splits", source.uniform(0, 1))


class RunByItself(StartedRun):
    """A run that Dagster's daemon starts for a new experiment, and the programs that manage it."""

    def __init__(self, programs: Programs, process: "subprocess.Popen[bytes]", log: Path) -> None:
        super().__init__(process, log, log, speaks_to_a_person=False)
        self._programs = programs

    def is_over(self) -> bool:
        statuses = self._statuses()
        return bool(statuses) and statuses <= _ENDED

    def wait(self, seconds: float) -> int:
        """Wait until the experiment is trained, and end the programs; return 0 if it was trained."""
        deadline = time.monotonic() + seconds
        while not (done := "SUCCESS" in self._statuses() and self.is_over()):
            if time.monotonic() > deadline:
                self.ended_in_time = False
                break
            time.sleep(1)
        self._programs.end()
        return 0 if done else 1

    def _statuses(self) -> set[str]:
        # In SQL, because a Dagster instance would take its address from the environment of the tests.
        return {row.status for row in self._programs.rows("SELECT status FROM dagster.runs")}


@dataclass
class ServedScene(Scene):
    """A project run by Dagster's programs."""

    programs: Programs | None = None

    @property
    def served(self) -> Programs:
        assert self.programs is not None
        return self.programs

    def started(self) -> StartedRun:
        """Start the daemon, which then finds a new experiment."""
        self.served.start("daemon")
        return RunByItself(self.served, self.served._running["daemon"], self.project.root / "daemon.log")


@contextmanager
def with_daemon(template: Path, source: random.Random) -> Iterator[Scene]:
    """Yield a project on its PostgreSQL, run by Dagster's daemon."""
    with external(template, source) as scene:
        settings = Settings(scene.project.root, scene.project.state, scene.own.url)
        programs = Programs(settings, Database(scene.own.url), {"E2I_CORES": "2"})
        try:
            yield ServedScene(scene.project, source, scene.server, programs=programs)
        finally:
            programs.end()
            programs.database.dispose()


@contextmanager
def with_daemon_and_webserver(template: Path, source: random.Random) -> Iterator[Scene]:
    """Yield the same project, with a webserver as well."""
    with with_daemon(template, source) as scene:
        assert isinstance(scene, ServedScene)
        scene.served.start("webserver")
        yield scene


def daemon_killed(scene: Scene) -> None:
    """Kill the daemon, alone or with all its descendants and the process of the run, and restart it."""
    assert isinstance(scene, ServedScene)
    process = scene.served._running["daemon"]
    with_its_runs = scene.source.random() < 0.5
    daemon = psutil.Process(process.pid)
    kill([daemon, *(daemon.children(recursive=True) if with_its_runs else [])])
    process.wait()
    scene.served.start("daemon")


def webserver_killed(scene: Scene) -> None:
    """Kill the webserver with all its descendants, and restart it."""
    assert isinstance(scene, ServedScene)
    process = scene.served._running["webserver"]
    webserver = psutil.Process(process.pid)
    kill([webserver, *webserver.children(recursive=True)])
    process.wait()
    scene.served.start("webserver")
