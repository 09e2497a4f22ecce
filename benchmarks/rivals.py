"""FLAML and AutoGluon, for comparison only: FLAML is a dependency of the benchmarks and not of the product.

`.venv/bin/python scripts/install_group.py benchmarks` adds it. AutoGluon has an environment of its own.
"""

import json
import subprocess
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.final_model import error
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import Rows, target_codes
from e2i_assets.core.fitting.joined_rows import JoinedRows
from e2i_assets.core.metrics import Prediction


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
