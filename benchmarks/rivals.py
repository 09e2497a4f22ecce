"""FLAML and AutoGluon, for comparison only: FLAML is a dependency of the benchmarks and not of the product.

`.venv/bin/python scripts/install_group.py benchmarks` adds it. AutoGluon has an environment of its own.
"""

import json
import subprocess
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.final_model import error
from benchmarks.judging import Judge
from e2i_assets.core.algorithms.algorithm import predicted
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import Rows, target_codes
from e2i_assets.core.fitting.fitted_model import matrix
from e2i_assets.core.fitting.joined_rows import JoinedRows
from e2i_assets.core.fitting.preprocessing import precision
from e2i_assets.core.metrics import Prediction, metric
from e2i_assets.core.search_space.space import adapted_to

WAYS = ("FLAML AutoML",)
_ESTIMATORS = {"LightGBM": "lgbm", "XGBoost": "xgb_limitdepth"}
_NAMES = {
    "LightGBM": {"colsample_bytree": "feature_fraction"},
    "XGBoost": {},
}
_METRICS = {"roc_auc": "roc_auc", "rmse": "rmse", "f1_weighted": "micro_f1"}


def zero_shot(judged: Judge) -> dict[str, Any]:
    """Return the configuration that FLAML proposes for these train rows, mapped into our search space."""
    from flaml.default import suggest_hyperparams

    name = judged.experiment.algorithm
    task = "regression" if judged.experiment.problem_type == "regression" else "classification"
    x, y = _train(judged)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = suggest_hyperparams(task, x, y, _ESTIMATORS[name])[0]
    renamed = {_NAMES[name].get(key, key): value for key, value in found.items()}
    values, _ = adapted_to(renamed, judged.experiment.search_space())
    return values


def run(judged: Judge, iterations: int) -> dict[str, list[float]]:
    """Search with FLAML from its own low-cost start, with the same estimator, rows, metric and number of iterations.

    Returns:
        One entry: the result of its best model, with the CPU seconds of the whole search.
    """
    from flaml import AutoML

    x, y = _train(judged)
    began = time.process_time()
    automl: AutoML = AutoML()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        automl.fit(
            x,
            y,
            X_val=judged.fit_context.prepared_data.x_validation,
            y_val=judged.fit_context.y_validation,
            task="regression" if judged.experiment.problem_type == "regression" else "classification",
            metric=_metric(judged),
            estimator_list=[_ESTIMATORS[judged.experiment.algorithm]],
            eval_method="holdout",
            time_budget=-1,
            max_iter=iterations,
            n_jobs=1,
            verbose=0,
            seed=0,
            # The compared model is fitted on the train rows only, like ours.
            retrain_full=False,
        )
        spent = time.process_time() - began
        scored = metric(judged.experiment.metric, judged.experiment.problem_type)
        on_validation = predicted(
            automl.model.estimator, judged.fit_context.prepared_data.x_validation, judged.fit_context.task
        )
        algorithm = judged.fit_context.algorithm
        x_test = matrix(
            judged.fit_context.preparation,
            judged.test.pieces(),
            len(judged.test.target),
            precision(algorithm.preparation),
        )
        on_test = predicted(automl.model.estimator, x_test, judged.fit_context.task)
    codes = target_codes(judged.test.target, judged.fit_context.classes)
    return {
        "validation": [scored.oriented(scored.score(judged.fit_context.y_validation, on_validation))],
        "test": [scored.oriented(scored.score(codes, on_test))],
        "seconds": [spent],
    }


def at_equal_cpu(
    experiment: Experiment, searched: SearchRows, unseen: Rows, seed: int, limit: float, learners: Sequence[str] | str
) -> dict[str, Any]:
    """Search with FLAML until the CPU seconds are used up, with its own way to judge and to retrain.

    Args:
        experiment: The problem, with roc_auc, log_loss or rmse as its metric.
        searched: The rows to learn from: train and validation.
        unseen: The rows to evaluate on.
        seed: Seed of FLAML.
        limit: CPU seconds; FLAML may exceed them by its last fit and by the fit on all rows.
        learners: Names of FLAML's learners, or `auto`: its own choice of them.

    Returns:
        The error, the CPU seconds, the number of trials, and the learner that FLAML chose.
    """
    from flaml import AutoML

    rows, classes = JoinedRows(searched.train, searched.validation), searched.facts.classes
    x, y = rows.features, target_codes(rows.target, classes) if classes else np.asarray(rows.target, dtype=float)
    automl: AutoML = AutoML()
    began = time.process_time()
    with warnings.catch_warnings(), _time_is_cpu():
        warnings.simplefilter("ignore")
        automl.fit(
            x,
            y,
            task="classification" if classes else "regression",
            metric=experiment.metric,
            estimator_list=learners,
            time_budget=limit,
            n_jobs=1,
            retrain_full=True,
            verbose=0,
            seed=seed,
        )
    seconds = time.process_time() - began
    labels = np.asarray(automl.predict(unseen.features))
    prediction = Prediction(labels, np.asarray(automl.predict_proba(unseen.features)) if classes else None)
    return {
        "error": error(experiment, target_codes(unseen.target, classes), prediction),
        "seconds": seconds,
        "trials": len(automl.config_history),
        "trained": automl.best_estimator,
    }


def autogluon(python: Path, experiment: Experiment, searched: SearchRows, unseen: Rows, limit: float) -> dict[str, Any]:
    """Fit AutoGluon in its own environment, and return the errors of its best single model and of its ensemble.

    Args:
        python: An interpreter that has AutoGluon: see `benchmarks.autogluon_models`.
        experiment: The problem, with roc_auc, log_loss or rmse as its metric.
        searched: The rows to learn from: train and validation.
        unseen: The rows to evaluate on.
        limit: CPU seconds.
    """
    rows, classes = JoinedRows(searched.train, searched.validation), searched.facts.classes
    y = target_codes(rows.target, classes) if classes else np.asarray(rows.target, dtype=float)
    kinds = {"binary_classification": "binary", "multiclass_classification": "multiclass"}
    problem = kinds.get(experiment.problem_type, "regression")
    names = {"rmse": "root_mean_squared_error"}
    truth = target_codes(unseen.target, classes)
    with TemporaryDirectory() as name:
        folder = Path(name)
        rows.features.assign(__target=y).to_parquet(folder / "train.parquet", index=False)
        unseen.features.to_parquet(folder / "unseen.parquet", index=False)
        script = Path(__file__).with_name("autogluon_models.py")
        command = [str(python), str(script), name, names.get(experiment.metric, experiment.metric), problem, str(limit)]
        subprocess.run(command, check=True, cwd=name, capture_output=True)
        found: dict[str, Any] = json.loads((folder / "found.json").read_text())
        for key, model in (("error", "single"), ("AutoGluon, ensemble", "ensemble")):
            predicted = pd.read_parquet(folder / f"{model}.parquet")
            scores = predicted.filter(like="class ").to_numpy() if classes else None
            found[key] = error(experiment, truth, Prediction(predicted["predicted"].to_numpy(), scores))
    return found


@contextmanager
def _time_is_cpu() -> Iterator[None]:
    """Let `time.time` count CPU seconds of this process, for a library whose budget it measures."""
    real, offset = time.time, time.time() - time.process_time()
    time.time = lambda: offset + time.process_time()
    try:
        yield
    finally:
        time.time = real


def _metric(judged: Judge) -> Any:
    """Return the experiment's metric as a loss for FLAML."""
    scored = metric(judged.experiment.metric, judged.experiment.problem_type)

    def loss(
        x_val: Any, y_val: Any, estimator: Any, labels: Any, x_train: Any, y_train: Any, *_: Any, **__: Any
    ) -> tuple[float, Mapping[str, float]]:
        found = predicted(estimator.estimator, np.asarray(x_val), judged.fit_context.task)
        value = -scored.oriented(scored.score(np.asarray(y_val), found))
        return value, {"loss": value}

    return loss


def _train(judged: Judge) -> tuple[Any, Any]:
    prepared_data = judged.fit_context.prepared_data
    return np.asarray(prepared_data.x_train), np.asarray(prepared_data.y_train)
