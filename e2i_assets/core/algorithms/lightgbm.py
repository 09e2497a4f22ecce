"""LightGBM: leaf-wise gradient boosting, one thread per fit, missing values handled by the booster itself.

The rows are binned once for all fits, and LightGBM's training functions grow the booster. The result is the same
estimator that LightGBM's scikit-learn interface fits.
"""

from typing import Any

import numpy as np

from e2i_assets.core.algorithms.algorithm import Algorithm, Fit, from_scores
from e2i_assets.core.algorithms.consumption import ABSENT, BINARY, GIVEN, Consumption
from e2i_assets.core.algorithms.early_stopping import EarlyStopper, FitMonitor
from e2i_assets.core.algorithms.prepared_data import PreparedData, Task
from e2i_assets.core.losses import TWEEDIE_POWER, Loss, LossName
from e2i_assets.core.metrics import Array, Prediction

_VALIDATION = "validation"
_DEFAULT_BINS = 255
# The objective on the train rows, and the metric of early stopping on the validation rows.
_OF_LOSSES: dict[LossName, dict[str, Any]] = {
    "squared_error": {"objective": "regression", "metric": "rmse"},
    "absolute_error": {"objective": "regression_l1", "metric": "l1"},
    "poisson": {"objective": "poisson", "metric": "poisson"},
    "gamma": {"objective": "gamma", "metric": "gamma_deviance"},
    "tweedie": {"objective": "tweedie", "metric": "tweedie", "tweedie_variance_power": TWEEDIE_POWER},
    "quantile": {"objective": "quantile", "metric": "quantile"},
}
# Parameters of the scikit-learn interface only; every other parameter has the same name in LightGBM.
_NOT_NATIVE = frozenset({"n_estimators", "objective", "class_weight", "importance_type"})


def _fit(estimator: Any, prepared_data: PreparedData, watch: FitMonitor | None) -> Fit:
    from lightgbm import Booster

    cap = estimator.n_estimators
    given = estimator.get_params()
    parameters = {name: value for name, value in given.items() if name not in _NOT_NATIVE and value is not None}
    train, validation = _binned(prepared_data, parameters)
    if prepared_data.directions:
        parameters["monotone_constraints"] = list(prepared_data.directions)
    booster = Booster({**parameters, **_goal(prepared_data.task, prepared_data.loss)}, train)
    if watch is None:
        for _ in range(cap):
            booster.update()
        return _carried(estimator, booster, cap, cap, booster.num_trees(), prepared_data)
    booster.add_valid(validation, _VALIDATION)
    stopper = EarlyStopper(watch, cap)
    trees_after = _grown(booster, cap, stopper, prepared_data.task)
    rounds = stopper.rounds(cap)
    return _carried(estimator, booster, rounds, cap, trees_after[rounds - 1], prepared_data)


def _grown(booster: Any, cap: int, stopper: EarlyStopper, task: Task) -> list[int]:
    """Grow up to the cap or until early stopping; return the number of trees after each round."""
    trees_after = []
    for grown in range(1, cap + 1):
        booster.update()
        trees_after.append(booster.num_trees())
        seen: list[Array] = []

        def capture(prediction: Array, _: Any, seen: list[Array] = seen) -> tuple[str, float, bool]:
            seen.append(prediction)
            return "seen", 0.0, False

        # LightGBM passes an evaluation function the scores that the booster keeps for its validation rows.
        loss = booster.eval_valid(capture if stopper.is_report_round(grown) else None)[0].metric_value
        if seen:
            stopper.report(grown, _prediction(seen[0], task))
        if stopper.has_seen_enough(grown, loss):
            break
    return trees_after


def _goal(task: Task, loss: Loss) -> dict[str, Any]:
    """Return the objective on the train rows and the loss of early stopping on the validation rows."""
    if task.problem_type == "regression":
        return _OF_LOSSES[loss.name] | ({} if loss.quantile is None else {"alpha": loss.quantile})
    if task.n_classes > 2:
        return {"objective": "multiclass", "num_class": task.n_classes, "metric": "multi_logloss"}
    return {"objective": "binary", "metric": "binary_logloss"}


def _binned(prepared_data: PreparedData, parameters: dict[str, Any]) -> Any:
    """Return the binned train and validation rows with all features, so that every fit can use them.

    Without validation rows the second is None.
    """
    from lightgbm import Dataset

    named = ("max_bin", "subsample_for_bin", "random_state", "n_jobs", "verbose")
    options = {name: parameters[name] for name in named if name in parameters}

    def make() -> tuple[Any, Any]:
        # Each Dataset gets a copy, because it keeps and changes its parameters.
        train = Dataset(
            prepared_data.x_train,
            prepared_data.y_train,
            weight=prepared_data.train_weights,
            categorical_feature=list(prepared_data.categories),
            params={**options, "feature_pre_filter": False},
        )
        if not len(prepared_data.y_validation):
            return train.construct(), None
        validation = Dataset(
            prepared_data.x_validation,
            prepared_data.y_validation,
            weight=prepared_data.validation_weights,
            reference=train,
            categorical_feature=list(prepared_data.categories),
            params={**options, "feature_pre_filter": False},
        )
        return train.construct(), validation.construct()

    key = ("lightgbm", options.get("max_bin", _DEFAULT_BINS), options.get("random_state"))
    return prepared_data.binned.once(key, make)


def _prediction(values: Array, task: Task) -> Prediction:
    # A copy, because the booster continues to write to the buffer of the values.
    return Prediction(labels=values.copy()) if task.problem_type == "regression" else from_scores(values)


def _carried(estimator: Any, booster: Any, rounds: int, cap: int, trees: int, prepared_data: PreparedData) -> Fit:
    """Set the booster, without the trees after the best round, on the estimator in the same way as its ``fit``.

    A round that finds no split adds no tree, so the number of the best round may exceed its number of trees, and
    a cut at the best round would include later trees. A booster that is loaded from its text has no training state.
    """
    kept = trees // booster.num_model_per_iteration()
    booster.model_from_string(booster.model_to_string(num_iteration=kept)).free_dataset()
    task = prepared_data.task
    estimator.set_params(n_estimators=rounds)
    estimator._Booster = booster
    estimator._objective = _goal(task, prepared_data.loss)["objective"]
    estimator._n_features = estimator._n_features_in = booster.num_feature()
    estimator._best_iteration, estimator._best_score, estimator._evals_result = rounds, {}, {}
    if task.problem_type != "regression":
        _name_classes(estimator, task)
    estimator.fitted_ = True
    return Fit(estimator, rounds=rounds, stopped_early=rounds < cap)


def _name_classes(estimator: Any, task: Task) -> None:
    from sklearn.preprocessing import LabelEncoder

    estimator._le = LabelEncoder().fit(np.arange(task.n_classes))
    estimator._classes = estimator._le.classes_
    estimator._n_classes = task.n_classes


ALGORITHM = Algorithm(
    name="LightGBM",
    family="boosting",
    complexity=20,
    in_auto=True,
    can_be_monotone=True,
    losses=frozenset(_OF_LOSSES),
    framework="lightgbm",
    classes={
        "binary_classification": "lightgbm.LGBMClassifier",
        "multiclass_classification": "lightgbm.LGBMClassifier",
        "regression": "lightgbm.LGBMRegressor",
    },
    preparation="ordinal",
    default_values={"n_estimators": 300, "max_depth": 6, "learning_rate": 0.1, "num_leaves": 31},
    space={
        "n_estimators": {"type": "int", "low": 50, "high": 500, "step": 50},
        "max_depth": {"type": "int", "low": 3, "high": 12},
        "learning_rate": {"type": "float", "low": 0.01, "high": 0.3, "log": True},
        "num_leaves": {"type": "int", "low": 20, "high": 100},
        "feature_fraction": {"type": "float", "low": 0.5, "high": 1.0},
        "bagging_fraction": {"type": "float", "low": 0.5, "high": 1.0},
        "min_child_samples": {"type": "int", "low": 5, "high": 100},
    },
    # The most leaves and the slowest rate limit what a fit of up to `rounds_cap` rounds costs.
    wide_space={
        "n_estimators": {"type": "int", "low": 50, "high": 1000, "step": 50},
        "max_depth": {"type": "int", "low": 3, "high": 12},
        "learning_rate": {"type": "float", "low": 0.005, "high": 0.2, "log": True},
        "num_leaves": {"type": "int", "low": 4, "high": 128, "log": True},
        "feature_fraction": {"type": "float", "low": 0.3, "high": 1.0},
        "bagging_fraction": {"type": "float", "low": 0.5, "high": 1.0},
        "min_child_samples": {"type": "int", "low": 2, "high": 200, "log": True},
        "reg_alpha": {"type": "float", "low": 1e-3, "high": 10.0, "log": True},
        "reg_lambda": {"type": "float", "low": 1e-3, "high": 100.0, "log": True},
    },
    # bagging_freq: without it LightGBM ignores bagging_fraction, and the search would tune a parameter without effect.
    fixed_values={"random_state": 42, "n_jobs": 1, "verbose": -1, "bagging_freq": 1, "deterministic": True},
    accepts=frozenset(
        {"cat_smooth", "cat_l2", "max_cat_threshold", "max_cat_to_onehot", "min_data_per_group"}
        | {"reg_alpha", "reg_lambda", "min_split_gain", "max_bin", "scale_pos_weight", "is_unbalance", "force_row_wise"}
        | {"min_child_weight", "path_smooth", "extra_trees", "feature_fraction_bynode", "force_col_wise"}
    ),
    fit_estimator=_fit,
    rounds_parameter="n_estimators",
    rounds_cap=1000,
    bins_rows=True,
    consumption=Consumption(
        only_for={"scale_pos_weight": BINARY, "is_unbalance": BINARY},
        needs={
            "bagging_freq": {"bagging_fraction": (GIVEN,)},
            "is_unbalance": {"scale_pos_weight": (ABSENT,)},
        },
    ),
    renamed={"feature_fraction": "colsample_bytree", "bagging_fraction": "subsample", "bagging_freq": "subsample_freq"},
)
