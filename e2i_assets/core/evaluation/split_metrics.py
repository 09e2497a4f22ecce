"""The metrics of one split by name; an undefined metric is left out with its reason and is never NaN."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from e2i_assets.core.evaluation.calibration import calibration_error
from e2i_assets.core.evaluation.confusion import Confusion, NotComputable
from e2i_assets.core.evaluation.measures import PRECISION_AT
from e2i_assets.core.evaluation.thresholds import DEFAULT_THRESHOLD, labels_at, precision_at
from e2i_assets.core.losses import undefined
from e2i_assets.core.metrics import OF_ORDER, Array, Prediction, ProblemType, metric

Formulas = Mapping[str, Callable[[], float]]


def computed(formulas: Formulas) -> tuple[dict[str, float], dict[str, str]]:
    """Return the metrics that are defined, and for each other metric the reason why it is not."""
    values: dict[str, float] = {}
    missing: dict[str, str] = {}
    for name, formula in formulas.items():
        try:
            values[name] = float(formula())
        except NotComputable as reason:
            missing[name] = str(reason)
    return values, missing


def binary(
    y_true: Array,
    prediction: Prediction,
    confusion: Confusion,
    minority_class: int | None,
    weights: Array | None = None,
) -> Formulas:
    """Return the formulas of `measures.names("binary_classification")`.

    Args:
        y_true: Class codes 0 and 1.
        prediction: The predictions for the same rows, with the labels that the confusion matrix counts.
        confusion: The confusion matrix of those labels.
        minority_class: The rarer class of the train rows.
        weights: Sample weights above 0, which the confusion matrix has as well; None weights all rows equally.
    """

    def of_minority(ratio: Callable[[int], float]) -> float:
        if minority_class is None:
            raise NotComputable("the rarer class is not known")
        return ratio(minority_class)

    def top(k: int) -> float:
        if k > len(y_true):
            raise NotComputable(f"there are only {len(y_true)} rows")
        return precision_at(k, y_true, _scores(prediction), weights)

    return {
        "accuracy": lambda: confusion.accuracy,
        "balanced_accuracy": lambda: confusion.balanced_accuracy,
        "precision": lambda: confusion.precision(1),
        "recall": lambda: confusion.recall(1),
        "f1_score": lambda: confusion.f1(1),
        "f1_macro": lambda: confusion.macro("f1"),
        "f1_weighted": lambda: confusion.weighted("f1"),
        **{f"precision_class_{code}": partial(confusion.precision, code) for code in (0, 1)},
        **{f"recall_class_{code}": partial(confusion.recall, code) for code in (0, 1)},
        "minority_precision": lambda: of_minority(confusion.precision),
        "minority_recall": lambda: of_minority(confusion.recall),
        "minority_recall_at_05": lambda: of_minority(_at_half(y_true, prediction, weights).recall),
        "false_positive_rate": lambda: 1 - confusion.recall(0),
        "pr_auc": lambda: _ranked("pr_auc", "binary_classification", y_true, prediction, weights),
        "brier_score": lambda: float(np.average((_scores(prediction)[:, 1] - y_true) ** 2, weights=weights)),
        **{f"precision_at_{k}": partial(top, k) for k in PRECISION_AT},
        **_of_probabilities("binary_classification", y_true, prediction, weights),
    }


def multiclass(
    y_true: Array, prediction: Prediction, confusion: Confusion, ordered: bool, weights: Array | None = None
) -> Formulas:
    """Return the formulas of `measures.names("multiclass_classification")`.

    Args:
        y_true: Class codes.
        prediction: The predictions for the same rows.
        confusion: The confusion matrix of the predicted labels.
        ordered: Whether the codes are in the order of the classes, so that their differences are distances.
        weights: See `binary`.
    """

    def of_order(name: str) -> float:
        if not ordered:
            raise NotComputable("the classes have no order: declare it with target.order")
        if name == "quadratic_weighted_kappa" and len(np.unique(y_true)) < 2:
            raise NotComputable("all rows are of one class")
        return metric(name, "multiclass_classification").score(y_true, prediction, weights)

    return {
        "accuracy": lambda: confusion.accuracy,
        "balanced_accuracy": lambda: confusion.balanced_accuracy,
        "f1_macro": lambda: confusion.macro("f1"),
        "f1_weighted": lambda: confusion.weighted("f1"),
        "precision_macro": lambda: confusion.macro("precision"),
        "recall_macro": lambda: confusion.macro("recall"),
        "precision_weighted": lambda: confusion.weighted("precision"),
        "recall_weighted": lambda: confusion.weighted("recall"),
        **{name: partial(of_order, name) for name in sorted(OF_ORDER)},
        **_of_probabilities("multiclass_classification", y_true, prediction, weights),
    }


def regression(
    y_true: Array, predicted: Array, weights: Array | None = None, loss_metrics: Sequence[str] = ()
) -> Formulas:
    """Return the formulas of `measures.names("regression")` and of metrics of losses, with sample weights above 0."""
    error = y_true - predicted
    mse = float(np.average(error**2, weights=weights))

    def mape() -> float:
        if not np.all(y_true):
            raise NotComputable("a true value is 0, so its relative error is undefined")
        return float(np.average(np.abs(error / y_true), weights=weights))

    def of_loss(name: str) -> float:
        if why := undefined(name, y_true, predicted):
            raise NotComputable(why)
        return metric(name, "regression").score(y_true, Prediction(predicted), weights)

    def r2() -> float:
        if np.ptp(y_true) == 0:
            raise NotComputable("all rows have the same value")
        return float(1 - mse / np.average((y_true - np.average(y_true, weights=weights)) ** 2, weights=weights))

    return {
        "mse": lambda: mse,
        "rmse": lambda: mse**0.5,
        "mae": lambda: float(np.average(np.abs(error), weights=weights)),
        "mape": mape,
        "r2": r2,
        **{name: partial(of_loss, name) for name in loss_metrics},
    }


def _of_probabilities(
    problem_type: ProblemType, y_true: Array, prediction: Prediction, weights: Array | None
) -> Formulas:
    def log_loss() -> float:
        _scores(prediction)
        return metric("log_loss", problem_type).score(y_true, prediction, weights)

    return {
        "roc_auc": lambda: _ranked("roc_auc", problem_type, y_true, prediction, weights),
        "log_loss": log_loss,
        "calibration_error": lambda: calibration_error(y_true, _scores(prediction), weights),
    }


def _ranked(
    name: str, problem_type: ProblemType, y_true: Array, prediction: Prediction, weights: Array | None
) -> float:
    absent = sorted(set(range(_scores(prediction).shape[1])) - set(np.unique(y_true).tolist()))
    if absent:
        raise NotComputable(f"no row is of class {', '.join(map(str, absent))}")
    return metric(name, problem_type).score(y_true, prediction, weights)


def _at_half(y_true: Array, prediction: Prediction, weights: Array | None) -> Confusion:
    return Confusion.of(2, y_true, labels_at(_scores(prediction), DEFAULT_THRESHOLD), weights)


def _scores(prediction: Prediction) -> Array:
    if prediction.scores is None:
        raise NotComputable("the model predicts no class probabilities")
    return prediction.scores
