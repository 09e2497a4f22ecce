"""The cost of logging a training with the trials of its study to MLflow: one batch, or a nested run per trial."""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from benchmarks import report
from e2i_assets.adapters.mlflow.client import mlflow_client
from e2i_assets.adapters.mlflow.tracked_run import TrackedRun
from e2i_assets.adapters.mlflow.tracker import Tracker
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.embedded_postgres import EmbeddedPostgres
from e2i_assets.adapters.postgres.migrations import migrate
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.core.search.trials import TrialRecord
from e2i_assets.services.training_as_tracked_run import history, trial_rows

PARAMETERS = 7
EXPERIMENT = """
name: benchmark
owner: team:benchmarks
source: {csv: rows.csv}
target: left
problem_type: binary_classification
algorithm: XGBoost
"""


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--repeats", type=int, default=5, help="number of repeats; the report has their median")
    parser.add_argument(
        "--nested-up-to", type=int, default=100, help="largest number of trials with nested runs, which take minutes"
    )
    parser.add_argument("--out", type=Path, default=report.RESULTS / "tracking.md")
    options = parser.parse_args()
    machine = report.machine("mlflow", "sqlalchemy", "psycopg2-binary")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        Path(folder).chmod(0o755)
        database = Database(stack.enter_context(EmbeddedPostgres(Path(folder) / "postgres").hold()).url)
        migrate(database, Path("sql"))
        uri = database.url_for("mlflow")
        tracker = Tracker(uri, (Path(folder) / "artifacts").as_uri(), database.advisory_lock)
        client = mlflow_client(uri)
        logged(tracker, ())  # the first call of a process imports MLflow
        rows = []
        for trials in options.trials:
            rows += compared(tracker, client, trials, options.repeats, trials <= options.nested_up_to)
        database.dispose()
        report.write(
            options.out,
            "Cost of MLflow for a training with its trials",
            machine,
            [
                report.Table(
                    "Seconds to log a training, on PostgreSQL",
                    ("trials", "way", "s", "of them for the trials", "ms a trial", "times the batch"),
                    rows,
                    "The product logs one batch: a table of the trials and three curves in the run of the training. "
                    "Nested runs are logged in the cheapest way: created with their tags, one batch "
                    f"with {PARAMETERS} parameters and two metrics, ended. Median of {options.repeats} (of one for "
                    "nested runs). The aim is under 2 s for 100 trials.",
                )
            ],
            "python -m benchmarks.tracking",
        )


def compared(tracker: Tracker, client: MlflowClient, count: int, repeats: int, nest: bool) -> list[list[object]]:
    """Return a row for each method."""
    trials = made(count)
    bare = median(lambda: logged(tracker, ()), repeats)
    batch = median(lambda: logged(tracker, trials), repeats)
    ours = max(batch - bare, 1e-9)
    lines: list[list[object]] = [[count, "one batch", batch, ours, 1e3 * ours / count, 1.0]]
    if nest:
        nested = median(lambda: nested_runs(client, trials), 1)
        lines.append([count, "nested runs", bare + nested, nested, 1e3 * nested / count, nested / ours])
    return lines


def median(work: Callable[[], None], repeats: int) -> float:
    """Return the seconds of a call."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return sorted(seconds)[len(seconds) // 2]


def made(count: int) -> list[TrialRecord]:
    """Return trials as a study stores them."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        TrialRecord(
            number=number,
            state="COMPLETE",
            origin="sampler",
            sampled={f"x{index}": index / (number + 1) for index in range(PARAMETERS)},
            params={},
            value=0.5 + number / (2 * count),
            started_at=began + timedelta(seconds=number),
            completed_at=began + timedelta(seconds=number + 1),
        )
        for number in range(count)
    ]


def experiment() -> Experiment:
    """Return the study of the trials."""
    return parse_experiment(EXPERIMENT, "benchmark")


def logged(tracker: Tracker, trials: Sequence[TrialRecord]) -> None:
    """Log a training as in the product, without a model, whose cost is the same for both methods."""
    run = TrackedRun(
        experiment_name="e2i_benchmark",
        run_key=uuid4().hex,
        run_name="XGBoost",
        params={f"hp_x{index}": index for index in range(20)},
        metrics={f"test_{index}": index / 10 for index in range(40)},
        documents={"evaluation_summary.json": {"rows": 3}},
    )
    if trials:
        found = experiment()
        run = replace(run, tables={"trials.json": trial_rows(found, trials)}, history=history(found, trials))
    if tracker.log(run).run_id is None:
        raise RuntimeError("MLflow kept no run")


def nested_runs(client: MlflowClient, trials: Sequence[TrialRecord]) -> None:
    """Log each trial as a nested run of the training run."""
    (found,) = [one for one in client.search_experiments() if one.name == "e2i_benchmark"]
    parent = client.create_run(found.experiment_id).info.run_id
    for trial in trials:
        run = client.create_run(found.experiment_id, tags={"mlflow.parentRunId": parent}, run_name="trial")
        now = 1_000
        client.log_batch(
            run.info.run_id,
            metrics=[Metric("value", float(trial.value or 0.0), now, 0), Metric("seconds", 1.0, now, 0)],
            params=[Param(name, str(value)) for name, value in trial.sampled.items()],
            tags=[RunTag("state", trial.state)],
        )
        client.set_terminated(run.info.run_id)
    client.set_terminated(parent)


if __name__ == "__main__":
    main()
