"""The cost of automation: the real daemon and webserver with 1,000 experiments and 200 queued runs.

All settings are those of production. A backfill from the UI fills the queue, while the sensors find all the new files.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import sqlalchemy as sa
from sklearn.datasets import load_breast_cancer

from benchmarks import report
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.embedded_postgres import EmbeddedPostgres
from e2i_assets.adapters.postgres.migrations import migrate
from e2i_assets.adapters.processes.loopback import HOST, free_port
from e2i_assets.adapters.processes.process_groups import end_groups
from e2i_assets.adapters.repositories.experiments import ExperimentRepository
from e2i_assets.adapters.repositories.monitoring import SourceStateRepository
from e2i_assets.adapters.repositories.run_requests import RunRequestRepository
from e2i_assets.adapters.settings import Settings
from e2i_assets.adapters.sources.fingerprints import Fingerprints
from e2i_assets.cli.run_one import dagster_instance
from e2i_assets.cli.service_list import Ports, service_list
from e2i_assets.core.experiments.source_section import Source
from e2i_assets.defs.launched_runs import sync_launched_runs, under_way
from e2i_assets.defs.namespace import EXPERIMENTS
from e2i_assets.services.automation.changed_data import DataScanner
from e2i_assets.services.automation.new_experiments import ExperimentScanner
from e2i_assets.services.project import Project

ROOT = Path(__file__).parents[1]
SENSORS = ("new_experiments", "changed_data", "drifted_data")
EXPERIMENT = """\
name: {name}
owner: team:benchmark
source: {{csv: rows/{name}.csv}}
target: {{name: kind, column: target, bins: [0], labels: [malignant, benign]}}
problem_type: binary_classification
algorithm: LogisticRegression
hpo: {{trials: 8}}
"""
ASSET_PAGE = """{ assetNodeOrError(assetKey: {path: ["trained_model"]}) { ... on AssetNode {
    partitionStats { numMaterialized numPartitions numFailed numMaterializing }
    partitionKeysByDimension { name partitionKeys }
    assetPartitionStatuses { ... on DefaultPartitionStatuses { materializedPartitions failedPartitions
        materializingPartitions unmaterializedPartitions } }
    assetMaterializations(limit: 25) { timestamp partition }
    assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } } } } }"""
GRAPH_PAGE = """{ assetNodes { assetKey { path } groupName kinds
    partitionStats { numMaterialized numPartitions numFailed numMaterializing }
    assetMaterializations(limit: 1) { timestamp } } }"""
BACKFILL = """mutation($names: [String!]!, $assets: [AssetKeyInput!]!) { launchPartitionBackfill(backfillParams: {
    assetSelection: $assets, partitionNames: $names }) { __typename } }"""
ASSETS = (
    *("dataset", "validation_splits", "warm_start", "hpo_study", "best_hyperparameters"),
    *("trained_model", "champion_model", "hpo_pattern_memory"),
)
RUNS_PAGE = """{ runsOrError(limit: 30) { ... on Runs { results { id status jobName tags { key value } } } } }"""
PAGES = {"the page of an asset": ASSET_PAGE, "the graph of all assets": GRAPH_PAGE, "the list of runs": RUNS_PAGE}
# All connections except the one of this query.
CONNECTIONS = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


@dataclass
class ConnectionSamples:
    """Samples, twice a second, of the number of connections to PostgreSQL by the number of running runs."""

    database: Database
    instance: dg.DagsterInstance
    stop: threading.Event = field(default_factory=threading.Event)
    samples: list[tuple[int, int]] = field(default_factory=list)

    def run(self) -> None:
        with self.database.connect() as connection:
            while not self.stop.wait(0.5):
                count = int(connection.execute(CONNECTIONS).scalar_one())
                connection.rollback()
                self.samples.append((runs_in(self.instance, dg.DagsterRunStatus.STARTED), count))


def runs_in(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> int:
    """Return the number of runs with a status."""
    return instance.get_runs_count(dg.RunsFilter(statuses=[status]))


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=1000)
    parser.add_argument("--queued", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=12.0, help="at most so long until the queue is full")
    parser.add_argument("--scans-only", action="store_true", help="without the daemon and the webserver")
    parser.add_argument("--out", type=Path, default=report.RESULTS / "automation.md")
    options = parser.parse_args()
    described = report.machine("dagster", "dagster-postgres", "sqlalchemy")
    with project(options.experiments) as found:
        tables = [scans(found, options.experiments, options.queued)]
        title = f"Cost of monitoring {options.experiments:,} experiments with {options.queued} waiting runs"
        if not options.scans_only:
            tables += with_programs(found, options.experiments, options.queued, options.minutes)
    command = "python -m benchmarks.automation" + (" --scans-only" if options.scans_only else "")
    report.write(options.out, title, described, tables, command)


def scans(found: Project, experiments: int, queued: int) -> report.Table:
    """Measure one scan of both sensors, without launching the requested runs."""
    experiment_scanner = ExperimentScanner()
    data_scanner = DataScanner(Fingerprints(found.settings.root, os.environ))
    rows: list[tuple[object, ...]] = []

    def scan_experiments() -> None:
        sync_launched_runs(instance, found)
        scan = experiment_scanner.scan(found)
        set(scan.active) - set(instance.get_dynamic_partitions(EXPERIMENTS))

    def scan_rows() -> None:
        sync_launched_runs(instance, found)
        cursors.append(data_scanner.scan(found, under_way(instance, found), cursors[-1]).last)

    def measured(sensor: str, what: str, scan: Callable[[], None], times: int) -> None:
        walls, cpus = [], []
        for _ in range(times):
            wall, cpu = time.perf_counter(), time.process_time()
            scan()
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
        rows.append((sensor, what, times, statistics.median(walls), max(walls), statistics.median(cpus), max(cpus)))

    cursors = [""]
    with dagster_instance(found.settings) as instance:
        first = 1 + experiments * 9 // 1000
        measured("new_experiments", "files never read before", scan_experiments, first)
        while len(RunRequestRepository(found.database).last("new_experiment")) < experiments:
            scan_experiments()
        names = [row.experiment_name for row in ExperimentRepository(found.database).list()]
        instance.add_dynamic_partitions(EXPERIMENTS, names)
        for name in names[:queued]:
            tags = {"dagster/partition": name}
            status = dg.DagsterRunStatus.NOT_STARTED
            instance.add_run(dg.DagsterRun("tune_and_train", run_id=str(uuid4()), status=status, tags=tags))
        with found.database.begin() as connection:
            connection.exec_driver_sql("UPDATE ml_run_requests SET status = 'not_needed'")
        measured("new_experiments", "nothing changed", scan_experiments, 10)
        changed = found.settings.experiments / f"{names[-1]}.yaml"
        changed.write_text(changed.read_text() + "split: {seed: 1}\n")
        measured("new_experiments", "one file changed", scan_experiments, 1)
        for name in names:
            source = Source(csv=f"rows/{name}.csv")
            SourceStateRepository(found.database).read(name, data_scanner.fingerprints.fingerprint(source))
        measured("changed_data", "nothing changed", scan_rows, 10)
        with (found.settings.root / "rows" / f"{names[-2]}.csv").open("a") as file:
            file.write("1,1,1,1,1,1,1\n")
        measured("changed_data", "one file changed", scan_rows, 1)
    notes = (
        "One process, a whole tick without the creation of its runs. CPU is that of this process; the rest is "
        "PostgreSQL and waiting for a core. A scan reads new files for about a second, and the next one continues "
        "with the rest."
    )
    columns = ("sensor", "what it finds", "scans", "median s", "longest s", "median CPU s", "most CPU s")
    return report.Table("A scan, in process", columns, rows, notes)


def with_programs(found: Project, experiments: int, wanted: int, minutes: float) -> list[report.Table]:
    """Measure with Dagster's daemon and webserver, while four runs are running."""
    with dagster_instance(found.settings) as instance, programs(found) as address:
        for run in instance.get_runs():  # the programs of the measured scans
            instance.delete_run(run.run_id)
        watching = ConnectionSamples(found.database, instance)
        thread = threading.Thread(target=watching.run, daemon=True)
        thread.start()
        names = [f"cells_{number:04d}" for number in range(wanted + 10)]
        answering(address, minutes)
        fetched(address, BACKFILL, names=names, assets=[{"path": [name]} for name in ASSETS])
        queued = filled(instance, wanted, minutes)
        full = time.time()
        pages = {name: [fetched(address, query) for _ in range(8)] for name, query in PAGES.items()}
        time.sleep(100)
        watching.stop.set()
        thread.join()
        return [ticks(found, full), pages_table(pages, queued, experiments), connections_table(watching.samples)]


@contextmanager
def project(experiments: int) -> Iterator[Project]:
    """Create a project folder with this number of experiments, on an embedded PostgreSQL with its default settings."""
    with tempfile.TemporaryDirectory(prefix="e2i-automation-") as scratch:
        root = Path(scratch)
        root.chmod(0o755)
        for name in ("experiments", "rows"):
            (root / name).mkdir()
        cells = load_breast_cancer(as_frame=True).frame.iloc[:, [0, 1, 2, 3, 4, 5, -1]]
        for number in range(experiments):
            name = f"cells_{number:04d}"
            cells.sample(300, random_state=number).to_csv(root / "rows" / f"{name}.csv", index=False)
            (root / "experiments" / f"{name}.yaml").write_text(EXPERIMENT.format(name=name))
        with EmbeddedPostgres(root / ".e2i" / "postgres").hold() as hold:
            database = Database(hold.url)
            migrate(database, ROOT / "sql")
            os.environ.update(E2I_HOME=str(root), E2I_DATABASE_URL=database.url, E2I_STATE=str(root / ".e2i"))
            yield Project(Settings(root, root / ".e2i", database.url), database)
            database.dispose()


@contextmanager
def programs(found: Project) -> Iterator[str]:
    """Start the daemon and the webserver as `e2i up` does, and return the URL of the webserver."""
    port = free_port()
    services = [
        one
        for one in service_list(found, HOST, Ports(port, free_port(), free_port()))
        if one.name.startswith("dagster")
    ]
    started = []
    for one in services:
        with (found.settings.root / f"{one.name}.log").open("wb") as log:
            environment = {**os.environ, **one.environment, "E2I_CORES": "1"}
            command = subprocess.Popen(
                one.command, env=environment, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )
        started.append(command)
    try:
        yield f"http://{HOST}:{port}/graphql"
    finally:
        end_groups([one.pid for one in started], 5)
        for one in started:
            one.wait()


def filled(instance: dg.DagsterInstance, wanted: int, minutes: float) -> int:
    """Wait until this number of runs is queued, and return the number of queued runs."""
    deadline = time.monotonic() + 60 * minutes
    while True:
        queued = runs_in(instance, dg.DagsterRunStatus.QUEUED)
        if queued >= wanted or time.monotonic() > deadline:
            return queued
        time.sleep(2)


def answering(address: str, minutes: float) -> None:
    """Wait until the webserver answers."""
    deadline = time.monotonic() + 60 * minutes
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            fetched(address, "{ version }")
            return
        time.sleep(1)


def fetched(address: str, query: str, **variables: Any) -> float:
    """Return the seconds of a request."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    began = time.perf_counter()
    with direct.open(request, timeout=120) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    assert "errors" not in found, found
    return time.perf_counter() - began


def ticks(found: Project, full: float) -> report.Table:
    """Return the duration of each scan as the daemon records it: the decision, and the launch of the requested runs."""
    rows = []
    with dagster_instance(found.settings) as instance:
        for state in instance.all_instigator_state():
            name = state.instigator_name
            if name not in (*SENSORS, "follow_ups"):
                continue
            taken = [
                (tick.timestamp, tick.tick_data.end_timestamp - tick.timestamp, len(tick.run_ids))
                for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id)
                if tick.tick_data.end_timestamp
            ]
            for when, some in (
                ("while the queue fills", [one for one in taken if one[0] < full]),
                ("with a full queue", [one for one in taken if one[0] >= full]),
            ):
                if some:
                    seconds = sorted(one[1] for one in some)
                    runs = max(one[2] for one in some)
                    rows.append((name, when, len(some), statistics.median(seconds), seconds[-1], runs))
    notes = (
        "Seconds from the start of a scan to its end, in the daemon: reading, deciding, and creating the requested "
        "runs, at most 3 at a time. The first scans read each experiment file for the first time."
    )
    columns = ("sensor", "when", "scans", "median s", "longest s", "most runs made")
    return report.Table("A scan of a sensor", columns, rows, notes)


def pages_table(pages: dict[str, list[float]], queued: int, experiments: int) -> report.Table:
    """Return the response times of the UI."""
    rows = [(name, seconds[0], statistics.median(seconds[1:]), max(seconds[1:])) for name, seconds in pages.items()]
    notes = (
        f"What the browser asks the webserver for, answered over HTTP, with {experiments:,} partitions, {queued} runs "
        "waiting and others going on beside it."
    )
    return report.Table("The UI", ("page", "first s", "median s", "longest s"), rows, notes)


def connections_table(samples: list[tuple[int, int]]) -> report.Table:
    """Return the number of connections by the number of running runs."""
    by_runs: dict[int, list[int]] = {}
    for runs, count in samples:
        by_runs.setdefault(runs, []).append(count)
    rows = [(runs, len(counts), statistics.median(counts), max(counts)) for runs, counts in sorted(by_runs.items())]
    notes = "Daemon, webserver, their code servers and the runs together, sampled twice a second."
    return report.Table("Connections to PostgreSQL", ("runs at a time", "samples", "median", "most"), rows, notes)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
