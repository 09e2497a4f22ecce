"""The gain and the cost of class weights and resampling on imbalanced classes.

Default parameters with early stopping, fitted on the train rows. Half of the validation rows decide early
stopping and the threshold, the other half is for evaluation; neither is resampled.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

from benchmarks import corpus, report
from e2i_assets.core.algorithms import registry
from e2i_assets.core.evaluation.calibration import calibration_error
from e2i_assets.core.evaluation.thresholds import youden_threshold
from e2i_assets.core.fitting.fit_context import FitContext, Rows, fit_context, target_codes
from e2i_assets.core.imbalance import STRATEGIES, Balancing
from e2i_assets.core.metrics import metric
from e2i_assets.core.search import tuning

DATA_SETS = ("hmda", "covid_testing", "lending_club", "taxi_tip", "caravan", "bank_marketing")
ALGORITHMS = ("XGBoost", "RandomForest", "LogisticRegression")
FIGURES = ("ROC AUC", "average precision", "F1 at 0.5", "F1 at the chosen threshold", "calibration error")


def halves(rows: Any, seed: int) -> tuple[Rows, Rows]:
    """Split the validation rows into two halves."""
    features, target = rows.validation.features, rows.validation.target
    first = np.random.default_rng(seed).permutation(len(target)) < len(target) // 2
    return Rows(features[first], target[first]), Rows(features[~first], target[~first])


def judged(made: FitContext, parameters: Mapping[str, Any], patience: int | None, judges: Rows) -> list[float]:
    """Fit, choose the threshold on the rows of early stopping, and evaluate on the other half."""
    fit = made.fit(parameters, patience=patience)
    chosen = made.on_validation(fit)
    prediction = made.on(fit, judges)
    truth = target_codes(judges.target, made.classes)
    threshold = youden_threshold(made.y_validation, chosen.scores)
    positive = prediction.scores[:, 1]
    ranking = [metric(name, "binary_classification") for name in ("roc_auc", "pr_auc")]
    values = [one.score(truth, prediction) for one in ranking]
    values += [float(f1_score(truth, positive >= at)) for at in (0.5, threshold)]
    return [*values, calibration_error(truth, prediction.scores)]


def figures(folder: Path, name: str, algorithm: str, seeds: Sequence[int]) -> dict[str, list[float]]:
    """Return the mean of each metric over the seeds of the split, for each strategy."""
    found: dict[str, list[list[float]]] = {strategy: [] for strategy in STRATEGIES}
    for seed in seeds:
        experiment, rows = corpus.problem(folder, name, algorithm, split={"seed": seed})
        parameters = {**tuning.defaults(experiment), **tuning.fixed(experiment)}
        stops, judges = halves(rows, seed)
        for strategy in STRATEGIES:
            made = fit_context(
                registry.algorithm(algorithm),
                rows.facts.task,
                rows.train,
                stops,
                rows.facts.classes,
                balancing=Balancing(strategy, seed),
            )
            found[strategy].append(judged(made, parameters, tuning.patience(experiment), judges))
    return {strategy: list(np.mean(values, axis=0)) for strategy, values in found.items()}


def main() -> None:
    """Measure every strategy on every data set and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", help="folder of the data sets; default E2I_CORPUS")
    parser.add_argument("--data-sets", nargs="+", default=DATA_SETS)
    parser.add_argument("--algorithms", nargs="+", default=ALGORITHMS)
    parser.add_argument("--seeds", nargs="+", type=int, default=(1, 2, 3))
    parser.add_argument("--output", type=Path, default=report.RESULTS / "imbalance.md")
    options = parser.parse_args()
    folder = corpus.folder(options.corpus)
    every = {
        (algorithm, name): figures(folder, name, algorithm, options.seeds)
        for algorithm in options.algorithms
        for name in options.data_sets
    }
    tables = []
    for algorithm in options.algorithms:
        of = pd.concat({name: pd.DataFrame(every[algorithm, name], index=FIGURES) for name in options.data_sets})
        means = of.groupby(level=1).mean().loc[list(FIGURES)].T
        rows = [[strategy, *map(float, line)] for strategy, line in zip(means.index, means.to_numpy(), strict=True)]
        tables.append(report.Table(f"{algorithm}: means over data sets and seeds", ["strategy", *FIGURES], rows))
    details = [
        [algorithm, name, strategy, *values]
        for (algorithm, name), found in every.items()
        for strategy, values in found.items()
    ]
    seeds = ", ".join(map(str, options.seeds))
    report.write(
        options.output,
        "Class weights and resampling for imbalanced classes",
        report.machine("imbalanced-learn", "xgboost", "scikit-learn"),
        [
            *tables,
            report.Table(
                f"Each data set, means over the splits of seeds {seeds}",
                ["algorithm", "data set", "strategy", *FIGURES],
                details,
            ),
        ],
        command=f".venv/bin/python -m benchmarks.imbalance --seeds {' '.join(map(str, options.seeds))}",
    )


if __name__ == "__main__":
    main()
