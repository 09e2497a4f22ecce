"""What the final model learns from: the train rows, train and validation rows, or five folds of the two.

Each search has one validation split, as in the product. Its best configuration is then trained by the functions of the
product for each `final_model`, and evaluated on the test and the holdout rows, which neither the search nor a fit has
seen. The error is 1 - ROC AUC, log loss or RMSE, and is compared with the model of the train rows. Two ways are not in
the product: more rounds for more rows, and the mean of the probabilities where the product takes that of the log-odds.
A second call continues where the first stopped.
"""

import argparse
import json
import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from benchmarks import corpus, report
from e2i_assets.core.algorithms import registry
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.experiments.experiment import Experiment, FinalModel
from e2i_assets.core.final_fit import Fits, final_fit_context, fitted
from e2i_assets.core.fitting.averaged_model import AveragedModel
from e2i_assets.core.fitting.fit_context import predicted_table
from e2i_assets.core.fitting.joined_rows import JoinedRows
from e2i_assets.core.fold_fit import fitted_on_folds
from e2i_assets.core.metrics import METRICS, Array, Prediction
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study import search
from e2i_assets.core.search.study_output import hpo_output

DATA_SETS = (
    *("nhefs_death", "credit_data", "mlc_churn", "phoneme", "cells_seg", "attrition"),
    *("contraceptive", "hpc_class", "wage", "medexp", "nmes_visits"),
)
ALGORITHMS = ("LightGBM", "XGBoost", "LogisticRegression")
PRODUCT: tuple[FinalModel, ...] = ("train_only", "refit", "folds")
MORE, MEANS = "refit, rounds x 4/3", "folds, mean probability"
WAYS = (*PRODUCT, MORE, MEANS)
MOST_ROWS = 6_000
_COSTS = ("seconds", "predicting")


def error(experiment: Experiment, truth: Array, prediction: Prediction) -> float:
    """Return the error of a prediction for the unseen rows: lower is better."""
    measured = METRICS[experiment.problem_type][corpus.ERROR_METRICS[experiment.problem_type]]
    return corpus.as_error(measured.name, measured.score(truth, prediction))


def by_product(experiment: Experiment, way: FinalModel, rows: TrainingRows, hpo: HpoOutput) -> Fits:
    """Train as `trained_model` does, whose test rows are the unseen ones: with the default parameters beside."""
    of = experiment.model_copy(update={"final_model": way})
    return (fitted_on_folds if way == "folds" else fitted)(of, rows, hpo)


def with_more_rounds(experiment: Experiment, rows: TrainingRows, hpo: HpoOutput) -> Prediction:
    """Refit with a third more rounds for a third more rows, and predict the unseen rows."""
    parameters, name = dict(hpo.best_hyperparameters), registry.algorithm(experiment.algorithm).rounds_parameter
    if name:
        parameters[name] = round(parameters[name] * 4 / 3)
    context = final_fit_context(experiment, rows.facts, rows.train, JoinedRows(rows.train, rows.validation))
    return context.on(context.fit(parameters), rows.test)


def measured(folder: Path, name: str, algorithm: str, seed: int, trials: int) -> dict[str, Any]:
    """Search once, train the result in every way, and return errors and CPU seconds."""
    hpo = {"trials": trials, "seed": seed, "workers": 1}
    experiment, searched, unseen = corpus.problem_with_unseen(
        folder, name, algorithm, MOST_ROWS, hpo=hpo, split={"seed": seed}
    )
    began = time.process_time()
    plan = tuning.plan(experiment, "benchmark")
    study = search(tuning.objective(experiment, searched), plan, optuna.storages.InMemoryStorage())
    seconds = time.process_time() - began
    output = hpo_output(experiment, "benchmark", study)
    rows = TrainingRows(searched.facts, searched.train, searched.validation, unseen)
    found: dict[str, Any] = {"seconds of the search": seconds, "rounds": study.best.rounds if study.best else None}
    for way in PRODUCT:
        began = time.process_time()
        fits = by_product(experiment, way, rows, output)
        trained = time.process_time()
        truth, prediction = fits.predictions["test"]
        predicted_table(fits.model, unseen.features)
        found[way] = {
            "error": error(experiment, truth, prediction),
            "seconds": trained - began,
            "predicting": time.process_time() - trained,
        }
    began = time.process_time()
    more = error(experiment, truth, with_more_rounds(experiment, rows, output))
    found[MORE] = {"error": more, "seconds": time.process_time() - began}
    means = AveragedModel(fits.model.models, pool="probability")
    found[MEANS] = {**found["folds"], "error": error(experiment, truth, predicted_table(means, unseen.features))}
    return found


def pairs(options: argparse.Namespace) -> list[tuple[str, str, int]]:
    """Return each data set with each algorithm that supports its problem type, and each seed."""
    index = corpus.index(corpus.folder(options.corpus))
    return [
        (name, algorithm, seed)
        for name in options.data_sets
        for algorithm in options.algorithms
        if corpus.KINDS[index.loc[name, "problem_type"]] in registry.algorithm(algorithm).problem_types
        for seed in range(options.splits)
    ]


_COLUMNS = [f"{way}: {figure}" for way in WAYS[1:] for figure in ("error", "better", "CPU")]
_AGAINST = ["pairs", "error", "better", "CPU of the final fit", "CPU with the search", "CPU of predicting"]


def _rows(groups: Mapping[str, Sequence[dict[str, Any]]]) -> list[list[object]]:
    """Return a table row for each group of records."""
    return [
        [name, len(of), *(cell for way in WAYS[1:] for cell in _compared(of, way, "train_only"))]
        for name, of in groups.items()
    ]


def _against(groups: Mapping[str, Sequence[dict[str, Any]]]) -> list[list[object]]:
    """Return a table row for each group of records: folds, relative to refit."""
    found: list[list[object]] = []
    for name, of in groups.items():
        error, better, cpu = _compared(of, "folds", "refit")
        ratios = [
            report.geometric_mean([one["folds"][of_what] / one["refit"][of_what] for one in of]) for of_what in _COSTS
        ]
        found.append([name, len(of), error, better, ratios[0], cpu, ratios[1]])
    return found


def _compared(records: Sequence[dict[str, Any]], way: str, reference: str) -> list[object]:
    errors = np.array([one[way]["error"] / one[reference]["error"] for one in records])
    search = np.array([one["seconds of the search"] for one in records])
    cpu = (search + [one[way]["seconds"] for one in records]) / (
        search + [one[reference]["seconds"] for one in records]
    )
    return [report.geometric_mean(errors), f"{(errors < 1).mean():.0%}", report.geometric_mean(cpu)]


def main() -> None:
    """Measure every pair that the record lacks, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", help="folder of the data sets; default E2I_CORPUS")
    parser.add_argument("--work", type=Path, default=Path("state") / "final_model", help="folder of the records")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--data-sets", nargs="+", default=DATA_SETS)
    parser.add_argument("--algorithms", nargs="+", default=ALGORITHMS)
    parser.add_argument("--output", type=Path, default=report.RESULTS / "final_model.md")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    options.work.mkdir(parents=True, exist_ok=True)
    records: dict[tuple[str, str, int], dict[str, Any]] = {}
    for name, algorithm, seed in pairs(options):
        path = options.work / f"{name}.{algorithm}.{seed}.{options.trials}.json"
        if not path.exists():
            found = measured(corpus.folder(options.corpus), name, algorithm, seed, options.trials)
            path.write_text(json.dumps(found))
            print(name, algorithm, seed, found, flush=True)
        records[name, algorithm, seed] = json.loads(path.read_text())
    by_set: dict[str, list[dict[str, Any]]] = defaultdict(list)
    by_algorithm: dict[str, list[dict[str, Any]]] = {"all": list(records.values())}
    for (name, algorithm, _), record in records.items():
        by_set[name].append(record)
        by_algorithm.setdefault(algorithm, []).append(record)
    notes = (
        "Error on the test and holdout rows, relative to the model of the train rows: geometric mean over the pairs, "
        "and the share of pairs with a smaller error. CPU: the whole search with this final fit, relative to the same "
        "with the model of the train rows. Folds: the mean of five models, each stopped early on its held-out fold. "
        "The CPU of the ways of the product includes the default parameters beside; that of more rounds does not."
    )
    against = (
        "The same, relative to the refit on equal rows. The final fit includes the default parameters beside the tuned "
        "ones and the prediction of the rows, as in the product."
    )
    program = ".venv/bin/python -m benchmarks.final_model"
    chosen = "" if tuple(options.data_sets) == DATA_SETS else f" --data-sets {' '.join(options.data_sets)}"
    report.write(
        options.output,
        "What the final model learns from",
        report.machine("optuna", "xgboost", "lightgbm", "scikit-learn"),
        [
            report.Table("Summary", ["algorithm", "pairs", *_COLUMNS], _rows(by_algorithm), notes),
            report.Table("Folds against refit", ["algorithm", *_AGAINST], _against(by_algorithm), against),
            report.Table("Folds against refit by data set", ["data set", *_AGAINST], _against(by_set)),
            report.Table("By data set", ["data set", "pairs", *_COLUMNS], _rows(by_set)),
        ],
        command=f"{program} --trials {options.trials} --splits {options.splits}{chosen}",
    )


if __name__ == "__main__":
    main()
