"""The cost of limits on trials: the same study with fits in threads of the search and in child processes.

Both lines sample the same configurations (one worker, one seed) and must end with the same values, which is checked.
The start of the child process is counted separately: once for each worker, and again after each terminated trial.
"""

import argparse
import statistics
import time
from pathlib import Path

import optuna

from benchmarks import report
from e2i_assets.adapters.sources import datasets
from e2i_assets.adapters.trial_processes.limited import objective_within_limits
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from, read_mapping
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study import search

ROOT = Path(__file__).parents[1]
LIMITS = {"trial_seconds": 600, "trial_memory_mb": 8000}


def problem(rows: int, trials: int, limited: bool) -> tuple[Experiment, SearchRows]:
    """Return the shipped experiment on this number of its rows."""
    raw = read_mapping((ROOT / "experiments" / "rand_visits.yaml").read_text(encoding="utf-8"), "rand_visits")
    raw["hpo"] = {**raw.get("hpo", {}), "trials": trials, "workers": 1, **(LIMITS if limited else {})}
    experiment = experiment_from(raw, "rand_visits")
    frame = datasets.load(experiment.source, ROOT, {}).sample(rows, random_state=0)
    features = [name for name in frame.columns if name not in {experiment.target.column, *experiment.columns.drop}]
    cut = int(0.75 * rows)
    facts = SplitFacts(
        experiment=experiment.name, problem_type="regression", target=experiment.target.column,
        features=tuple(features), classes=(), data_hash="d" * 64, split_hash="e" * 64, search_hash="f" * 64,
        strategy="random", seed=42, left_out=0,
        counts={"train": cut, "validation": rows - cut, "test": 0, "holdout": 0},
    )  # fmt: skip
    return experiment, SearchRows(facts, facts.rows(frame.iloc[:cut]), facts.rows(frame.iloc[cut:]))


def timed(rows: int, trials: int, limited: bool) -> tuple[float, float, list[float | None]]:
    """Run one study; return the seconds before its first trial and for all trials, and the values."""
    experiment, data = problem(rows, trials, limited)
    began = time.perf_counter()
    with objective_within_limits(experiment, data) as objective_until:
        ready = time.perf_counter()
        result = search(objective_until, tuning.plan(experiment, "b" * 64), optuna.storages.InMemoryStorage())
        ended = time.perf_counter()
    return ready - began, ended - ready, [trial.value for trial in result.trials]


def main() -> None:
    """Alternate the measurements and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rows_of = [measured(rows, options) for rows in (1_000, 16_000)]
    columns = [
        "rows",
        "ms a trial, no limit",
        "ms a trial, limits",
        "ratio (median)",
        "s before the first",
        "with limits",
    ]
    table = report.Table("LightGBM, one worker, the same trials", columns, rows_of)
    report.write(
        report.RESULTS / "trial_limits.md",
        "Cost of limits on trials",
        report.machine("optuna", "lightgbm"),
        [table],
        "python -m benchmarks.trial_limits",
    )


def measured(rows: int, options: argparse.Namespace) -> list[object]:
    """Return the row of the table for this number of rows of data."""
    free: list[tuple[float, float]] = []
    kept: list[tuple[float, float]] = []
    for _ in range(options.repetitions):
        start, seconds, values = timed(rows, options.trials, limited=False)
        free.append((start, seconds))
        start, seconds, others = timed(rows, options.trials, limited=True)
        kept.append((start, seconds))
        if values != others:
            raise SystemExit("a limit changed a value")
    ratio = statistics.median(there[1] / here[1] for here, there in zip(free, kept, strict=True))
    milliseconds = [min(seconds for _, seconds in found) / options.trials * 1000 for found in (free, kept)]
    return [rows, *milliseconds, ratio, *(min(start for start, _ in found) for found in (free, kept))]


if __name__ == "__main__":
    main()
