"""What the final model learns from: the train rows, train and validation rows, or five folds of the two.

Each search has one validation split, as in the product. Its best configuration is then trained in each way and
evaluated on the test and the holdout rows, which neither the search nor a fit has seen. The error is 1 - ROC AUC, log
loss or RMSE, and is compared with the model of the train rows. A second call continues where the first stopped.
"""

import argparse
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from benchmarks import corpus, report
from e2i_assets.core.algorithms import registry
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.folds import folds
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.final_fit import final_fit_context
from e2i_assets.core.fitting.fit_context import FitContext, Rows, fit_context, target_codes
from e2i_assets.core.fitting.joined_rows import JoinedRows
from e2i_assets.core.metrics import METRICS, Prediction
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study import search
from e2i_assets.core.search.study_output import hpo_output

DATA_SETS = (
    *("nhefs_death", "credit_data", "mlc_churn", "phoneme", "cells_seg", "attrition"),
    *("contraceptive", "hpc_class", "wage", "medexp", "nmes_visits"),
)
ALGORITHMS = ("LightGBM", "XGBoost", "LogisticRegression")
WAYS = ("train_only", "refit", "refit, rounds x 4/3", "folds")
MOST_ROWS = 6_000
_ERRORS = {"binary_classification": "roc_auc", "multiclass_classification": "log_loss", "regression": "rmse"}

Model = Callable[[Rows], Prediction]


def error(experiment: Experiment, model: Model, unseen: Rows, classes: tuple[Any, ...]) -> float:
    """Return the error of a model on the unseen rows: lower is better."""
    measured = METRICS[experiment.problem_type][_ERRORS[experiment.problem_type]]
    value = measured.score(target_codes(unseen.target, classes), model(unseen))
    return 1.0 - value if measured.name == "roc_auc" else value


def alone(context: FitContext, parameters: dict[str, Any], patience: int | None = None) -> Model:
    """Fit one model and return its predictions."""
    fit = context.fit(parameters, patience=patience)
    return lambda rows: context.on(fit, rows)


def averaged(models: Sequence[Model]) -> Model:
    """Return the mean of the predictions of several models."""

    def predict(rows: Rows) -> Prediction:
        found = [model(rows) for model in models]
        if found[0].scores is None:
            return Prediction(np.mean([one.labels for one in found], axis=0))
        scores = np.mean([one.scores for one in found], axis=0)
        return Prediction(scores.argmax(axis=1), scores)

    return predict


def trained(way: str, experiment: Experiment, rows: SearchRows, hpo: HpoOutput) -> Model:
    """Train the final model in one of the ways, from the parameters of the search."""
    facts, parameters = rows.facts, dict(hpo.best_hyperparameters)
    algorithm = registry.algorithm(experiment.algorithm)
    balancing = tuning.balancing(experiment, facts, rows.train)
    if way == "train_only":
        return alone(tuning.experiment_fit_context(experiment, facts, rows.train, rows.validation), parameters)
    if way == "folds":
        cap = tuning.defaults(experiment).get(str(algorithm.rounds_parameter))
        capped = {**parameters, **({str(algorithm.rounds_parameter): cap} if experiment.stops_rounds else {})}
        return averaged(
            [
                alone(
                    fit_context(algorithm, facts.task, one.train, one.held_out, facts.classes, balancing=balancing),
                    capped,
                    tuning.patience(experiment),
                )
                for one in folds(rows, 5, 1, experiment.hpo.seed)
            ]
        )
    joined = JoinedRows(rows.train, rows.validation)
    if "4/3" in way and algorithm.rounds_parameter:
        parameters[algorithm.rounds_parameter] = round(parameters[algorithm.rounds_parameter] * 4 / 3)
    return alone(final_fit_context(experiment, facts, rows.train, joined), parameters)


def measured(folder: Path, name: str, algorithm: str, seed: int, trials: int) -> dict[str, Any]:
    """Search once, train the result in every way, and return errors and CPU seconds."""
    hpo = {"trials": trials, "seed": seed, "workers": 1}
    experiment, rows, unseen = corpus.problem_with_unseen(
        folder, name, algorithm, MOST_ROWS, hpo=hpo, split={"seed": seed}
    )
    began = time.process_time()
    plan = tuning.plan(experiment, "benchmark")
    study = search(tuning.objective(experiment, rows), plan, optuna.storages.InMemoryStorage())
    searched = time.process_time() - began
    output = hpo_output(experiment, "benchmark", study)
    found: dict[str, Any] = {"seconds of the search": searched, "rounds": study.best.rounds if study.best else None}
    for way in WAYS:
        began = time.process_time()
        model = trained(way, experiment, rows, output)
        seconds = time.process_time() - began
        found[way] = {"error": error(experiment, model, unseen, rows.facts.classes), "seconds": seconds}
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


def _rows(groups: Mapping[str, Sequence[dict[str, Any]]]) -> list[list[object]]:
    """Return a table row for each group of records."""
    return [[name, len(of), *(cell for way in WAYS[1:] for cell in _compared(of, way))] for name, of in groups.items()]


def _compared(records: Sequence[dict[str, Any]], way: str) -> list[object]:
    errors = np.array([one[way]["error"] / one["train_only"]["error"] for one in records])
    search = np.array([one["seconds of the search"] for one in records])
    cpu = (search + [one[way]["seconds"] for one in records]) / (
        search + [one["train_only"]["seconds"] for one in records]
    )
    better = f"{(errors < 1).mean():.0%}"
    return [float(np.exp(np.log(errors).mean())), better, float(np.exp(np.log(cpu).mean()))]


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
        "with the model of the train rows. Folds: the mean of five models, each stopped early on its held-out fold."
    )
    report.write(
        options.output,
        "What the final model learns from",
        report.machine("optuna", "xgboost", "lightgbm", "scikit-learn"),
        [
            report.Table("Summary", ["algorithm", "pairs", *_COLUMNS], _rows(by_algorithm), notes),
            report.Table("By data set", ["data set", "pairs", *_COLUMNS], _rows(by_set)),
        ],
        command=f".venv/bin/python -m benchmarks.final_model --trials {options.trials} --splits {options.splits}",
    )


if __name__ == "__main__":
    main()
