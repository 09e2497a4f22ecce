"""The peak memory of a study by the size of its rows, from the stored rows to the last trial.

One process creates and writes the rows, another one searches; the operating system reports its peak. A line through the
two largest sizes gives the cost of a row and a constant: Python, the libraries, and what they allocate once (XGBoost
for its histograms of deep trees, LightGBM for the 200,000 rows from which it computes its bins).
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import report
from e2i_assets.adapters.files import asset_values
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts, SplitTables
from e2i_assets.core.data.splits import Role
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from

ALGORITHMS = ("XGBoost", "LightGBM")
SIZES = (10_000, 100_000, 1_000_000)
NUMBERS, COUNTS, CATEGORIES = 24, 4, 2
FEATURES = NUMBERS + COUNTS + CATEGORIES
MIB = 2**20


def experiment_of(algorithm: str, trials: int) -> Experiment:
    """Return the experiment; it has few rounds, because the size of a model is not measured."""
    return experiment_from(
        {
            "name": "memory",
            "owner": "team:benchmarks",
            "source": {"parquet": "made.parquet"},
            "target": "outcome",
            "problem_type": "binary_classification",
            "algorithm": algorithm,
            "hpo": {"trials": trials, "workers": 1},
            "fixed": {"n_estimators": 20},
        },
        "memory",
    )


def table(rows: int, seed: int) -> pd.DataFrame:
    """Create numbers in double precision with missing values, counts, and categories as text."""
    random = np.random.default_rng(seed)
    columns: dict[str, Any] = {f"number_{i}": random.normal(size=rows) for i in range(NUMBERS)}
    columns["number_0"][::17] = np.nan
    columns |= {f"count_{i}": random.integers(0, 500, rows) for i in range(COUNTS)}
    columns |= {f"place_{i}": random.choice(["north", "south", "east", "west"], rows) for i in range(CATEGORIES)}
    columns["outcome"] = columns["number_1"] + columns["count_0"] / 250 + random.normal(size=rows) > 1
    return pd.DataFrame(columns)


def written(rows: int, folder: Path) -> None:
    """Write a split with this number of train and validation rows, as `validation_splits` does."""
    parts: dict[Role, int] = {"train": rows * 3 // 4, "validation": rows // 4, "test": 100, "holdout": 100}
    tables = {role: table(count, seed) for seed, (role, count) in enumerate(parts.items())}
    facts = SplitFacts(
        experiment="memory",
        problem_type="binary_classification",
        target="outcome",
        features=tuple(name for name in tables["test"] if name != "outcome"),
        classes=(False, True),
        data_hash="0" * 64,
        split_hash="0" * 64,
        search_hash="0" * 64,
        strategy="stratified",
        seed=42,
        counts=parts,
        left_out=0,
    )
    asset_values.write(SplitTables(facts, tables), folder)


def searched(algorithm: str, folder: Path, trials: int) -> dict[str, float]:
    """Read the rows as `hpo_study` does, search, and return the peak in MiB after each step."""
    import optuna

    from e2i_assets.core.search import tuning
    from e2i_assets.core.search.study import search

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    experiment = experiment_of(algorithm, trials)
    peaks = {"started": peak()}
    rows: SearchRows = asset_values.read(SearchRows, folder)
    peaks["read"] = peak()
    objective = tuning.objective(experiment, rows)
    peaks["prepared"] = peak()
    result = search(objective, tuning.plan(experiment, "benchmark"), optuna.storages.InMemoryStorage())
    if result.count("FAIL"):
        raise SystemExit(f"{result.count('FAIL')} trials failed")
    return peaks | {"searched": peak()}


def peak() -> float:
    """Return the peak memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB


def measured(algorithm: str, rows: int, trials: int, scratch: Path) -> dict[str, float]:
    """Return the peaks of a search on this number of rows."""
    folder = scratch / f"rows_{rows}"
    command = [sys.executable, "-m", "benchmarks.peak_memory", "--trials", str(trials)]
    if not folder.exists():
        subprocess.run([*command, "--write", str(rows), str(folder)], check=True)
    found = subprocess.run(
        [*command, "--search", algorithm, str(folder)], check=True, capture_output=True, text=True
    ).stdout
    peaks: dict[str, float] = json.loads(found)
    return peaks


def lines(algorithm: str, trials: int, scratch: Path) -> list[list[object]]:
    """Return a row of figures for each size."""
    sizes = [rows * FEATURES * 4 / MIB for rows in SIZES]
    peaks = [measured(algorithm, rows, trials, scratch) for rows in SIZES]
    ends = [each["searched"] for each in peaks]
    slope = (ends[-1] - ends[-2]) / (sizes[-1] - sizes[-2])
    constant = ends[-1] - slope * sizes[-1]
    stages = [[each[name] for name in ("started", "read", "prepared", "searched")] for each in peaks]
    return [
        [algorithm, f"{rows:,}", data, *stage, constant, slope]
        for rows, data, stage in zip(SIZES, sizes, stages, strict=True)
    ]


def main() -> None:
    """Measure every size with every algorithm and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--algorithms", nargs="+", default=ALGORITHMS)
    parser.add_argument("--write", nargs=2, metavar=("ROWS", "FOLDER"), help=argparse.SUPPRESS)
    parser.add_argument("--search", nargs=2, metavar=("ALGORITHM", "FOLDER"), help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=report.RESULTS / "peak_memory.md")
    options = parser.parse_args()
    if options.write:
        return written(int(options.write[0]), Path(options.write[1]))
    if options.search:
        return print(json.dumps(searched(options.search[0], Path(options.search[1]), options.trials)))
    with tempfile.TemporaryDirectory() as scratch:
        rows = [row for name in options.algorithms for row in lines(name, options.trials, Path(scratch))]
    columns = ["algorithm", "rows", "data as float32, MiB", "peak at the start, MiB", "read", "prepared", "searched"]
    columns += ["constant, MiB", "sizes of the data above it"]
    report.write(
        options.output,
        "Peak memory of a study",
        report.machine("xgboost", "lightgbm", "pandas", "pyarrow"),
        [
            report.Table(
                f"{FEATURES} features ({NUMBERS} numbers, {COUNTS} counts, {CATEGORIES} categories as text), "
                f"{options.trials} trials, one worker",
                columns,
                rows,
                "Rows are those of train and validation. The peak is at most the constant plus that many times the "
                "size of the data as float32. Aim: at most 2.",
            )
        ],
        command=f".venv/bin/python -m benchmarks.peak_memory --trials {options.trials}",
    )


if __name__ == "__main__":
    main()
