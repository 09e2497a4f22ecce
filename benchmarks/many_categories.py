"""Boosters on categories with many values: their native splits on codes, compared with the mean target of each value.

Both encodings, and the table without these categories, are fitted with the default parameters and early stopping on the
validation rows. Metrics are those of the test rows.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import corpus, report
from e2i_assets.core.algorithms import registry
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting import many_categories
from e2i_assets.core.fitting.fit_context import Rows, fit_context, target_codes
from e2i_assets.core.metrics import metric
from e2i_assets.core.search import tuning

DATA_SETS = ("covid_testing", "hotel_adr", "mlc_churn")
ALGORITHMS = ("LightGBM", "XGBoost")
VALUES = (200, 1000, 5000)
ROWS = 20_000


def synthetic(values: int, kind: str, seed: int) -> pd.DataFrame:
    """Return a table with a category of this many values, with frequencies as in a list of towns or diagnoses.

    The target depends on the value, on a number, and on a number whose effect differs between the values.
    """
    draw = np.random.default_rng(seed)
    shares = 1 / (np.arange(values) + 10)
    code = draw.choice(values, ROWS, p=shares / shares.sum())
    noise = draw.choice(values, ROWS)
    x = draw.normal(size=(ROWS, 4))
    level, slope = draw.normal(size=(2, values))
    signal = level[code] + x[:, 0] + 0.5 * slope[code] * x[:, 1] + x[:, 2] * (x[:, 3] > 0)
    target = signal + 1.5 * draw.normal(size=ROWS)
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(4)])
    frame["code"] = pd.Series(code).map("v{:05d}".format)
    frame["noise"] = pd.Series(noise).map("n{:05d}".format)
    frame["target"] = target if kind == "regression" else np.where(target > 1, "yes", "no")
    return frame


def problems(folder: Path, names: tuple[str, ...], seed: int) -> Iterator[tuple[str, Experiment, Any, Rows]]:
    """Yield the name of each problem, its experiment, its train and validation rows, and its test rows."""
    for name in names:
        yield name, *corpus.problem_with_test(folder, name, "LightGBM", None, split={"seed": seed})
    for kind in ("binary", "regression"):
        for values in VALUES:
            name = f"{kind}_{values}"
            frame = synthetic(values, kind, seed)
            experiment = corpus.experiment_of(
                pd.Series({"problem_type": kind}), name, "LightGBM", split={"seed": seed}, target="target"
            )
            yield name, experiment, *corpus.searched_and_test(frame, experiment)


def scored(experiment: Experiment, rows: Any, test: Rows, algorithm: str) -> tuple[float, float]:
    """Return the metric on the test rows, higher is better, and the CPU seconds of preparation and fit."""
    chosen = registry.algorithm(algorithm)
    judge, classes = metric(experiment.metric, experiment.problem_type), rows.facts.classes
    began = time.process_time()
    context = fit_context(chosen, rows.facts.task, rows.train, rows.validation, classes)
    parameters = {**chosen.default_values, "n_estimators": chosen.rounds_cap, **chosen.fixed_values}
    fit = context.fit(parameters, patience=tuning.patience(experiment))
    seconds = time.process_time() - began
    value = judge.score(target_codes(test.target, classes), context.on(fit, test))
    return (value if judge.greater_is_better else -value), seconds


def scored_on_codes(experiment: Experiment, rows: Any, test: Rows, algorithm: str) -> tuple[float, float]:
    """Return the same for a booster that gets every category as codes, as it does where there are few values."""
    limit = many_categories.FEW_VALUES
    many_categories.FEW_VALUES = sys.maxsize
    try:
        return scored(experiment, rows, test, algorithm)
    finally:
        many_categories.FEW_VALUES = limit


def without(rows: Any, test: Rows) -> tuple[Any, Rows]:
    """Return the rows without the categories that have many values."""
    found = rows.train.features
    many = [
        name
        for name in found
        if not pd.api.types.is_numeric_dtype(found[name]) and found[name].nunique() > many_categories.FEW_VALUES
    ]
    train, validation, less = (
        Rows(one.features.drop(columns=many), one.target) for one in (rows.train, rows.validation, test)
    )
    return replace(rows, train=train, validation=validation), less


def compared(folder: Path, names: tuple[str, ...], seed: int) -> Iterator[list[Any]]:
    """Yield the lines of the report."""
    for name, experiment, rows, test in problems(folder, names, seed):
        for algorithm in ALGORITHMS:
            codes, slow = scored_on_codes(experiment, rows, test, algorithm)
            target, fast = scored(experiment, rows, test, algorithm)
            absent, _ = scored(experiment, *without(rows, test), algorithm)
            spread = 1.0 if rows.facts.classes else float(np.std(test.target))
            yield [name, algorithm, seed, absent, codes, target, (target - codes) / spread, fast / slow]


def main() -> None:
    """Measure every problem with every booster and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", help="folder of the data sets; default E2I_CORPUS")
    parser.add_argument("--data-sets", nargs="*", default=DATA_SETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=(42, 7, 1))
    parser.add_argument("--output", type=Path, default=report.RESULTS / "many_categories.md")
    options = parser.parse_args()
    folder = corpus.folder(options.corpus)
    lines = [line for seed in options.seeds for line in compared(folder, tuple(options.data_sets), seed)]
    by_problem = pd.DataFrame(lines).groupby([0, 1], sort=False)[[3, 4, 5, 6, 7]].mean().reset_index()
    summary = [
        ["problems and boosters with a better mean by target", f"{(by_problem[6] > 0).sum()} of {len(by_problem)}"],
        ["gain of target over codes, mean", float(by_problem[6].mean())],
        ["worst loss", float(by_problem[6].min())],
        ["CPU, geometric mean", report.geometric_mean(by_problem[7])],
    ]
    columns = ["problem", "algorithm", "without", "codes", "target", "gain", "CPU, target / codes"]
    report.write(
        options.output,
        "Categories with many values in boosters",
        report.machine("xgboost", "lightgbm", "scikit-learn"),
        [
            report.Table("Summary", ["figure", "value"], summary),
            report.Table(
                f"Means over the seeds {', '.join(map(str, options.seeds))}",
                columns,
                by_problem.to_numpy().tolist(),
                f"Synthetic problems are named by their kind and number of values, and have {ROWS:,} rows. Values are "
                "those of the test rows, oriented: higher is better, an RMSE is negated; its gain is in standard "
                "deviations of the test target.",
            ),
        ],
        command=".venv/bin/python -m benchmarks.many_categories",
    )


if __name__ == "__main__":
    main()
