"""HistGradientBoosting of scikit-learn: boosting on bins, grown in parts between the reports of its schedule."""

from typing import Any

import numpy as np

from e2i_assets.core.algorithms.algorithm import Algorithm, Fit, from_scores, over_all_classes
from e2i_assets.core.algorithms.consumption import CLASSES, NEVER, Consumption
from e2i_assets.core.algorithms.early_stopping import FitMonitor, report_rounds
from e2i_assets.core.algorithms.prepared_data import PreparedData
from e2i_assets.core.losses import LossName
from e2i_assets.core.metrics import Array, Prediction

_LOSSES: tuple[LossName, ...] = ("squared_error", "absolute_error", "poisson", "gamma", "quantile")
# The state of early stopping, which is no part of the model: models of one fit are then equal.
_WITHOUT_STOPPING = {"early_stopping": False, "warm_start": False, "n_iter_no_change": 10}


def _fit(estimator: Any, prepared_data: PreparedData, watch: FitMonitor | None) -> Fit:
    """Grow the rounds between two reports at a time; a part continues the fit of the parts before it."""
    from threadpoolctl import ThreadpoolController

    cap = int(estimator.max_iter)
    if prepared_data.loss.name != "squared_error":
        estimator.set_params(loss=prepared_data.loss.name, quantile=prepared_data.loss.quantile)
    report = watch.report if watch else None
    patience = watch.patience if watch else None
    estimator.set_params(
        categorical_features=None,
        monotonic_cst=list(prepared_data.directions) or None,
        early_stopping=patience is not None,
        n_iter_no_change=patience or 10,
        tol=0.0,
        warm_start=report is not None,
    )
    given: dict[str, Any] = {"sample_weight": prepared_data.train_weights}
    if patience is not None:
        given |= _validation(prepared_data)
    x, threads = prepared_data.x_train, ThreadpoolController()
    for rounds in (*(report_rounds(cap) if report else ()), cap):
        # It has no parameter for the number of threads, and a study runs several fits at a time.
        with threads.limit(limits=1, user_api="openmp"):
            estimator.set_params(max_iter=rounds).fit(x, prepared_data.y_train, **given)
        if estimator.n_iter_ < rounds:
            break
        if report and rounds < cap:
            report(rounds, _prediction(estimator, prepared_data))
    best = cap if patience is None else int(np.argmax(estimator.validation_score_[1:])) + 1
    return _cut(estimator, best, cap)


def _validation(prepared_data: PreparedData) -> dict[str, Array | None]:
    """Return the validation rows of early stopping: those of the classes that occur in the train rows."""
    y, weights = prepared_data.y_validation, prepared_data.validation_weights
    known = np.ones(len(y), dtype=bool)
    if prepared_data.task.problem_type != "regression":
        known = np.isin(y, prepared_data.y_train)
    return {
        "X_val": prepared_data.x_validation[known],
        "y_val": y[known],
        "sample_weight_val": None if weights is None else weights[known],
    }


def _prediction(estimator: Any, prepared_data: PreparedData) -> Prediction:
    x, task = prepared_data.x_validation, prepared_data.task
    if task.problem_type == "regression":
        return Prediction(labels=estimator.predict(x))
    return from_scores(over_all_classes(estimator.predict_proba(x), estimator.classes_, task))


def _cut(estimator: Any, rounds: int, cap: int) -> Fit:
    """Remove the rounds after the best one, and what only early stopping needs."""
    estimator._predictors = estimator._predictors[:rounds]
    estimator.train_score_ = estimator.validation_score_ = np.empty(0)
    estimator.do_early_stopping_ = estimator._use_validation_data = False
    estimator.set_params(max_iter=rounds, **_WITHOUT_STOPPING)
    estimator.feature_importances_ = _importances(estimator)
    return Fit(estimator, rounds=rounds, stopped_early=rounds < cap)


def _importances(estimator: Any) -> Array:
    """Return the share of the gain of each column, which scikit-learn does not compute."""
    gains = np.zeros(estimator.n_features_in_)
    for trees in estimator._predictors:
        for tree in trees:
            splits = tree.nodes[tree.nodes["is_leaf"] == 0]
            np.add.at(gains, splits["feature_idx"], splits["gain"])
    return np.asarray(gains / (gains.sum() or 1.0))


ALGORITHM = Algorithm(
    name="HistGradientBoosting",
    family="boosting",
    complexity=22,
    can_be_monotone=True,
    losses=frozenset(_LOSSES),
    framework="sklearn",
    classes={
        "binary_classification": "sklearn.ensemble.HistGradientBoostingClassifier",
        "multiclass_classification": "sklearn.ensemble.HistGradientBoostingClassifier",
        "regression": "sklearn.ensemble.HistGradientBoostingRegressor",
    },
    # Its own treatment of categories stores functions with the model, which no model of the product contains.
    preparation="one_hot",
    default_values={"n_estimators": 300, "max_leaf_nodes": 31, "learning_rate": 0.1, "min_samples_leaf": 20},
    space={
        "n_estimators": {"type": "int", "low": 50, "high": 500, "step": 50},
        "learning_rate": {"type": "float", "low": 0.01, "high": 0.3, "log": True},
        "max_leaf_nodes": {"type": "int", "low": 8, "high": 100, "log": True},
        "min_samples_leaf": {"type": "int", "low": 5, "high": 100, "log": True},
        "l2_regularization": {"type": "float", "low": 1e-3, "high": 10.0, "log": True},
    },
    fixed_values={"random_state": 42},
    accepts=frozenset({"max_depth", "max_bins", "class_weight"}),
    fit_estimator=_fit,
    rounds_parameter="n_estimators",
    rounds_cap=1000,
    renamed={"n_estimators": "max_iter"},
    consumption=Consumption(only_for={"class_weight": CLASSES, "random_state": NEVER}),
)
