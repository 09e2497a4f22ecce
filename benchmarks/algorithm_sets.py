"""Which algorithms `auto` should compare: the smallest set that is nearly as good as all of them.

From the records of `benchmarks.starter_memory`: for each table the error of the best configuration of each algorithm on
folds of the train and validation rows (1 - ROC AUC, log loss or RMSE), and the CPU seconds of a trial. A set of
algorithms has the smallest of its errors. Ridge and LogisticRegression count as one linear model; Lasso is in no set,
because most tables have none, but it may be the best of all. LightGBM and XGBoost had up to three times as many seconds
as the others, but a trial of theirs is also cheaper than most.
"""

import argparse
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import corpus, report
from benchmarks.starter_memory import record_path, tasks
from e2i_assets.core.algorithms import registry

LINEAR = ("Ridge", "LogisticRegression")
ONLY_REGRESSION = "Lasso"
MOST = 4
SHOWN = 4
# A ratio above counts as this one, so that a table with hardly any error does not outweigh the others.
CAP = 2.0


def measured(options: argparse.Namespace) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return errors and CPU seconds of a trial by table and algorithm, of the tables that have all algorithms."""
    folder = corpus.folder(options.corpus)
    errors: dict[str, dict[str, float]] = {}
    seconds: dict[str, dict[str, float]] = {}
    for name, algorithm in tasks(options):
        path = record_path(options.work, name, algorithm)
        if not path.exists():
            continue
        metric = corpus.metric_of(folder, name)
        tried = json.loads(path.read_text())
        best = min(corpus.as_error(metric, one["measures"][metric]) for one in tried)
        kind = "linear" if algorithm in LINEAR else algorithm
        errors.setdefault(name, {})[kind] = min(best, errors.get(name, {}).get(kind, np.inf))
        seconds.setdefault(name, {})[kind] = float(np.mean([one["seconds"] for one in tried]))
    found = pd.DataFrame(errors).T
    return found.dropna(subset=found.columns.drop(ONLY_REGRESSION)), pd.DataFrame(seconds).T


def tables(errors: pd.DataFrame, seconds: pd.DataFrame) -> list[report.Table]:
    """Return the algorithms, the best sets of each size, and the errors by table."""
    ratios = errors.div(errors.min(axis=1).clip(lower=1e-9), axis=0)
    capped = ratios.drop(columns=ONLY_REGRESSION).clip(upper=CAP)
    cost = seconds.loc[errors.index].div(seconds.loc[errors.index, "LightGBM"], axis=0)
    means = {
        chosen: report.geometric_mean(capped[list(chosen)].min(axis=1))
        for size in range(1, MOST + 1)
        for chosen in combinations(sorted(capped), size)
    }
    ranked = sorted(means, key=lambda chosen: means[chosen])
    return [
        report.Table(
            "The algorithms",
            ["algorithm", "best of all", "within 1 %", "error", "CPU of a trial"],
            [
                [
                    name,
                    int((ratios[name] == 1).sum()),
                    int((ratios[name] <= 1.01).sum()),
                    report.geometric_mean(capped[name]),
                    report.geometric_mean(cost[name]),
                ]
                for name in sorted(capped, key=lambda one: float(np.log(capped[one]).mean()))
            ],
            f"{len(errors)} tables. Error: relative to the best one of a table, at most {CAP:g}, geometric mean. "
            "CPU of a trial: relative to LightGBM, geometric mean.",
        ),
        report.Table(
            "The best sets",
            ["algorithms", "error"],
            [
                [", ".join(chosen), means[chosen]]
                for size in range(1, MOST + 1)
                for chosen in [one for one in ranked if len(one) == size][:SHOWN]
            ],
            "Error of the best algorithm of the set, relative to the best of all.",
        ),
        report.Table(
            "Error by table, relative to the best",
            ["table", *capped],
            [
                [str(name), *(float(value) for value in row)]
                for name, row in ratios.drop(columns=ONLY_REGRESSION).iterrows()
            ],
        ),
    ]


def main() -> None:
    """Write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", help="folder of the data sets; default E2I_CORPUS")
    parser.add_argument("--work", type=Path, required=True, help="folder of the records of benchmarks.starter_memory")
    parser.add_argument("--output", type=Path, default=report.RESULTS / "algorithm_sets.md")
    parser.set_defaults(algorithms=registry.installed(), kinds=list(corpus.KINDS), tables=None)
    options = parser.parse_args()
    report.write(
        options.output,
        "Which algorithms auto compares",
        report.machine("xgboost", "lightgbm", "scikit-learn"),
        tables(*measured(options)),
        command="E2I_CORPUS=... .venv/bin/python -m benchmarks.algorithm_sets --work FOLDER",
    )


if __name__ == "__main__":
    main()
