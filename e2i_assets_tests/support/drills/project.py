"""A small experiment in a separate project folder, and `e2i run` on it as a user starts it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml
from sklearn.datasets import load_diabetes

from e2i_assets.adapters.postgres.cluster import DATABASE, USER
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.embedded_postgres import EmbeddedPostgres
from e2i_assets.adapters.postgres.launch import ServerFiles
from e2i_assets.adapters.processes.loopback import HOST
from e2i_assets.adapters.settings import Settings, from_environment
from e2i_assets.services.project import Project

REPOSITORY = Path(__file__).parents[3]
NAME = "sugar"
BUDGET = 12
SCAN_SECONDS = 10
# Trials take a quarter of a second, so that many random moments are within one; everything else is quick.
SUGAR = f"""\
name: {NAME}
owner: team:tests
source: {{csv: {NAME}.csv}}
target: target
problem_type: regression
algorithm: LightGBM
hpo: {{trials: {BUDGET}, workers: 2, objective: cross_validation}}
"""


@dataclass
class StartedRun:
    """A process of `e2i run`, and its output."""

    process: "subprocess.Popen[bytes]"
    said: Path
    complained: Path
    ended_in_time: bool = True
    speaks_to_a_person: bool = True

    def is_over(self) -> bool:
        """Whether the process has ended."""
        return self.process.poll() is not None

    def everything(self) -> list[psutil.Process]:
        """Return the process and all its living descendants."""
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def child(self) -> psutil.Process | None:
        """The process in which the graph of the experiment runs."""
        found = [one for one in self.everything()[1:] if "e2i_assets.cli.run_one" in " ".join(one.cmdline())]
        return found[0] if found else None

    def wait(self, seconds: float) -> int:
        """Wait for the end and return the exit status; a process that does not end in time is killed and reported."""
        everything = self.everything()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.ended_in_time = False
            kill(self.everything())
            self.process.wait()
        # Its child processes may end a second later.
        kill(gone(everything[1:], 20))
        return self.process.returncode

    def last_words(self) -> str:
        """Return the last lines of the output."""
        return "\n".join(self.complained.read_text(errors="replace").splitlines()[-12:])


@dataclass(frozen=True)
class DrillProject:
    """A project folder with one experiment, on the embedded PostgreSQL or on a separate server.

    Attributes:
        root: The folder.
        url: URL of the separate server; None for the embedded one.
        environment: Environment variables of every run, added to those of a shell in this folder.
    """

    root: Path
    url: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        return self.root / ".e2i"

    @property
    def all_environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("E2I_")}
        own = {} if self.url is None else {"E2I_DATABASE_URL": self.url}
        return {**kept, "E2I_HOME": str(self.root), "E2I_CORES": "2", "COLUMNS": "200", **own, **self.environment}

    def settings(self, url: str | None = None) -> Settings:
        """Return the settings of its runs, with the URL of the database."""
        return from_environment({**self.all_environment, **({} if url is None else {"E2I_DATABASE_URL": url})})

    def has_value(self, asset: str) -> bool:
        """Return whether an asset has been materialised."""
        settings = self.settings()
        return settings.store.exists(settings.value_key(asset, NAME))

    def started(self) -> StartedRun:
        """Start `e2i run` as a shell does, in a new process group."""
        number = len(list(self.root.glob("*.out")))
        said, complained = self.root / f"{number}.out", self.root / f"{number}.err"
        with said.open("wb") as out, complained.open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "e2i_assets.cli.main", "run", NAME, "--json"],
                cwd=self.root,
                env=self.all_environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        return StartedRun(process, said, complained)

    def address(self) -> str | None:
        """Return the URL of the database without keeping the embedded server alive; None if there is none."""
        if self.url is not None:
            return self.url
        files = ServerFiles(self.state / "postgres")
        port = files.port()
        if port is None or not files.password.exists():
            return None
        return f"postgresql+psycopg2://{USER}:{files.password.read_text()}@{HOST}:{port}/{DATABASE}"

    @contextmanager
    def open(self) -> Iterator[Project]:
        """Open the project like a program of the product; its embedded server is started if it does not run."""
        hold = None if self.url is not None else EmbeddedPostgres(self.state / "postgres").hold()
        database = Database(self.url if hold is None else hold.url)
        try:
            yield Project(self.settings(database.url), database)
        finally:
            database.dispose()
            if hold is not None:
                hold.close()


@contextmanager
def drill_folder() -> Iterator[Path]:
    """Yield a folder with the experiment; PostgreSQL's account can reach it even if root creates it."""
    folder = Path(tempfile.mkdtemp(prefix="e2i-drill-"))
    folder.chmod(0o755)
    (folder / "experiments").mkdir()
    (folder / "experiments" / f"{NAME}.yaml").write_text(SUGAR)
    load_diabetes(as_frame=True).frame.to_csv(folder / f"{NAME}.csv", index=False)
    settled = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())
    settled["run_monitoring"]["poll_interval_seconds"] = SCAN_SECONDS
    (folder / "dagster.yaml").write_text(yaml.safe_dump(settled))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def prepared() -> Iterator[Path]:
    """Yield a folder with a migrated and stopped embedded cluster, which every round copies."""
    with drill_folder() as folder:
        project = DrillProject(folder)
        migrate = [sys.executable, "-m", "e2i_assets.cli.main", "db", "migrate"]
        subprocess.run(migrate, cwd=folder, env=project.all_environment, check=True, capture_output=True)
        at_rest(folder)
        yield folder / ".e2i" / "postgres"


def at_rest(folder: Path) -> None:
    """Wait until the embedded server of a folder has stopped after its last user."""
    pid_file = folder / ".e2i" / "postgres" / "data" / "postmaster.pid"
    for process in psutil.process_iter(["name"]):
        if pid_file.exists() and process.info["name"] == "postgres":
            with suppress(psutil.Error, ValueError, IndexError, FileNotFoundError):
                if process.pid == int(pid_file.read_text().split()[0]):
                    process.wait(30)


def copied(cluster: Path, place: Path) -> None:
    """Copy a stopped cluster with its owners and modes."""
    place.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", str(cluster), str(place)], check=True)


def kill(processes: list[psutil.Process]) -> None:
    """Kill processes with SIGKILL, and wait until they are gone."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    gone(processes, 10)


def gone(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until processes have ended, and return those that have not.

    Not psutil's wait: it would take the exit status of our own children away from their Popen.
    """
    deadline = time.monotonic() + seconds
    while (living := [one for one in processes if _lives(one)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return living


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
