"""The metrics that a study can optimise, by problem type. All formulas are scikit-learn's, without changes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from e2i_assets.core import quick_scores
from e2i_assets.core.errors import E2iError
from e2i_assets.core.losses import POWERS, SQUARED_ERROR, Loss, is_loss_metric, pinball_quantile, row_losses, undefined

ProblemType = Literal["binary_classification", "multiclass_classification", "regression"]
PROBLEM_TYPES: tuple[ProblemType, ...] = get_args(ProblemType)
Array = NDArray[Any]
Score = Callable[..., float]


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction of a fitted model for n rows.

    Attributes:
        labels: Shape (n,): class codes 0..k-1, or the predicted values of a regression.
        scores: Shape (n, k) class probabilities, or None for a regression.
    """

    labels: Array
    scores: Array | None = None

    def at(self, rows: Array | slice) -> "Prediction":
        """Return the prediction of some of the rows."""
        return Prediction(self.labels[rows], None if self.scores is None else self.scores[rows])


def counted(y_true: Array, prediction: Prediction, weights: Array | None) -> tuple[Array, Prediction, Array | None]:
    """Return the rows with a positive weight: a row of weight 0 counts as absent. None weights all rows equally."""
    if weights is None or weights.all():
        return y_true, prediction, weights
    rows = weights > 0
    return y_true[rows], prediction.at(rows), weights[rows]


@dataclass(frozen=True, slots=True)
class Metric:
    """One way to score predictions.

    Attributes:
        name: The name in experiment files.
        greater_is_better: False for losses and errors.
        needs: The part of a prediction that it reads.
        function: ``(y_true, labels or scores) -> float``; with sample weights they are its third argument.
        quick: A faster function without weights and with the same result, for the intermediate reports of a fit.
    """

    name: str
    greater_is_better: bool
    needs: Literal["labels", "scores", "values"]
    function: Score
    quick: Callable[[Array, Array], float] | None = None

    def score(self, y_true: Array, prediction: Prediction, weights: Array | None = None) -> float:
        """Return the metric in its natural orientation (an RMSE is positive).

        Args:
            y_true: Shape (n,): class codes or values.
            prediction: The predictions for the same rows.
            weights: Shape (n,): sample weights; None weights all rows equally.

        Raises:
            E2iError: The metric needs class probabilities and the model predicts none.
        """
        y_true, prediction, weights = counted(y_true, prediction, weights)
        weighted = () if weights is None else (weights,)
        return float(self.function(y_true, self._needed(prediction), *weighted))

    def quick_score(self, y_true: Array, prediction: Prediction, weights: Array | None = None) -> float:
        """Return the same value as `score`, up to rounding, with the fastest available function."""
        if self.quick is None or weights is not None:
            return self.score(y_true, prediction, weights)
        return float(self.quick(y_true, self._needed(prediction)))

    def _needed(self, prediction: Prediction) -> Array:
        if self.needs != "scores":
            return prediction.labels
        if prediction.scores is None:
            raise E2iError(f"metric {self.name!r} needs class probabilities, and this model predicts none")
        return prediction.scores

    def oriented(self, value: float) -> float:
        """Convert a natural value to the value that a study maximises, or back: the function is its own inverse."""
        return value if self.greater_is_better else -value


def _sklearn(name: str, **options: Any) -> Score:
    def score(y_true: Array, predicted: Array, weights: Array | None = None) -> float:
        from sklearn import metrics as sklearn_metrics

        return float(getattr(sklearn_metrics, name)(y_true, predicted, sample_weight=weights, **options))

    return score


def _of_positive(name: str) -> Score:
    score = _sklearn(name)
    return lambda y_true, scores, weights=None: score(y_true, scores[:, 1], weights)


def _log_loss(y_true: Array, scores: Array, weights: Array | None = None) -> float:
    return _sklearn("log_loss", labels=np.arange(scores.shape[1]))(y_true, scores, weights)


def _quadratic_weighted_kappa(y_true: Array, labels: Array, weights: Array | None = None) -> float:
    # Without all codes, scikit-learn would measure distances between the classes that occur.
    codes = np.arange(max(y_true.max(), labels.max()) + 1)
    return _sklearn("cohen_kappa_score", labels=codes, weights="quadratic")(y_true, labels, weights)


def _ovr_roc_auc(y_true: Array, scores: Array, weights: Array | None = None) -> float:
    options = {"multi_class": "ovr", "average": "macro", "labels": np.arange(scores.shape[1])}
    return _sklearn("roc_auc_score", **options)(y_true, scores, weights)


def _by_name(*metrics: Metric) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


_ACCURACIES = (
    Metric("accuracy", True, "labels", _sklearn("accuracy_score"), quick_scores.accuracy),
    Metric("balanced_accuracy", True, "labels", _sklearn("balanced_accuracy_score")),
    Metric("log_loss", False, "scores", _log_loss),
)

# They use the distance between two classes, so the classes need an order.
OF_ORDER = frozenset({"quadratic_weighted_kappa", "rank_mae"})

# Without those of a regression that belong to a loss, see `losses`.
METRICS: dict[ProblemType, dict[str, Metric]] = {
    "binary_classification": _by_name(
        Metric("roc_auc", True, "scores", _of_positive("roc_auc_score"), quick_scores.roc_auc),
        Metric("pr_auc", True, "scores", _of_positive("average_precision_score")),
        Metric("brier_score", False, "scores", _of_positive("brier_score_loss")),
        Metric("f1", True, "labels", _sklearn("f1_score", zero_division=0.0), quick_scores.f1),
        Metric("precision", True, "labels", _sklearn("precision_score", zero_division=0.0)),
        Metric("recall", True, "labels", _sklearn("recall_score", zero_division=0.0)),
        *_ACCURACIES,
    ),
    "multiclass_classification": _by_name(
        Metric(
            "f1_weighted",
            True,
            "labels",
            _sklearn("f1_score", average="weighted", zero_division=0.0),
            quick_scores.f1_weighted,
        ),
        Metric(
            "f1_macro", True, "labels", _sklearn("f1_score", average="macro", zero_division=0.0), quick_scores.f1_macro
        ),
        Metric("roc_auc", True, "scores", _ovr_roc_auc, quick_scores.ovr_roc_auc),
        Metric(
            "precision_weighted", True, "labels", _sklearn("precision_score", average="weighted", zero_division=0.0)
        ),
        Metric("recall_weighted", True, "labels", _sklearn("recall_score", average="weighted", zero_division=0.0)),
        Metric(
            "quadratic_weighted_kappa",
            True,
            "labels",
            _quadratic_weighted_kappa,
            quick_scores.quadratic_weighted_kappa,
        ),
        Metric("rank_mae", False, "labels", _sklearn("mean_absolute_error"), quick_scores.mae),
        *_ACCURACIES,
    ),
    "regression": _by_name(
        Metric("rmse", False, "values", _sklearn("root_mean_squared_error"), quick_scores.rmse),
        Metric("mae", False, "values", _sklearn("mean_absolute_error"), quick_scores.mae),
        Metric("mse", False, "values", _sklearn("mean_squared_error"), quick_scores.mse),
        Metric("r2", True, "values", _sklearn("r2_score")),
    ),
}


def names(problem_type: ProblemType) -> tuple[str, ...]:
    """Return the metrics of a problem type, the default one first, without the pinball losses of each quantile."""
    return (*METRICS[problem_type], *(POWERS if problem_type == "regression" else ()))


def default_metric(problem_type: ProblemType, has_declared_order: bool = False, loss: Loss = SQUARED_ERROR) -> str:
    """Return the metric that is optimised by default; for a regression, that of its loss."""
    if problem_type == "regression":
        return loss.metric
    if has_declared_order and problem_type == "multiclass_classification":
        return "quadratic_weighted_kappa"
    return names(problem_type)[0]


def metric(name: str, problem_type: ProblemType) -> Metric:
    """Return the metric with this name.

    Raises:
        E2iError: The problem type has no metric of that name.
    """
    if problem_type == "regression" and is_loss_metric(name):
        return Metric(name, False, "values", partial(_of_loss, name), partial(_quick_of_loss, name))
    try:
        return METRICS[problem_type][name]
    except KeyError:
        known = ", ".join(names(problem_type))
        raise E2iError(f"unknown metric {name!r} for {problem_type}: choose one of {known}") from None


def is_metric(name: str, problem_type: ProblemType) -> bool:
    """Return whether a problem type has a metric of that name."""
    return name in METRICS[problem_type] or (problem_type == "regression" and is_loss_metric(name))


def _of_loss(name: str, y_true: Array, values: Array, weights: Array | None = None) -> float:
    _require_defined(name, y_true, values)
    quantile = pinball_quantile(name)
    if quantile is not None:
        return _sklearn("mean_pinball_loss", alpha=quantile)(y_true, values, weights)
    return _sklearn("mean_tweedie_deviance", power=POWERS[name])(y_true, values, weights)


def _quick_of_loss(name: str, y_true: Array, values: Array) -> float:
    _require_defined(name, y_true, values)
    return float(np.mean(row_losses(name, y_true, values)))


def _require_defined(name: str, y_true: Array, values: Array) -> None:
    if why := undefined(name, y_true, values):
        raise E2iError(f"{name} is undefined: {why}")
