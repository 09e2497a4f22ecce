"""LightGBM: leaf-wise gradient boosting, one thread per fit, missing values handled by the booster itself."""

from collections.abc import Callable
from typing import Any

from e2i_assets.core.algorithms.algorithm import Algorithm, Fit, Matrix, Task, Watch, from_scores
from e2i_assets.core.algorithms.ladder import rungs
from e2i_assets.core.metrics import Array, Prediction

_LOSS = {"binary_classification": "binary_logloss", "multiclass_classification": "multi_logloss", "regression": "rmse"}


def _fit(estimator: Any, x: Matrix, y: Array, task: Task, watch: Watch | None) -> Fit:
    if watch is None:
        return Fit(estimator.fit(x, y), rounds=estimator.n_estimators)
    from lightgbm import early_stopping

    trees_after: list[int] = []
    callbacks: list[Callable[[Any], None]] = [lambda environment: trees_after.append(environment.model.num_trees())]
    if watch.report:
        callbacks.append(_reporter(watch, estimator.n_estimators, task))
    if watch.patience is not None:
        callbacks.append(early_stopping(watch.patience, verbose=False))
    loss = _LOSS[task.problem_type]
    estimator.fit(x, y, eval_X=watch.x, eval_y=watch.y, eval_metric=loss, callbacks=callbacks)
    if watch.patience is None:
        return Fit(estimator, rounds=estimator.n_estimators)
    rounds = estimator.best_iteration_
    _cut_back(estimator.booster_, trees_after[rounds - 1])
    return Fit(estimator, rounds=rounds, stopped_early=rounds < estimator.n_estimators)


def _cut_back(booster: Any, trees: int) -> None:
    """Take away the trees that were grown after the best round.

    A round that finds no split adds no tree, so the best round's number may be larger than its number of trees, and
    predicting "up to the best round" would use trees from after it.
    """
    if booster.num_trees() > trees:
        kept = trees // booster.num_model_per_iteration()
        booster.model_from_string(booster.model_to_string(num_iteration=kept))


def _reporter(watch: Watch, cap: int, task: Task) -> Callable[[Any], None]:
    report = watch.report
    ladder = frozenset(rungs(cap))

    def after_iteration(environment: Any) -> None:
        grown = environment.iteration + 1
        if report is not None and grown in ladder:
            values = environment.model.predict(watch.x, num_iteration=grown)
            regression = task.problem_type == "regression"
            report(grown, Prediction(labels=values) if regression else from_scores(values))

    return after_iteration


ALGORITHM = Algorithm(
    name="LightGBM",
    family="boosting",
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
    # bagging_freq: without it LightGBM ignores bagging_fraction, and the search would tune a parameter of no effect.
    fixed_values={"random_state": 42, "n_jobs": 1, "verbose": -1, "bagging_freq": 1, "deterministic": True},
    accepts=frozenset(
        {"reg_alpha", "reg_lambda", "min_split_gain", "max_bin", "scale_pos_weight", "is_unbalance", "force_row_wise"}
        | {"min_child_weight", "path_smooth", "extra_trees", "feature_fraction_bynode", "force_col_wise"}
    ),
    fit_estimator=_fit,
    rounds_parameter="n_estimators",
    renamed={"feature_fraction": "colsample_bytree", "bagging_fraction": "subsample", "bagging_freq": "subsample_freq"},
)
