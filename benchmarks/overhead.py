"""The cost of storing a trial: the durable, shared study of the product compared with Optuna's own storages.

The objective does almost nothing (5 parameters, 10 reports), so the storage is most of the measured time.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import optuna
import sqlalchemy as sa

from benchmarks import report
from e2i_assets.adapters.mlflow.tracked_run import TrackedRun
from e2i_assets.adapters.mlflow.tracker import Tracker
from e2i_assets.adapters.optuna_storage.storage import StudyStorage
from e2i_assets.adapters.optuna_storage.study_session import worker, written_regularly
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.embedded_postgres import EmbeddedPostgres
from e2i_assets.adapters.postgres.migrations import migrate
from e2i_assets.adapters.repositories.experiments import ExperimentRepository
from e2i_assets.adapters.repositories.studies import StudyRepository
from e2i_assets.adapters.repositories.study_rows import StudyRow
from e2i_assets.adapters.tracing.settings import TracingSettings
from e2i_assets.adapters.tracing.span_attributes import SEARCH
from e2i_assets.adapters.tracing.tracing import Tracing

PARAMETERS, REPORTS = 5, 10
PRUNERS: dict[str, Callable[[], optuna.pruners.BasePruner]] = {
    "none": optuna.pruners.NopPruner,
    "median": optuna.pruners.MedianPruner,
}
MEMORY, PLAIN, OURS = "Optuna in memory", "Optuna on PostgreSQL", "e2i_assets on PostgreSQL"


def objective(trial: optuna.Trial) -> float:
    """Sample the parameters, report, and return."""
    values = [trial.suggest_float(f"x{number}", 0, 1) for number in range(PARAMETERS)]
    for step in range(1, REPORTS + 1):
        trial.report(sum(values) * step, step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return sum(values)


@dataclass
class Timed:
    """A study, and the seconds of its trials so far."""

    study: optuna.Study
    seconds: float = 0.0
    cpu: float = 0.0
    trials: int = 0
    blocks: list[float] = field(default_factory=list)

    def run(self, trials: int) -> None:
        began, cpu = time.perf_counter(), time.process_time()
        self.study.optimize(objective, n_trials=trials)
        took = time.perf_counter() - began
        self.seconds, self.cpu = self.seconds + took, self.cpu + time.process_time() - cpu
        self.trials += trials
        self.blocks.append(1e3 * took / trials)

    def per_trial(self, total: float) -> float:
        return 1e3 * total / self.trials


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--blocks", type=int, default=10, help="the storages take turns, so many times")
    parser.add_argument("--out", type=Path, default=report.RESULTS / "overhead.md")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    machine = report.machine("optuna", "sqlalchemy", "psycopg2-binary", "mlflow")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        Path(folder).chmod(0o755)
        database = Database(stack.enter_context(EmbeddedPostgres(Path(folder) / "postgres").hold()).url)
        migrate(database, Path("sql"))
        commit, mlflow = durable_commit(database), mlflow_runs(database, Path(folder))
        rows, parts = [], []
        for pruner in PRUNERS:
            timed = alternated(database, pruner, options.trials, options.blocks)
            rows += [figures(pruner, name, one, timed[MEMORY], timed[PLAIN]) for name, one in timed.items()]
            parts.append(split(pruner, timed[OURS], mlflow[-1] / options.trials, commit))
        database.dispose()
        report.write(
            options.out,
            "Overhead of a trial",
            machine,
            [
                report.Table(
                    f"Milliseconds a trial: {options.trials} trials, {PARAMETERS} parameters, {REPORTS} reports",
                    ("pruner", "storage", "ms", "median block", "of them CPU here", "times memory", "of PostgreSQL's"),
                    rows,
                    "Random sampler; the storages take turns in one process, on one server with its default, durable "
                    "settings. e2i_assets: Optuna's tables and ours, the lock of the worker, the thread that writes "
                    "progress, and tracing on with a receiver that answers.",
                ),
                report.Table(
                    "Full overhead by part (ms a trial)",
                    ("pruner", "study", "MLflow run of the training", "together", "CPU here", "two durable commits"),
                    parts,
                    f"MLflow's run is logged once a training, so its cost is divided by {options.trials} trials: "
                    f"{mlflow[-1]:.2f} s, and {mlflow[0]:.2f} s for the first of a process, which imports MLflow. "
                    "The rest, neither CPU here nor commits, is the work of the server and the round trips.",
                ),
            ],
            "python -m benchmarks.overhead",
        )


def alternated(database: Database, pruner: str, trials: int, blocks: int) -> dict[str, Timed]:
    """Run the same search on each storage, alternating."""
    with ExitStack() as stack:
        made = {
            MEMORY: optuna.storages.InMemoryStorage(),
            PLAIN: optuna.storages.RDBStorage(database.url_for("optuna")),
            OURS: stack.enter_context(our_storage(database, pruner, trials)),
        }
        tracing = stack.enter_context(traced())
        timed = {
            name: Timed(
                optuna.create_study(
                    storage=storage,
                    study_name=f"{name}, {pruner}" if name != OURS else our_name(pruner),
                    direction="maximize",
                    sampler=optuna.samplers.RandomSampler(seed=1),
                    pruner=PRUNERS[pruner](),
                )
            )
            for name, storage in made.items()
        }
        for _ in range(blocks):
            for name, one in timed.items():
                if name == OURS:
                    with tracing.span(SEARCH, run_id="benchmark", parent=None) as span:
                        one.run(trials // blocks)
                        span.set({"n_trials": trials // blocks})
                else:
                    one.run(trials // blocks)
    return timed


def our_name(pruner: str) -> str:
    """Return the name of the study in the product's storage."""
    return f"overhead, {pruner}"


@contextmanager
def our_storage(database: Database, pruner: str, trials: int) -> Iterator[StudyStorage]:
    """Open the storage as a search of the product does."""
    name = our_name(pruner)
    study = StudyRow(
        study_name=name,
        spec_hash=name,
        experiment_id=ExperimentRepository(database).register("overhead", {"target": "y"}),
        split_id=None,
        data_hash="none",
        algorithm_name="none",
        problem_type="regression",
        sampler_name="random",
        pruner_name=pruner,
        metric="r2",
        seed=1,
        search_space={},
        fixed_params={},
        n_trials=trials,
    )
    study_id = StudyRepository(database).start(study)
    theirs = optuna.storages.RDBStorage(database.url_for("optuna"))
    with worker(database) as lock:
        storage = StudyStorage(database, theirs, study_id, trials, lock)
        with written_regularly(storage):
            yield storage


@contextmanager
def traced() -> Iterator[Tracing]:
    """Export traces to a receiver on this machine that accepts everything."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Write nothing to the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    tracing = Tracing(TracingSettings(endpoint=f"http://127.0.0.1:{server.server_port}"))
    try:
        yield tracing
    finally:
        tracing.shutdown()
        server.shutdown()
        server.server_close()
        thread.join()


def mlflow_runs(database: Database, folder: Path) -> list[float]:
    """Return the seconds of logging a training, for the first of this process and for a later one."""
    tracker = Tracker(database.url_for("mlflow"), (folder / "artifacts").as_uri(), database.advisory_lock)
    seconds = []
    for number in range(2):
        run = TrackedRun(
            experiment_name="overhead",
            run_key=f"run {number}",
            run_name=f"run {number}",
            params={f"hyperparameters.x{index}": index for index in range(20)},
            metrics={f"metric_{index}": index / 10 for index in range(30)},
            documents={"contract.json": {"values": list(range(100))}},
        )
        began = time.perf_counter()
        if tracker.log(run).run_id is None:
            raise RuntimeError("MLflow kept no run")
        seconds.append(time.perf_counter() - began)
    return seconds


def durable_commit(database: Database, times: int = 100) -> float:
    """Return the milliseconds of a small commit that waits for the disk."""
    with database.begin() as connection:
        connection.execute(sa.text("CREATE TABLE public.commits (number integer)"))
    took = 0.0
    for number in range(times):
        with database.connect() as connection:
            connection.execute(sa.text("INSERT INTO public.commits VALUES (:number)"), {"number": number})
            began = time.perf_counter()
            connection.commit()
            took += time.perf_counter() - began
    return 1e3 * took / times


def figures(pruner: str, name: str, one: Timed, memory: Timed, plain: Timed) -> list[object]:
    """Return a line of the first table."""
    took = one.per_trial(one.seconds)
    return [
        pruner,
        name,
        took,
        sorted(one.blocks)[len(one.blocks) // 2],
        one.per_trial(one.cpu),
        took / memory.per_trial(memory.seconds),
        took / plain.per_trial(plain.seconds),
    ]


def split(pruner: str, ours: Timed, mlflow: float, commit: float) -> list[object]:
    """Return a line of the second table."""
    took = ours.per_trial(ours.seconds)
    return [pruner, took, 1e3 * mlflow, took + 1e3 * mlflow, ours.per_trial(ours.cpu), 2 * commit]


if __name__ == "__main__":
    main()
