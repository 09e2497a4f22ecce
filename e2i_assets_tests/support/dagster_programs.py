"""A project run by Dagster's real daemon and webserver, and its observable state."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
import yaml
from quiet_port import quiet_port
from sklearn.datasets import load_breast_cancer

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.processes.loopback import HOST
from e2i_assets.adapters.processes.process_groups import end_groups
from e2i_assets.adapters.settings import Settings
from e2i_assets.cli.dagster_home import configuration_file, dagster_home
from e2i_assets.cli.run_one import dagster_instance

ROOT = Path(__file__).parents[2]
SCAN_SECONDS = 10
T = TypeVar("T")

CELLS = """\
name: {name}
owner: team:tests
source: {{csv: {name}.csv}}
target: {{name: kind, column: target, bins: [0], labels: [malignant, benign]}}
problem_type: binary_classification
columns: {{group: patient}}
algorithm: LogisticRegression
hpo: {{trials: {trials}}}
split: {{seed: {seed}}}
"""
TICKS = """query($name: String!) { sensorOrError(sensorSelector: {
    repositoryName: "__repository__", repositoryLocationName: "e2i_assets", sensorName: $name
}) { ... on Sensor { sensorState { ticks(limit: 50) { status skipReason runIds timestamp error { message } } } } } }"""


@dataclass
class Programs:
    """The project, and the programs that run on it.

    Attributes:
        settings: Settings of the project.
        database: Its database.
        environment: Environment variables of the programs, added to those of this process.
    """

    settings: Settings
    database: Database
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=quiet_port)
    _running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def all_environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("E2I_")}
        return {
            **kept,
            "E2I_HOME": str(self.settings.root),
            "E2I_STATE": str(self.settings.state),
            "E2I_DATABASE_URL": self.database.url,
            "E2I_CORES": "1",
            "E2I_PICTURES": "off",
            "E2I_SCAN_SECONDS": str(SCAN_SECONDS),
            "DAGSTER_HOME": str(dagster_home(self.settings)),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            **self.environment,
        }

    def start(self, name: str) -> None:
        """Start the daemon or the webserver in a separate process group."""
        graph = ["-w", str(configuration_file(self.settings, "workspace.yaml"))]
        command = {
            "daemon": ["-m", "dagster._daemon", "run", *graph],
            "webserver": ["-m", "e2i_assets.cli.dagster_ui", *graph, "-h", HOST, "-p", str(self.port)],
        }[name]
        log = (self.settings.root / f"{name}.log").open("ab")
        self._running[name] = subprocess.Popen(
            [sys.executable, *command],
            cwd=self.settings.root,
            env=self.all_environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()

    def kill(self, name: str, everything: bool) -> None:
        """Kill a program with SIGKILL, alone or with its descendants."""
        process = self._running.pop(name)
        if everything:
            end_groups([process.pid], 0)
        else:
            process.send_signal(signal.SIGKILL)
        process.wait()

    def end(self) -> None:
        """End all running programs with their descendants."""
        end_groups([process.pid for process in self._running.values()], 5)
        for process in self._running.values():
            process.wait()

    def ask(self, query: str, **variables: Any) -> Any:
        """Send a GraphQL query to the webserver."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"http://{HOST}:{self.port}/graphql", body, {"Content-Type": "application/json"}
        )
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=60) as answer:
            found = json.loads(answer.read())
        assert "errors" not in found, found
        return found["data"]

    def ticks(self, sensor: str) -> list[dict[str, Any]]:
        """The last ticks of a sensor, the newest first."""
        return list(self.ask(TICKS, name=sensor)["sensorOrError"]["sensorState"]["ticks"])

    def scans(self, sensor: str, times: int = 2, seconds: float = 600) -> list[dict[str, Any]]:
        """Wait for the given number of new sensor ticks, and return them."""
        began = time.time()

        def since() -> list[dict[str, Any]] | None:
            # A running tick began earlier and may not include the latest change.
            # On a busy machine a tick may time out; the next one evaluates again.
            ended = ("SKIPPED", "SUCCESS")
            done = [one for one in self.ticks(sensor) if one["timestamp"] > began and one["status"] in ended]
            return done if len(done) >= times else None

        return self.wait(since, seconds, f"{times} looks of {sensor}")

    def wait(self, ready: Callable[[], T | None], seconds: float, what: str) -> T:
        """Wait until `ready` returns a value, and return that value."""
        deadline = time.monotonic() + seconds
        while not (found := ready()):
            assert time.monotonic() < deadline, f"{what} is not there after {seconds} s: {self.state()}"
            time.sleep(0.5)
        return found

    def runs(self) -> list[dg.DagsterRun]:
        """All runs of experiments, the oldest first; those of `experiment_overview` have no partition."""
        with dagster_instance(self.settings) as instance:
            return [run for run in reversed(instance.get_runs()) if "dagster/partition" in run.tags]

    def finished(self, number: int, seconds: float = 900) -> list[dg.DagsterRun]:
        """Wait until there are `number` runs and all have ended."""

        def ended() -> list[dg.DagsterRun] | None:
            runs = self.runs()
            return runs if len(runs) >= number and all(run.is_finished for run in runs) else None

        return self.wait(ended, seconds, f"the end of {number} runs")

    def evaluations(self, run_id: str) -> dict[str, bool]:
        """Return the result of each check of a run."""
        with dagster_instance(self.settings) as instance:
            events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
            found = [event.get_dagster_event().asset_check_evaluation_data for event in events]
            return {one.check_name: one.passed for one in found}

    def materialised(self, run_id: str) -> list[str]:
        """Return the assets that a run materialised, in order."""
        with dagster_instance(self.settings) as instance:
            events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
            made = [event.asset_materialization for event in events]
            return [str(one.asset_key.path[-1]) for one in made if one is not None]

    def rows(self, query: str) -> list[Any]:
        """Rows of our own tables."""
        with self.database.connect() as connection:
            return list(connection.exec_driver_sql(query))

    def state(self) -> str:
        """Return the state of the programs for a failure message."""
        runs = [(run.tags.get("dagster/partition"), run.status.value, run.tags.get("e2i/cause")) for run in self.runs()]
        log = (self.settings.root / "daemon.log").read_text(errors="replace")[-3000:]
        return f"runs {runs}\n{log}"


def cells(rows: int) -> Any:
    """Return rows of the real cell data, two rows for each patient."""
    frame = load_breast_cancer(as_frame=True).frame.head(rows)
    return frame.assign(patient=[f"p{row // 2}" for row in range(len(frame))])


def write_experiment(root: Path, name: str, trials: int = 3, seed: int = 42, rows: int | None = 400) -> Path:
    """Write an experiment and, by default, its rows."""
    if rows is not None:
        cells(rows).to_csv(root / f"{name}.csv.new", index=False)
        (root / f"{name}.csv.new").replace(root / f"{name}.csv")
    path = root / "experiments" / f"{name}.yaml"
    path.write_text(CELLS.format(name=name, trials=trials, seed=seed))
    return path


def project_folder(root: Path) -> Path:
    """Make a project folder as a user has it, with short intervals in Dagster's settings."""
    (root / "experiments").mkdir(parents=True)
    (root / "workspace.yaml").write_text((ROOT / "workspace.yaml").read_text())
    settled = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    settled["run_monitoring"]["poll_interval_seconds"] = SCAN_SECONDS
    (root / "dagster.yaml").write_text(yaml.safe_dump(settled))
    return root
