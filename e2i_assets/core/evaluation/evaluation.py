"""The evaluation of a fitted model: the metrics of every split, their intervals, and the metrics that are undefined."""

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from e2i_assets.core.contracts.contract import ConfusionMatrix, ValidationMetrics
from e2i_assets.core.errors import E2iError
from e2i_assets.core.evaluation.confusion import Confusion
from e2i_assets.core.evaluation.intervals import Interval, bootstrap_intervals
from e2i_assets.core.evaluation.split_metrics import binary, computed, multiclass, regression
from e2i_assets.core.evaluation.thresholds import labels_at
from e2i_assets.core.metrics import Array, Prediction, ProblemType, counted


class _Reported(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class SplitEvaluation(_Reported):
    """The metrics of one split at one threshold.

    Attributes:
        n_rows: Number of rows in the split.
        effective_rows: With sample weights, the number of equally weighted rows that carry as much information (Kish,
            1965): the squared sum of the weights over the sum of their squares. None without weights.
        metrics: Finite values by the names of `measures.names`.
        not_computable: Every other name, with the reason.
        confusion: Numbers of rows, whatever their weights: rows by true class, columns by predicted class; None for a
            regression.
    """

    n_rows: int
    metrics: dict[str, float]
    not_computable: dict[str, str]
    confusion: list[list[int]] | None = None
    effective_rows: float | None = None

    @property
    def confusion_matrix(self) -> ConfusionMatrix | None:
        """The four counts of a binary model; None for any other."""
        if self.confusion is None or len(self.confusion) != 2:
            return None
        (tn, fp), (fn, tp) = self.confusion
        return ConfusionMatrix(TP=tp, TN=tn, FP=fp, FN=fn)


class Evaluation(_Reported):
    """The evaluation of a model on all splits.

    Attributes:
        problem_type: Decides which metrics are computed.
        threshold: The binary threshold of `splits` and `intervals`; None uses the predicted labels.
        splits: By name of the split.
        at_predicted_labels: The same splits with the labels as the model predicts them (0.5 for two classes); empty
            without a threshold.
        intervals: 95 % bootstrap intervals around the metrics of `interval_role`, at the same threshold.
        interval_role: The split that the intervals belong to.
        seed: Seed of the bootstrap.
    """

    problem_type: ProblemType
    threshold: float | None
    splits: dict[str, SplitEvaluation]
    at_predicted_labels: dict[str, SplitEvaluation]
    intervals: dict[str, Interval]
    interval_role: str
    seed: int


def evaluation(
    problem_type: ProblemType,
    rows: Mapping[str, tuple[Array, Prediction]],
    *,
    threshold: float | None = None,
    minority_class: int | None = None,
    ordered: bool = False,
    weights: Mapping[str, Array | None] | None = None,
    groups: Array | None = None,
    loss_metrics: Sequence[str] = (),
    interval_role: str = "test",
    seed: int = 42,
    n_resamples: int = 1000,
) -> Evaluation:
    """Evaluate a model on each split.

    Args:
        problem_type: Decides the metrics.
        rows: Class codes 0..k-1 or values, with their predictions, by split (train, validation, test).
        threshold: Binary only: a threshold that was chosen on validation (`thresholds.youden_threshold`).
        minority_class: The rarer class of the train rows.
        ordered: Whether the classes have an order.
        weights: Sample weights by split; None weights all rows equally.
        groups: The group of each row of `interval_role`, such as a person, which its intervals draw as a whole; None if
            the rows are independent.
        loss_metrics: Regression only: deviances and pinball losses to report too.
        interval_role: The split in `rows` that gets intervals.
        seed: Seed of the bootstrap.
        n_resamples: Number of resamples of the bootstrap.

    Raises:
        E2iError: A prediction does not fit its rows or is not finite, or a threshold does not apply.
    """

    of_split = weights or {}

    def at(cut_off: float | None) -> dict[str, SplitEvaluation]:
        return {
            split: split_evaluation(
                problem_type,
                *of,
                cut_off,
                minority_class,
                ordered=ordered,
                weights=of_split.get(split),
                loss_metrics=loss_metrics,
            )
            for split, of in rows.items()
        }

    splits = at(threshold)
    y_true, prediction = rows[interval_role]
    return Evaluation(
        problem_type=problem_type,
        threshold=threshold,
        splits=splits,
        at_predicted_labels={} if threshold is None else at(None),
        intervals=bootstrap_intervals(
            problem_type,
            y_true,
            prediction,
            threshold,
            ordered=ordered,
            weights=of_split.get(interval_role),
            groups=groups,
            loss_metrics=loss_metrics,
            seed=seed,
            n_resamples=n_resamples,
        ),
        interval_role=interval_role,
        seed=seed,
    )


def split_evaluation(
    problem_type: ProblemType,
    y_true: Array,
    prediction: Prediction,
    threshold: float | None = None,
    minority_class: int | None = None,
    *,
    ordered: bool = False,
    weights: Array | None = None,
    loss_metrics: Sequence[str] = (),
) -> SplitEvaluation:
    """Evaluate a model on one split.

    Args:
        problem_type: Decides the metrics.
        y_true: Shape (n,), n > 0: class codes 0..k-1 or values.
        prediction: The predictions for the same rows.
        threshold: Binary only: the lowest probability of class 1 that predicts 1; None uses the predicted labels.
        minority_class: Binary only: the rarer class of the train rows.
        ordered: Whether the classes have an order, which the codes follow.
        weights: Shape (n,): sample weights, at least one above 0; None weights all rows equally.
        loss_metrics: Regression only: deviances and pinball losses to report too.

    Raises:
        E2iError: The prediction does not fit the rows or is not finite, or the threshold does not apply.
    """
    truth = np.asarray(y_true)
    labels, scores = _fitting(problem_type, truth, prediction, threshold)
    y_true, seen, weights = counted(truth, Prediction(labels, scores), weights)
    if not len(y_true):
        raise E2iError(f"cannot evaluate: all {len(truth)} rows have the weight 0")
    table = None
    if problem_type == "regression":
        metrics, missing = computed(regression(y_true.astype(float), seen.labels, weights, loss_metrics))
    else:
        n_classes = scores.shape[1] if scores is not None else max(2, int(max(truth.max(), labels.max())) + 1)
        table = Confusion.of(n_classes, truth, labels).counts.tolist()
        confusion = Confusion.of(n_classes, y_true, seen.labels, weights)
        if problem_type == "binary_classification":
            metrics, missing = computed(binary(y_true, seen, confusion, minority_class, weights))
        else:
            metrics, missing = computed(multiclass(y_true, seen, confusion, ordered, weights))
    return SplitEvaluation(
        n_rows=len(truth),
        effective_rows=None if weights is None else float(weights.sum() ** 2 / (weights**2).sum()),
        metrics=metrics,
        not_computable=missing,
        confusion=table,
    )


def split_metrics(
    problem_type: ProblemType,
    y_true: Array,
    prediction: Prediction,
    threshold: float | None = None,
    *,
    ordered: bool = False,
    weights: Array | None = None,
    loss_metrics: Sequence[str] = (),
) -> dict[str, float]:
    """Return only the metrics of `split_evaluation`: finite, and without those that cannot be computed."""
    return split_evaluation(
        problem_type, y_true, prediction, threshold, ordered=ordered, weights=weights, loss_metrics=loss_metrics
    ).metrics


def contract_metrics(split: SplitEvaluation) -> ValidationMetrics:
    """Return the metrics of a split under the field names of the output contract."""
    metrics = split.metrics
    headline = ("f1_score", "precision", "recall", "accuracy", "rmse", "mae", "r2")
    return ValidationMetrics(
        **{name: metrics.get(name) for name in headline},
        auc_roc=metrics.get("roc_auc"),
        confusion_matrix=split.confusion_matrix,
        all_metrics=metrics,
    )


def _fitting(
    problem_type: ProblemType, y_true: Array, prediction: Prediction, threshold: float | None
) -> tuple[Array, Array | None]:
    labels, scores = np.asarray(prediction.labels), prediction.scores
    if not len(y_true) or labels.shape != y_true.shape:
        raise E2iError(f"cannot evaluate predictions of shape {labels.shape} on rows of shape {y_true.shape}")
    if problem_type == "regression":
        scores, labels = None, labels.astype(float)
    elif scores is not None:
        scores = np.asarray(scores, dtype=float)
        if scores.ndim != 2 or len(scores) != len(y_true):
            raise E2iError(f"cannot evaluate class probabilities of shape {scores.shape} on {len(y_true)} rows")
    if not np.isfinite(labels).all() or (scores is not None and not np.isfinite(scores).all()):
        raise E2iError("cannot evaluate: the model predicts values that are not finite numbers")
    if threshold is None:
        return labels, scores
    if problem_type != "binary_classification" or scores is None:
        raise E2iError("a threshold needs the class probabilities of a binary model, and there are none")
    return labels_at(scores, threshold), scores
