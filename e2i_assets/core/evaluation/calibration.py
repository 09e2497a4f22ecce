"""Calibration of predicted probabilities: expected calibration error, calibration slope and intercept."""

import warnings

import numpy as np

from e2i_assets.core.metrics import Array

N_BINS = 10
_SURE = 1e-6


def calibration_error(y_true: Array, scores: Array, weights: Array | None = None) -> float:
    """Return the expected calibration error (Naeini et al., 2015): 0 is perfect, 1 is the worst.

    With two classes, rows are binned into ten bins of equal width by the probability of class 1, and the mean
    probability of a bin is compared with its share of class 1. With more classes, it is the probability of the most
    probable class, compared with its accuracy (top-label calibration). Bins are weighted by their share of the rows; a
    probability on an edge belongs to the upper bin.

    Args:
        y_true: Class codes, shape (n,).
        scores: Class probabilities, shape (n, k).
        weights: Sample weights, shape (n,); None weights all rows equally.
    """
    weights = np.ones(len(scores)) if weights is None else weights
    scores = np.asarray(scores, dtype=float)
    if scores.shape[1] == 2:
        confidence, hit = scores[:, 1], np.asarray(y_true) == 1
    else:
        confidence, hit = scores.max(axis=1), scores.argmax(axis=1) == y_true
    bins = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    gaps = np.bincount(bins, weights=weights * (confidence - hit), minlength=N_BINS)
    return float(np.abs(gaps).sum() / weights.sum())


def calibration_slope(y_true: Array, scores: Array, weights: Array | None = None) -> float | None:
    """Return the calibration slope (Cox, 1958): 1 is perfect.

    Below 1 the probabilities are too extreme, above 1 not extreme enough. The slope is the coefficient of an
    unpenalised logistic regression of the class on the predicted log-odds. It is None where that regression has no
    finite solution (one class, constant or perfectly separating scores).

    Args:
        y_true: Class codes 0 and 1, shape (n,).
        scores: Class probabilities, shape (n, 2).
        weights: Sample weights above 0, shape (n,); None weights all rows equally.
    """
    from scipy.special import logit
    from sklearn.linear_model import LogisticRegression

    y_true, positive = np.asarray(y_true), np.asarray(scores, dtype=float)[:, 1]
    if len(np.unique(y_true)) < 2 or np.ptp(positive) == 0 or _separates(y_true, positive):
        return None
    odds = logit(np.clip(positive, _SURE, 1 - _SURE)).reshape(-1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that did not converge returns None below
        fitted = LogisticRegression(C=np.inf, max_iter=1000).fit(odds, y_true, sample_weight=weights)
    slope = float(fitted.coef_[0, 0])
    return slope if np.isfinite(slope) and fitted.n_iter_[0] < 1000 else None


def calibration_intercept(y_true: Array, scores: Array, weights: Array | None = None) -> float | None:
    """Return the calibration in the large (Cox, 1958; Steyerberg, 2019): 0 is perfect.

    It is the constant of a logistic regression of the class on the predicted log-odds with a slope of 1: how far the
    log-odds are too low (above 0) or too high (below 0) for the rows as a whole. None with one class.

    Args:
        y_true: Class codes 0 and 1, shape (n,).
        scores: Class probabilities, shape (n, 2).
        weights: Sample weights above 0, shape (n,); None weights all rows equally.
    """
    from scipy.optimize import brentq
    from scipy.special import expit, logit

    if len(np.unique(y_true)) < 2:
        return None
    odds = logit(np.clip(np.asarray(scores, dtype=float)[:, 1], _SURE, 1 - _SURE))
    observed = np.average(np.asarray(y_true) == 1, weights=weights)
    most = 2 * -float(logit(_SURE)) + abs(float(logit(observed)))
    return float(brentq(lambda shift: np.average(expit(odds + shift), weights=weights) - observed, -most, most))


def _separates(y_true: Array, positive: Array) -> bool:
    ones, zeros = positive[y_true == 1], positive[y_true != 1]
    return bool(ones.min() >= zeros.max() or ones.max() <= zeros.min())
