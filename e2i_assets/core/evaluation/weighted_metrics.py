"""Metrics as functions of row weights, for the thousands of resamples of a bootstrap.

A resample is a vector of weights: how often each row was drawn, times its sample weight. Many resamples are a matrix
and need one product.
"""

from collections.abc import Callable, Sequence

import numpy as np

from e2i_assets.core.evaluation.confusion import ratio_or_zero
from e2i_assets.core.evaluation.thresholds import labels_at
from e2i_assets.core.losses import row_losses, undefined
from e2i_assets.core.metrics import Array, Prediction, ProblemType

Weighted = Callable[[Array], dict[str, Array]]


def weighted_metrics(
    problem_type: ProblemType,
    y_true: Array,
    prediction: Prediction,
    threshold: float | None,
    *,
    ordered: bool = False,
    loss_metrics: Sequence[str] = (),
) -> Weighted:
    """Return the function from weights, shape (r, n), to the r values of each metric, NaN where it is undefined.

    Args:
        problem_type: Decides the metrics.
        y_true: Shape (n,): class codes or values.
        prediction: The predictions for the same rows.
        threshold: The binary threshold; None uses the predicted labels.
        ordered: Whether the classes have an order, which the codes follow.
        loss_metrics: Regression only: deviances and pinball losses to compute too, where they are defined.
    """
    if problem_type == "regression":
        return _regression(y_true.astype(float), np.asarray(prediction.labels, dtype=float), loss_metrics)
    scores = None if prediction.scores is None else np.asarray(prediction.scores, dtype=float)
    if problem_type == "multiclass_classification":
        return _multiclass(y_true, np.asarray(prediction.labels), scores, ordered)
    labels = np.asarray(prediction.labels) if threshold is None or scores is None else labels_at(scores, threshold)
    return _binary(y_true == 1, labels == 1, None if scores is None else scores[:, 1])


def _binary(positive: Array, called: Array, score: Array | None) -> Weighted:
    by_cell = [positive & called, positive & ~called, ~positive & called, ~positive & ~called]
    cells = np.stack(by_cell, axis=1).astype(float)
    ranked = None if score is None else _ranking(positive, score)

    def metrics(weights: Array) -> dict[str, Array]:
        tp, fn, fp, tn = (weights @ cells).T
        recall, specificity = _ratio(tp, tp + fn), _ratio(tn, tn + fp)
        has_positive = np.where(tp + fn > 0, 1.0, np.nan)
        values = {
            "accuracy": (tp + tn) / weights.sum(axis=1),
            "balanced_accuracy": (recall + specificity) / 2,
            "precision": has_positive * ratio_or_zero(tp, tp + fp),
            "recall": recall,
            "f1_score": has_positive * ratio_or_zero(2 * tp, 2 * tp + fp + fn),
        }
        if ranked is not None and score is not None:
            values["roc_auc"], values["pr_auc"] = ranked(weights)
            values["brier_score"] = weights @ (score - positive) ** 2 / weights.sum(axis=1)
        return values

    return metrics


def _multiclass(y_true: Array, labels: Array, scores: Array | None, ordered: bool) -> Weighted:
    n_classes = int(max(y_true.max(), labels.max())) + 1 if scores is None else scores.shape[1]
    classes = np.arange(n_classes)
    is_true, is_called = ((codes[:, None] == classes).astype(float) for codes in (y_true, labels))
    rankings = [] if scores is None else [_one_against_the_rest(y_true == c, scores[:, c]) for c in classes]

    def metrics(weights: Array) -> dict[str, Array]:
        hits, true, called = weights @ (is_true * is_called), weights @ is_true, weights @ is_called
        f1 = ratio_or_zero(2 * hits, true + called)
        n_present = np.maximum(((true + called) > 0).sum(axis=1), 1)
        n_true = np.maximum((true > 0).sum(axis=1), 1)
        values = {
            "accuracy": hits.sum(axis=1) / weights.sum(axis=1),
            "balanced_accuracy": ratio_or_zero(hits, true).sum(axis=1) / n_true,
            "f1_macro": f1.sum(axis=1) / n_present,
            "f1_weighted": (f1 * true).sum(axis=1) / weights.sum(axis=1),
        }
        for name in ("balanced_accuracy", "f1_macro"):
            values[name] = np.where((true > 0).sum(axis=1) > 1, values[name], np.nan)
        if ordered:
            values |= _of_order(weights, np.abs(y_true - labels), true, called)
        if rankings:
            values["roc_auc"] = np.mean([ranked(weights) for ranked in rankings], axis=0)
        return values

    return metrics


def _of_order(weights: Array, distances: Array, true: Array, called: Array) -> dict[str, Array]:
    """Return Cohen's kappa with quadratic weights (Cohen, 1968) and the mean absolute error of the class codes.

    Args:
        weights: Shape (r, n).
        distances: Shape (n,): between the codes of the true and the predicted class.
        true, called: Shape (r, k): the weight of the rows of each class, and of the rows predicted as it.
    """
    n, codes = weights.sum(axis=1), np.arange(true.shape[1])
    by_chance = (true + called) @ codes**2 - 2 * (true @ codes) * (called @ codes) / n
    kappa = 1 - _ratio(weights @ distances**2, by_chance)
    of_classes = np.where((true > 0).sum(axis=1) > 1, kappa, np.nan)
    return {"quadratic_weighted_kappa": of_classes, "rank_mae": weights @ distances / n}


def _regression(y_true: Array, predicted: Array, loss_metrics: Sequence[str]) -> Weighted:
    error, centred = y_true - predicted, y_true - y_true.mean()
    defined = [name for name in loss_metrics if not undefined(name, y_true, predicted)]
    losses = {name: row_losses(name, y_true, predicted) for name in defined}

    def metrics(weights: Array) -> dict[str, Array]:
        n = weights.sum(axis=1)
        squared, total = weights @ error**2, weights @ centred**2 - (weights @ centred) ** 2 / n
        # The variance of a resample with one repeated value is a rounding error, not an exact 0.
        spread = np.where(total > 1e-12 * np.maximum(weights @ centred**2, np.finfo(float).tiny), total, 0.0)
        return {
            "rmse": np.sqrt(squared / n),
            "mae": weights @ np.abs(error) / n,
            "r2": 1 - _ratio(squared, spread),
            **{name: weights @ of_rows / n for name, of_rows in losses.items()},
        }

    return metrics


def _one_against_the_rest(is_one: Array, score: Array) -> Callable[[Array], Array]:
    """Return a function from weights to ROC AUCs; ranking the rarer side gives the same values at a lower cost."""
    ranked = _ranking(is_one, score) if is_one.mean() <= 0.5 else _ranking(~is_one, -score)
    return lambda weights: ranked(weights)[0]


def _ranking(positive: Array, score: Array) -> Callable[[Array], tuple[Array, Array]]:
    """Return a function from weights (r, n) to the r ROC AUCs and the r average precisions of one ranking.

    The rows are sorted once. The ROC AUC is the Mann-Whitney statistic with ties at one half, the average precision
    the step-wise sum over distinct scores: both are scikit-learn's definitions. Both are sums over the distinct scores
    of the positive rows, so only the running count of the other rows at those scores is needed.
    """
    positives, others = (np.flatnonzero(which) for which in (positive, ~positive))
    positives, others = (rows[np.argsort(-score[rows], kind="stable")] for rows in (positives, others))
    of_positives = score[positives]
    starts = np.flatnonzero(np.append(True, of_positives[1:] != of_positives[:-1])[: len(positives)])
    # For each distinct score, the number of other rows with a higher score, and with a score at least as high.
    above, reached = (np.searchsorted(-score[others], -of_positives[starts], side=side) for side in ("left", "right"))

    def measured(weights: Array) -> tuple[Array, Array]:
        if not len(positives):
            return np.full(len(weights), np.nan), np.full(len(weights), np.nan)
        found = np.add.reduceat(weights.take(positives, axis=1), starts, axis=1)
        passed = np.zeros((len(weights), len(others) + 1))
        np.cumsum(weights.take(others, axis=1), axis=1, out=passed[:, 1:])
        found_so_far, passed_with_ties = found.cumsum(axis=1), passed.take(reached, axis=1)
        n_positive, n_others = found_so_far[:, -1], passed[:, -1]
        misplaced = (found * (passed.take(above, axis=1) + passed_with_ties)).sum(axis=1) / 2
        auc = 1 - _ratio(misplaced, n_positive * n_others)
        precision = ratio_or_zero(found_so_far, found_so_far + passed_with_ties)
        return auc, _ratio((found * precision).sum(axis=1), n_positive)

    return measured


def _ratio(top: Array, bottom: Array) -> Array:
    return np.asarray(np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0))
