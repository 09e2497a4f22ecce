"""Each loss of a regression against the squared error, on public tables of counts and of amounts.

Default parameters with early stopping on the validation rows, fitted on the train rows and evaluated on the test rows.
A figure is the geometric mean, over data sets and seeds, of the ratio to the squared error on the same rows.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import gmean

from benchmarks import corpus, report
from e2i_assets.core.losses import row_losses
from e2i_assets.core.search import tuning

COUNTS = ("randhie_visits", "nmes_visits", "rwm_docvis", "vietnam_pharvis", "nesarc_drinks")
AMOUNTS = ("medexp", "medpar_los", "hotel_adr", "california")
# The target as an amount: two tables of the corpus have its logarithm.
UNITS: dict[str, Callable[[Any], Any]] = {"medexp": np.expm1, "medpar_los": np.exp}
LOSSES: dict[str, dict[str, Any]] = {
    "squared_error": {},
    "absolute_error": {"loss": "absolute_error"},
    "quantile 0.9": {"loss": "quantile", "quantile": 0.9},
    "poisson": {"loss": "poisson"},
    "tweedie": {"loss": "tweedie"},
    "gamma": {"loss": "gamma"},
}
# A prediction of 0 or less has no deviance: it counts as this share of the mean of the target.
FLOOR = 0.01
FIGURES = ("rmse", "mae", "mean_poisson_deviance", "mean_tweedie_deviance", "mean_pinball_loss_0.9")


def judged(truth: Any, predicted: Any) -> dict[str, float]:
    """Return the figures of one model on its test rows."""
    error, above = truth - predicted, np.maximum(predicted, FLOOR * truth.mean())
    return {
        "rmse": float(np.sqrt(np.mean(error**2))),
        "mae": float(np.mean(np.abs(error))),
        **{name: float(row_losses(name, truth, above).mean()) for name in FIGURES[2:4]},
        FIGURES[4]: float(row_losses(FIGURES[4], truth, predicted).mean()),
        "total": float(predicted.sum() / truth.sum()),
        "not above 0": float(np.mean(predicted <= 0)),
        "rows below": float(np.mean(truth <= predicted)),
    }


def measured(folder: Path, name: str, algorithm: str, seed: int, most_rows: int) -> dict[str, dict[str, float]]:
    """Return the figures of each loss that the target allows, on one split of a data set."""
    frame = pd.read_parquet(folder / f"{name}.parquet")
    frame = frame if len(frame) <= most_rows else frame.sample(most_rows, random_state=seed)
    target = str(frame.columns[-1])
    frame = frame.assign(**{target: UNITS.get(name, np.asarray)(frame[target])})
    found = {}
    for loss, keys in LOSSES.items():
        if loss == "gamma" and frame[target].min() <= 0:
            continue
        facts = corpus.index(folder).loc[name]
        experiment = corpus.experiment_of(facts, name, algorithm, target, split={"seed": seed}, **keys)
        rows, test = corpus.searched_and_test(frame, experiment)
        context = tuning.experiment_fit_context(experiment, rows.facts, rows.train, rows.validation)
        parameters = {**tuning.defaults(experiment), **tuning.fixed(experiment)}
        fit = context.fit(parameters, patience=tuning.patience(experiment))
        found[loss] = judged(test.target.to_numpy(dtype=float), context.on(fit, test).labels)
    return found


def main() -> None:
    """Measure every loss on every data set and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", help="folder of the data sets; default E2I_CORPUS")
    parser.add_argument("--algorithms", nargs="+", default=("LightGBM", "XGBoost"))
    parser.add_argument("--seeds", nargs="+", type=int, default=(1, 2, 3))
    parser.add_argument("--most-rows", type=int, default=8000)
    parser.add_argument("--output", type=Path, default=report.RESULTS / "losses.md")
    options = parser.parse_args()
    folder = corpus.folder(options.corpus)
    every = {
        (name, algorithm, seed): measured(folder, name, algorithm, seed, options.most_rows)
        for name in (*COUNTS, *AMOUNTS)
        for algorithm in options.algorithms
        for seed in options.seeds
    }
    flags = f"--algorithms {' '.join(options.algorithms)} --seeds {' '.join(map(str, options.seeds))}"
    report.write(
        options.output,
        "The losses of a regression",
        report.machine("lightgbm", "xgboost", "scikit-learn"),
        [
            _table("Counts", COUNTS, every),
            _table("Amounts", AMOUNTS, every),
            *(_table(name, (name,), every) for name in (*COUNTS, *AMOUNTS)),
        ],
        command=f".venv/bin/python -m benchmarks.losses {flags} --most-rows {options.most_rows}",
    )


def _table(heading: str, names: tuple[str, ...], every: dict[Any, dict[str, dict[str, float]]]) -> report.Table:
    """Return a row for each loss: ratios below 1 are better than the squared error."""
    lines: list[list[object]] = []
    for loss in LOSSES:
        pairs = [(of[loss], of["squared_error"]) for (name, *_), of in every.items() if name in names and loss in of]
        if not pairs:
            continue
        ratios = {figure: [one[figure] / base[figure] for one, base in pairs] for figure in FIGURES}
        others = [float(np.mean([one[key] for one, _ in pairs])) for key in ("total", "rows below", "not above 0")]
        better = sum(value < 1 for value in ratios["mean_poisson_deviance"])
        lines.append(
            [loss, *(float(gmean(ratios[figure])) for figure in FIGURES), f"{better} of {len(pairs)}", *others]
        )
    columns = ["loss", *FIGURES, "lower Poisson deviance", "predicted / true total", "rows at or below"]
    notes = (
        "Ratios to the squared error, below 1 is better. A prediction of 0 or less counts as 1 % of the mean target in "
        "the two deviances."
    )
    return report.Table(heading, [*columns, "predictions of 0 or less"], lines, notes if len(names) > 1 else "")


if __name__ == "__main__":
    main()
