"""Fast versions of scikit-learn's metrics, for the hundreds of intermediate reports of a study.

On a few hundred rows scikit-learn spends most of its time on input validation: 4 ms for a ROC AUC, against 0.2 ms here.
Final values come from scikit-learn. Every function takes true class codes or values and the part of the prediction that
`metrics.Metric.needs` names, and returns a float.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def roc_auc(y_true: Array, scores: Array) -> float:
    """Return the Mann-Whitney statistic of the positive class, ties at one half."""
    return rank_statistic(y_true == 1, scores[:, 1])


def ovr_roc_auc(y_true: Array, scores: Array) -> float:
    """Return the mean one-against-rest ROC AUC over the classes."""
    return float(np.mean([rank_statistic(y_true == code, scores[:, code]) for code in range(scores.shape[1])]))


def accuracy(y_true: Array, labels: Array) -> float:
    """Return the share of correct labels."""
    return float(np.mean(y_true == labels))


def f1(y_true: Array, labels: Array) -> float:
    """Return the F1 of the positive class, 0 when no row is positive or predicted as positive."""
    hits, called, true = _counts(y_true, labels)
    return float(_f1(hits, called, true)[1]) if len(hits) > 1 else 0.0


def f1_weighted(y_true: Array, labels: Array) -> float:
    """Return the mean F1 of the classes, weighted by their rows."""
    hits, called, true = _counts(y_true, labels)
    return float(_f1(hits, called, true) @ true / true.sum())


def f1_macro(y_true: Array, labels: Array) -> float:
    """Return the unweighted mean F1 of the classes that occur in the true or the predicted labels."""
    hits, called, true = _counts(y_true, labels)
    return float(_f1(hits, called, true)[(called + true) > 0].mean())


def quadratic_weighted_kappa(y_true: Array, labels: Array) -> float:
    """Return Cohen's kappa with quadratic weights; NaN where all true and predicted codes are equal."""
    by_chance = np.mean(y_true**2) + np.mean(labels**2) - 2 * np.mean(y_true) * np.mean(labels)
    return float(1 - np.mean((y_true - labels) ** 2) / by_chance) if by_chance > 0 else float("nan")


def rmse(y_true: Array, values: Array) -> float:
    """Return the root mean squared error."""
    return float(np.sqrt(mse(y_true, values)))


def mse(y_true: Array, values: Array) -> float:
    """Return the mean squared error."""
    return float(np.mean((y_true - values) ** 2))


def mae(y_true: Array, values: Array) -> float:
    """Return the mean absolute error."""
    return float(np.mean(np.abs(y_true - values)))


def rank_statistic(positive: NDArray[np.bool_], scores: Array) -> float:
    """Return the Mann-Whitney statistic of the positive rows against the others; NaN when one group is empty."""
    from scipy.stats import rankdata

    n = int(positive.sum())
    if n in (0, len(positive)):
        return float("nan")
    return float((rankdata(scores)[positive].sum() - n * (n + 1) / 2) / (n * (len(positive) - n)))


def _counts(y_true: Array, labels: Array) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return for each class the numbers of correct predictions, of predictions, and of rows."""
    n_classes = int(max(y_true.max(), labels.max())) + 1
    table = np.bincount(y_true * n_classes + labels, minlength=n_classes**2).reshape(n_classes, n_classes)
    counted = table.astype(np.float64)
    return np.diag(counted), counted.sum(axis=0), counted.sum(axis=1)


def _f1(hits: NDArray[np.float64], called: NDArray[np.float64], true: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(2 * hits / np.maximum(called + true, 1))
