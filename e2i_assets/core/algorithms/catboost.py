"""CatBoost: gradient boosting on symmetric trees with its own treatment of categories; an optional package.

A callback watches the validation rows. The model is loaded into an estimator with the given parameters alone, so that
equal fits are equal models: CatBoost stores the time, an identifier and the losses of each round with a model.
"""

from typing import Any

import numpy as np

from e2i_assets.core.algorithms.algorithm import Algorithm, Fit, from_scores
from e2i_assets.core.algorithms.consumption import BINARY, Consumption
from e2i_assets.core.algorithms.early_stopping import EarlyStopper, FitMonitor
from e2i_assets.core.algorithms.prepared_data import Matrix, PreparedData, Task
from e2i_assets.core.metrics import Array, Prediction

# What a model has besides its trees that its predictions need.
_NEEDED_METADATA = "class_params"
_MISSING = -1
# CatBoost encodes categories in another way in a fit of fewer than 200 rounds. A refit with the rounds that early
# stopping kept would then be another model, so every fit has this number of rounds, and a callback ends it.
_MORE_ROUNDS_THAN_GROWN = 1_000_000


def _fit(estimator: Any, prepared_data: PreparedData, watch: FitMonitor | None) -> Fit:
    cap = int(estimator.get_params()["iterations"])
    train, validation = _pools(prepared_data)
    options = {**estimator.get_params(), **_goal(prepared_data.task), "iterations": _MORE_ROUNDS_THAN_GROWN}
    if watch is None:
        booster = type(estimator)(**options).fit(train, callbacks=[_End(cap)])
        return _carried(estimator, booster, cap, cap)
    stopper = EarlyStopper(watch, cap)
    monitor = _Monitor(stopper, cap, prepared_data.task)
    booster = type(estimator)(**options, eval_metric=monitor).fit(
        train, eval_set=validation, use_best_model=False, callbacks=[monitor]
    )
    if monitor.error is not None:
        raise monitor.error
    return _carried(estimator, booster, stopper.rounds(cap), cap)


class _End:
    """The callback of a fit that is not monitored."""

    def __init__(self, cap: int) -> None:
        self._cap = cap

    def after_iteration(self, info: Any) -> bool:
        """Return whether the fit goes on."""
        return bool(info.iteration < self._cap)


class _Monitor(_End):
    """The metric and the callback of a fit: CatBoost shows the raw predictions of a round to a metric only.

    Attributes:
        no_jit: CatBoost would otherwise compile the metric with numba, and warn where there is no numba.
        error: What a report raised. CatBoost would turn it into an error of its own.
    """

    no_jit = True

    def __init__(self, stopper: EarlyStopper, cap: int, task: Task) -> None:
        super().__init__(cap)
        self._stopper = stopper
        self._task = task
        self._raw: tuple[Array, ...] = ()
        self.error: BaseException | None = None

    def __deepcopy__(self, _: Any) -> "_Monitor":
        """Return the monitor itself: CatBoost copies its parameters, and the metric must stay that of the callback."""
        return self

    def is_max_optimal(self) -> bool:
        return False

    def get_final_error(self, error: float, weight: float) -> float:
        return error

    def evaluate(self, approxes: tuple[Array, ...], target: Array, weight: Array | None) -> tuple[float, float]:
        # The train rows come first in a round, so the last ones are the validation rows.
        self._raw = approxes
        return 0.0, 1.0

    def after_iteration(self, info: Any) -> bool:
        """Return whether the fit goes on."""
        try:
            if self._stopper.is_report_round(info.iteration):
                self._stopper.report(info.iteration, _prediction(self._raw, self._task))
        except BaseException as error:  # noqa: BLE001, raised again by the fit
            self.error = error
            return False
        loss = info.metrics["validation"][_loss(self._task)][-1]
        return not self._stopper.has_seen_enough(info.iteration, loss) and super().after_iteration(info)


def _loss(task: Task) -> str:
    if task.problem_type == "regression":
        return "RMSE"
    return "MultiClass" if task.n_classes > 2 else "Logloss"


def _goal(task: Task) -> dict[str, Any]:
    """Return the loss, and all classes, of which the train rows may lack one."""
    goal: dict[str, Any] = {"loss_function": _loss(task), "allow_const_label": True}
    if task.problem_type != "regression":
        goal["class_names"] = list(range(task.n_classes))
    return goal


def _pools(prepared_data: PreparedData) -> tuple[Any, Any]:
    """Return the train and validation rows; without validation rows the second is None."""

    def make() -> tuple[Any, Any]:
        categories = prepared_data.categories
        train = _pool(prepared_data.x_train, prepared_data.y_train, prepared_data.train_weights, categories)
        if not len(prepared_data.y_validation):
            return train, None
        weights = prepared_data.validation_weights
        return train, _pool(prepared_data.x_validation, prepared_data.y_validation, weights, categories)

    return prepared_data.binned.once("catboost", make)  # type: ignore[no-any-return]


def _pool(x: Matrix, y: Array, weights: Array | None, categories: tuple[int, ...]) -> Any:
    """Return rows for CatBoost, as `fitted_model.readable` does for a prediction: category codes are whole numbers."""
    import pandas as pd
    from catboost import Pool

    if not categories:
        return Pool(x, y, weight=weights)
    frame = pd.DataFrame(x)
    for position in categories:
        frame[position] = np.nan_to_num(x[:, position], nan=_MISSING).astype(np.int64)
    return Pool(frame, y, weight=weights, cat_features=list(categories))


def _prediction(raw: tuple[Array, ...], task: Task) -> Prediction:
    if task.problem_type == "regression":
        return Prediction(labels=np.array(raw[0]))
    if task.n_classes == 2:
        return from_scores(0.5 * (1.0 + np.tanh(0.5 * raw[0])))
    scores = np.column_stack(raw)
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return from_scores(scores)


def _carried(estimator: Any, booster: Any, rounds: int, cap: int) -> Fit:
    """Load the trees up to the best round into the estimator, without what differs between equal fits."""
    if booster.tree_count_ > rounds:
        booster.shrink(rounds)
    facts = booster.get_metadata()
    for name in set(facts.keys()) - {_NEEDED_METADATA}:
        del facts[name]
    estimator.set_params(iterations=rounds)
    estimator.load_model(blob=booster._serialize_model())
    return Fit(estimator, rounds=rounds, stopped_early=rounds < cap)


def _adapted(values: dict[str, Any], _: Any) -> dict[str, Any]:
    """Add that a fit writes nothing, neither files nor text."""
    return {**values, "allow_writing_files": False, "logging_level": "Silent"}


ALGORITHM = Algorithm(
    name="CatBoost",
    family="boosting",
    complexity=23,  # It cannot be monotone: its fits do not keep their constraints.
    framework="catboost",
    extra="catboost",
    classes={
        "binary_classification": "catboost.CatBoostClassifier",
        "multiclass_classification": "catboost.CatBoostClassifier",
        "regression": "catboost.CatBoostRegressor",
    },
    preparation="ordinal",
    default_values={"n_estimators": 300, "depth": 6, "learning_rate": 0.1, "l2_leaf_reg": 3.0},
    # A tree has 2 ** depth leaves, also where few rows are: the depth limits what a fit costs.
    space={
        "n_estimators": {"type": "int", "low": 50, "high": 500, "step": 50},
        "depth": {"type": "int", "low": 3, "high": 8},
        "learning_rate": {"type": "float", "low": 0.01, "high": 0.3, "log": True},
        "l2_leaf_reg": {"type": "float", "low": 1.0, "high": 10.0, "log": True},
        "random_strength": {"type": "float", "low": 0.1, "high": 10.0, "log": True},
        "bagging_temperature": {"type": "float", "low": 0.0, "high": 1.0},
        "rsm": {"type": "float", "low": 0.5, "high": 1.0},
    },
    wide_space={
        "n_estimators": {"type": "int", "low": 50, "high": 1000, "step": 50},
        "depth": {"type": "int", "low": 2, "high": 9},
        "learning_rate": {"type": "float", "low": 0.005, "high": 0.2, "log": True},
        "l2_leaf_reg": {"type": "float", "low": 0.1, "high": 100.0, "log": True},
        "random_strength": {"type": "float", "low": 0.01, "high": 10.0, "log": True},
        "bagging_temperature": {"type": "float", "low": 0.0, "high": 2.0},
        "rsm": {"type": "float", "low": 0.3, "high": 1.0},
    },
    # Ordered boosting and combinations of up to four categories, its default, make a fit several times as dear.
    fixed_values={
        **{"random_state": 42, "thread_count": 1, "bootstrap_type": "Bayesian"},
        **{"boosting_type": "Plain", "max_ctr_complexity": 2},
    },
    accepts=frozenset({"border_count", "one_hot_max_size", "grow_policy", "min_data_in_leaf", "scale_pos_weight"}),
    fit_estimator=_fit,
    rounds_parameter="n_estimators",
    rounds_cap=1000,
    bins_rows=True,
    renamed={"n_estimators": "iterations", "random_state": "random_seed"},
    adapted=_adapted,
    consumption=Consumption(
        only_for={"scale_pos_weight": BINARY},
        needs={
            "min_data_in_leaf": {"grow_policy": ("Depthwise", "Lossguide")},
            "bagging_temperature": {"bootstrap_type": ("Bayesian",)},
        },
    ),
)
