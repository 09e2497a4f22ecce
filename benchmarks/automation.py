"""What it costs to be looked after: the real daemon and webserver on 1,000 experiments, with 200 runs waiting.

Everything is as in production. A backfill from the UI fills the queue, while the sensors find all the new files.
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
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sklearn.datasets import load_breast_cancer

from benchmarks import report
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.embedded_postgres import EmbeddedPostgres
from e2i_assets.adapters.postgres.migrations import migrate
from e2i_assets.adapters.processes.loopback import HOST, free_port
from e2i_assets.adapters.processes.process_groups import end_groups
from e2i_assets.adapters.settings import Settings
from e2i_assets.adapters.workspace import Workspace
from e2i_assets.commands.run_one import dagster_instance
from e2i_assets.commands.service_list import Ports, service_list
from e2i_assets.defs.partitions import EXPERIMENTS

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
# Every connection but the one that asks.
CONNECTIONS = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
)
RUNS = sa.text("SELECT status, count(*) FROM dagster.runs GROUP BY status")


@dataclass
class Watching:
    """Samples, taken twice a second: connections to PostgreSQL by how many runs go on at that moment."""

    database: Database
    stop: threading.Event = field(default_factory=threading.Event)
    samples: list[tuple[int, int]] = field(default_factory=list)

    def look(self) -> None:
        with self.database.connect() as connection:
            while not self.stop.wait(0.5):
                count = int(connection.execute(CONNECTIONS).scalar_one())
                runs = Counter(dict(connection.execute(RUNS).all()))
                connection.rollback()
                self.samples.append((runs["STARTED"], count))


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=1000)
    parser.add_argument("--queued", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=12.0, help="at most so long until the queue is full")
    parser.add_argument("--out", type=Path, default=report.RESULTS / "automation.md")
    options = parser.parse_args()
    described = report.machine("dagster", "dagster-postgres", "sqlalchemy")
    with project(options.experiments) as found, programs(found) as address:
        watching = Watching(found.database)
        thread = threading.Thread(target=watching.look, daemon=True)
        thread.start()
        names = [f"cells_{number:04d}" for number in range(options.queued + 10)]
        answering(address, options.minutes)
        with dagster_instance(found.settings) as instance:
            instance.add_dynamic_partitions(EXPERIMENTS, [f"cells_{one:04d}" for one in range(options.experiments)])
        fetched(address, BACKFILL, names=names, assets=[{"path": [name]} for name in ASSETS])
        queued = filled(found, options.queued, options.minutes)
        full = time.time()
        pages = {name: [fetched(address, query) for _ in range(8)] for name, query in PAGES.items()}
        time.sleep(100)
        watching.stop.set()
        thread.join()
        tables = [
            ticks(found, full),
            pages_table(pages, queued, options.experiments),
            connections_table(watching.samples),
        ]
    title = f"What it costs to look after {options.experiments:,} experiments, with {queued} runs waiting"
    report.write(options.out, title, described, tables, "python -m benchmarks.automation")


@contextmanager
def project(experiments: int) -> Iterator[Workspace]:
    """Make a project folder with so many experiments, on an embedded PostgreSQL with its default settings."""
    with tempfile.TemporaryDirectory(prefix="e2i-automation-") as scratch:
        root = Path(scratch)
        root.chmod(0o755)
        for name in ("sql", "dagster.yaml", "workspace.yaml"):
            (root / name).symlink_to(ROOT / name)
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
            yield Workspace(Settings(root, root / ".e2i", database.url), database)
            database.dispose()


@contextmanager
def programs(found: Workspace) -> Iterator[str]:
    """Start the daemon and the webserver as `e2i up` does, and return where the latter answers."""
    port = free_port()
    services = [one for one in service_list(found, HOST, Ports(port, 0, 0)) if one.name.startswith("dagster")]
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


def filled(found: Workspace, wanted: int, minutes: float) -> int:
    """Wait until so many runs wait, and return how many do."""
    deadline = time.monotonic() + 60 * minutes
    while True:
        with found.database.connect() as connection:
            runs = Counter(dict(connection.execute(RUNS).all()))
        if runs["QUEUED"] >= wanted or time.monotonic() > deadline:
            return runs["QUEUED"]
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
    """Return how many seconds an answer takes."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    began = time.perf_counter()
    with direct.open(request, timeout=120) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    assert "errors" not in found, found
    return time.perf_counter() - began


def ticks(found: Workspace, full: float) -> report.Table:
    """Return how long the looks took, as the daemon keeps it: the decision, and making the runs that it asks for."""
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
        "Seconds from the begin of a look to its end, in the daemon: reading, deciding, and making the runs that it "
        "asks for, at most 3 at a time. The first looks read each of the experiment files for the first time."
    )
    columns = ("sensor", "when", "looks", "median s", "longest s", "most runs made")
    return report.Table("A look of a sensor", columns, rows, notes)


def pages_table(pages: dict[str, list[float]], queued: int, experiments: int) -> report.Table:
    """Return how long the UI waits for what it asks."""
    rows = [(name, seconds[0], statistics.median(seconds[1:]), max(seconds[1:])) for name, seconds in pages.items()]
    notes = (
        f"What the browser asks the webserver for, answered over HTTP, with {experiments:,} partitions, {queued} runs "
        "waiting and others going on beside it."
    )
    return report.Table("The UI", ("page", "first s", "median s", "longest s"), rows, notes)


def connections_table(samples: list[tuple[int, int]]) -> report.Table:
    """Return how many connections there are while so many runs go on."""
    by_runs: dict[int, list[int]] = {}
    for runs, count in samples:
        by_runs.setdefault(runs, []).append(count)
    rows = [(runs, len(counts), statistics.median(counts), max(counts)) for runs, counts in sorted(by_runs.items())]
    notes = "Daemon, webserver, their code servers and the runs together, looked at twice a second."
    return report.Table("Connections to PostgreSQL", ("runs at a time", "samples", "median", "most"), rows, notes)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
