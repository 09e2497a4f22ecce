"""The gain of native categorical splits of boosters, compared with splits between the codes of the sorted labels.

Both use the same random configurations, with early stopping and without pruning, and report the best on validation.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from benchmarks import corpus, report
from e2i_assets.core.algorithms.prepared_data import Binned
from e2i_assets.core.fitting.fit_context import FitContext
from e2i_assets.core.search import tuning
from e2i_assets.core.search.goals import goals
from e2i_assets.core.search.objective import Objective
from e2i_assets.core.search.schemes import OnValidation
from e2i_assets.core.search.study import search

DATA_SETS = ("meps_insured", "covid_testing", "mlc_churn", "credit_data", "attrition", "lending_club", "hpc_class")
FURTHER = ("wage", "california", "bank_marketing")
ALGORITHMS = ("XGBoost", "LightGBM")


def searched(experiment: Any, made: FitContext) -> tuple[float, float]:
    """Return the best value, higher is better, and the CPU seconds of all fits."""

    def objective(deadline: float) -> Objective:
        return Objective(
            OnValidation(made),
            goals(experiment),
            experiment.search_space(),
            tuning.defaults(experiment),
            tuning.fixed(experiment),
            tuning.patience(experiment),
            deadline=deadline,
        )

    began = time.process_time()
    result = search(objective, tuning.plan(experiment, "benchmark"), optuna.storages.InMemoryStorage())
    if result.best is None or result.best.value is None:
        raise SystemExit(f"{experiment.name}: {result.stop_reason}")
    return result.best.value, time.process_time() - began


def compared(folder: Path, name: str, algorithm: str, seed: int, trials: int) -> list[Any]:
    """Return a line of the report: both values, the gain and the cost."""
    hpo = {"trials": trials, "seed": seed, "sampler": "random", "workers": 1, "pruner": "none"}
    experiment, rows = corpus.problem(folder, name, algorithm, hpo=hpo, split={"seed": seed})
    native = tuning.experiment_fit_context(experiment, rows.facts, rows.train, rows.validation)
    codes = replace(native, prepared_data=replace(native.prepared_data, categories=(), binned=Binned()))
    spread = 1.0 if rows.facts.classes else float(np.std(rows.validation.target))
    (best, seconds), (best_codes, seconds_codes) = searched(experiment, native), searched(experiment, codes)
    gain, ratio = (best - best_codes) / spread, seconds / seconds_codes
    return [name, algorithm, seed, len(native.prepared_data.categories), best, best_codes, gain, ratio]


def main() -> None:
    """Measure every data set with every booster and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", help="folder of the data sets; default E2I_CORPUS")
    parser.add_argument("--data-sets", nargs="+", default=DATA_SETS + FURTHER)
    parser.add_argument("--trials", type=int, default=15)
    parser.add_argument("--seeds", nargs="+", type=int, default=(42, 7))
    parser.add_argument("--output", type=Path, default=report.RESULTS / "categories.md")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder = corpus.folder(options.corpus)
    lines = [
        compared(folder, name, algorithm, seed, options.trials)
        for name in options.data_sets
        for algorithm in ALGORITHMS
        for seed in options.seeds
    ]
    gains, ratios = [line[6] for line in lines], [line[7] for line in lines]
    by_set = {name: float(np.mean([line[6] for line in lines if line[0] == name])) for name in options.data_sets}
    summary = [
        ["gain in the best value, mean", float(np.mean(gains))],
        [
            "data sets with a mean gain",
            f"{sum(gain > 0 for gain in by_set.values())} of {len(by_set)}",
        ],
        ["CPU, geometric mean", report.geometric_mean(ratios)],
    ]
    columns = ["data set", "algorithm", "seed", "categories", "native", "codes", "gain", "CPU, native / codes"]
    report.write(
        options.output,
        "Native categorical splits of boosters",
        report.machine("xgboost", "lightgbm"),
        [
            report.Table("Summary", ["figure", "value"], summary),
            report.Table(
                f"The best of {options.trials} configurations",
                columns,
                lines,
                "Values are oriented: higher is better, an RMSE is negated; its gain is in standard deviations of the "
                "validation target.",
            ),
        ],
        command=f".venv/bin/python -m benchmarks.categories --trials {options.trials}",
    )


if __name__ == "__main__":
    main()
