"""XGBoost: gradient boosting on histograms, one thread per fit, missing values handled by the booster itself.

The rows are binned once for all fits, and XGBoost's training loop grows the booster. The result is the same estimator
that XGBoost's scikit-learn interface fits.
"""

from typing import Any

from e2i_assets.core.algorithms.algorithm import Algorithm, Fit, from_scores
from e2i_assets.core.algorithms.consumption import BINARY, Consumption
from e2i_assets.core.algorithms.early_stopping import EarlyStopper, FitMonitor
from e2i_assets.core.algorithms.prepared_data import PreparedData, Task
from e2i_assets.core.losses import TWEEDIE_POWER, Loss, LossName
from e2i_assets.core.metrics import Array, Prediction

_VALIDATION = "validation"
_DEFAULT_BINS = 256
# The objective on the train rows, and the metric of early stopping on the validation rows.
_OF_LOSSES: dict[LossName, dict[str, Any]] = {
    "squared_error": {"objective": "reg:squarederror", "eval_metric": "rmse"},
    "absolute_error": {"objective": "reg:absoluteerror", "eval_metric": "mae"},
    "poisson": {"objective": "count:poisson", "eval_metric": "poisson-nloglik"},
    "gamma": {"objective": "reg:gamma", "eval_metric": "gamma-deviance"},
    "tweedie": {
        "objective": "reg:tweedie",
        "tweedie_variance_power": TWEEDIE_POWER,
        "eval_metric": f"tweedie-nloglik@{TWEEDIE_POWER}",
    },
    "quantile": {"objective": "reg:quantileerror", "eval_metric": "quantile"},
}


def _fit(estimator: Any, prepared_data: PreparedData, watch: FitMonitor | None) -> Fit:
    import xgboost

    cap = estimator.get_num_boosting_rounds()
    if prepared_data.categories:
        # The estimator keeps the feature types, because it builds a new matrix for each prediction.
        estimator.set_params(enable_categorical=True, feature_types=_feature_types(prepared_data))
    parameters = {**estimator.get_xgb_params(), **_goal(prepared_data.task, prepared_data.loss)}
    if prepared_data.directions:
        parameters["monotone_constraints"] = str(prepared_data.directions)
    # As a context, because verbosity as a booster parameter would stay set in the training thread.
    with xgboost.config_context(verbosity=estimator.verbosity):
        train, validation = _binned(prepared_data, estimator)
        if watch is None:
            booster = xgboost.train(parameters, train, cap, verbose_eval=False)
            return _carried(estimator, booster, cap, cap, prepared_data)
        stopper = EarlyStopper(watch, cap)
        booster = xgboost.train(
            parameters,
            train,
            cap,
            evals=[(validation, _VALIDATION)],
            callbacks=[_callback(stopper, validation, prepared_data.task)],
            verbose_eval=False,
        )
        return _carried(estimator, booster, stopper.rounds(cap), cap, prepared_data)


def _feature_types(prepared_data: PreparedData) -> list[str]:
    """Return XGBoost's type code of each feature: q for numbers, c for category codes."""
    kinds = ["q"] * prepared_data.x_validation.shape[1]
    for position in prepared_data.categories:
        kinds[position] = "c"
    return kinds


def _goal(task: Task, loss: Loss) -> dict[str, Any]:
    """Return the objective on the train rows and the loss of early stopping on the validation rows."""
    if task.problem_type == "regression":
        return _OF_LOSSES[loss.name] | ({} if loss.quantile is None else {"quantile_alpha": loss.quantile})
    if task.n_classes > 2:
        return {"objective": "multi:softprob", "num_class": task.n_classes, "eval_metric": "mlogloss"}
    return {"objective": "binary:logistic", "eval_metric": "logloss"}


def _binned(prepared_data: PreparedData, estimator: Any) -> Any:
    """Return the binned train rows, and the validation rows as they are: None without any.

    XGBoost looks up the value of each bin again to evaluate a round on binned rows, which costs up to a fifth of it.
    """
    from xgboost import DMatrix, QuantileDMatrix

    max_bin = estimator.max_bin or _DEFAULT_BINS

    def make() -> tuple[Any, Any]:
        options = {"nthread": estimator.n_jobs}
        if prepared_data.categories:
            options |= {"enable_categorical": True, "feature_types": _feature_types(prepared_data)}
        train = QuantileDMatrix(
            prepared_data.x_train,
            prepared_data.y_train,
            weight=prepared_data.train_weights,
            max_bin=max_bin,
            **options,
        )
        if not len(prepared_data.y_validation):
            return train, None
        validation = DMatrix(
            prepared_data.x_validation, prepared_data.y_validation, weight=prepared_data.validation_weights, **options
        )
        return train, validation

    return prepared_data.binned.once(("xgboost", max_bin), make)


def _callback(stopper: EarlyStopper, validation: Any, task: Task) -> Any:
    from xgboost.callback import TrainingCallback

    class StopperCallback(TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            grown = epoch + 1
            if stopper.is_report_round(grown):
                # The booster caches its margins for the evaluated rows, so no tree is evaluated again.
                stopper.report(grown, _prediction(model.predict(validation), task))
            (losses,) = evals_log[_VALIDATION].values()
            return stopper.has_seen_enough(grown, losses[-1])

    return StopperCallback()


def _prediction(values: Array, task: Task) -> Prediction:
    return Prediction(labels=values.astype(float)) if task.problem_type == "regression" else from_scores(values)


def _carried(estimator: Any, booster: Any, rounds: int, cap: int, prepared_data: PreparedData) -> Fit:
    """Set the booster, without the rounds after the best one, on the estimator in the same way as its ``fit``."""
    if rounds < booster.num_boosted_rounds():
        booster = booster[:rounds]
        booster.set_param({"nthread": estimator.n_jobs})
    estimator._Booster = booster
    task = prepared_data.task
    estimator.set_params(n_estimators=rounds, objective=_goal(task, prepared_data.loss)["objective"])
    if task.problem_type != "regression":
        estimator.n_classes_ = task.n_classes
    return Fit(estimator, rounds=rounds, stopped_early=rounds < cap)


ALGORITHM = Algorithm(
    name="XGBoost",
    family="boosting",
    complexity=21,
    in_auto=True,
    can_be_monotone=True,
    losses=frozenset(_OF_LOSSES),
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
    # The depth is the logarithm of the number of leaves. Depth and the slowest rate limit what a fit costs.
    wide_space={
        "n_estimators": {"type": "int", "low": 50, "high": 1000, "step": 50},
        "max_depth": {"type": "int", "low": 2, "high": 10},
        "learning_rate": {"type": "float", "low": 0.005, "high": 0.2, "log": True},
        "subsample": {"type": "float", "low": 0.5, "high": 1.0},
        "colsample_bytree": {"type": "float", "low": 0.3, "high": 1.0},
        "min_child_weight": {"type": "int", "low": 1, "high": 100, "log": True},
        "reg_alpha": {"type": "float", "low": 1e-3, "high": 10.0, "log": True},
        "reg_lambda": {"type": "float", "low": 1e-2, "high": 100.0, "log": True},
    },
    fixed_values={"random_state": 42, "n_jobs": 1, "verbosity": 0},
    accepts=frozenset(
        {"gamma", "max_bin", "max_leaves", "grow_policy", "max_delta_step", "colsample_bylevel", "colsample_bynode"}
        | {"scale_pos_weight", "num_parallel_tree", "sampling_method", "max_cat_to_onehot", "max_cat_threshold"}
    ),
    fit_estimator=_fit,
    rounds_parameter="n_estimators",
    rounds_cap=1000,
    bins_rows=True,
    consumption=Consumption(
        only_for={"scale_pos_weight": BINARY},
        # Without a limit of leaves, both growth policies produce the same tree.
        completes={"grow_policy": ("lossguide", "max_leaves")},
    ),
)
