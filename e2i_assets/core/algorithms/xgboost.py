"""XGBoost: gradient boosting on histograms, one thread per fit, missing values handled by the booster itself."""

from collections.abc import Callable
from typing import Any

from e2i_assets.core.algorithms.algorithm import Algorithm, Fit, Matrix, Task, Watch, from_scores
from e2i_assets.core.algorithms.ladder import rungs
from e2i_assets.core.metrics import Array, Prediction

_LOSS = {"binary_classification": "logloss", "multiclass_classification": "mlogloss", "regression": "rmse"}


def _fit(estimator: Any, x: Matrix, y: Array, task: Task, watch: Watch | None) -> Fit:
    if watch is None:
        return Fit(estimator.fit(x, y), rounds=estimator.n_estimators)
    callbacks = [_reporter(watch, estimator.n_estimators, task)] if watch.report else None
    estimator.set_params(
        eval_metric=_LOSS[task.problem_type], early_stopping_rounds=watch.patience, callbacks=callbacks
    )
    estimator.fit(x, y, eval_set=[(watch.x, watch.y)], verbose=False)
    estimator.set_params(callbacks=None)
    if watch.patience is None:
        return Fit(estimator, rounds=estimator.n_estimators)
    rounds = estimator.best_iteration + 1
    return Fit(estimator, rounds=rounds, stopped_early=rounds < estimator.n_estimators)


def _reporter(watch: Watch, cap: int, task: Task) -> Any:
    from xgboost.callback import TrainingCallback

    report: Callable[[int, Prediction], None] | None = watch.report
    ladder = frozenset(rungs(cap))

    class Reporter(TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            if report is not None and epoch + 1 in ladder:
                values = model.inplace_predict(watch.x, iteration_range=(0, epoch + 1))
                regression = task.problem_type == "regression"
                report(epoch + 1, Prediction(labels=values) if regression else from_scores(values))
            return False

    return Reporter()


ALGORITHM = Algorithm(
    name="XGBoost",
    family="boosting",
    framework="xgboost",
    classes={
        "binary_classification": "xgboost.XGBClassifier",
        "multiclass_classification": "xgboost.XGBClassifier",
        "regression": "xgboost.XGBRegressor",
    },
    preparation="ordinal",
    default_values={"n_estimators": 300, "max_depth": 6, "learning_rate": 0.1, "subsample": 0.8},
    space={
        "n_estimators": {"type": "int", "low": 50, "high": 500, "step": 50},
        "max_depth": {"type": "int", "low": 3, "high": 10},
        "learning_rate": {"type": "float", "low": 0.01, "high": 0.3, "log": True},
        "subsample": {"type": "float", "low": 0.6, "high": 1.0},
        "colsample_bytree": {"type": "float", "low": 0.6, "high": 1.0},
        "min_child_weight": {"type": "int", "low": 1, "high": 10},
        "reg_alpha": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
        "reg_lambda": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
    },
    fixed_values={"random_state": 42, "n_jobs": 1, "verbosity": 0},
    accepts=frozenset(
        {"gamma", "max_bin", "max_leaves", "grow_policy", "max_delta_step", "colsample_bylevel", "colsample_bynode"}
        | {"scale_pos_weight", "num_parallel_tree", "sampling_method"}
    ),
    fit_estimator=_fit,
    rounds_parameter="n_estimators",
)
