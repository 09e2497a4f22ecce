"""Decision thresholds of binary models, and the precision of the rows with the highest scores."""

import numpy as np

from e2i_assets.core.errors import E2iError
from e2i_assets.core.metrics import Array

DEFAULT_THRESHOLD = 0.5


def labels_at(scores: Array, threshold: float) -> Array:
    """Return class codes: 1 where the probability of class 1 reaches the threshold.

    Args:
        scores: Class probabilities, shape (n, 2).
        threshold: Inclusive.
    """
    return (np.asarray(scores, dtype=float)[:, 1] >= threshold).astype(int)


def youden_threshold(y_true: Array, scores: Array, weights: Array | None = None) -> float:
    """Return the threshold with the largest true positive rate minus false positive rate (Youden, 1950).

    Call it with validation rows: a threshold that is chosen on the test rows makes the test metrics optimistic. The
    result is one of the scores, hence finite, and the highest of equally good ones. Where no threshold is better than a
    random guess (constant scores, a single class), the result is `DEFAULT_THRESHOLD`.

    Args:
        y_true: Class codes 0 and 1, shape (n,).
        scores: Class probabilities, shape (n, 2).
        weights: Sample weights, shape (n,); None weights all rows equally.

    Raises:
        E2iError: A score is not a finite number.
    """
    positive_score = np.asarray(scores, dtype=float)[:, 1]
    if not np.isfinite(positive_score).all():
        raise E2iError("no threshold can be chosen: the model predicts probabilities that are not finite numbers")
    order = np.argsort(-positive_score, kind="stable")
    ranked, positive = positive_score[order], np.asarray(y_true)[order] == 1
    weight = np.ones(len(order)) if weights is None else weights[order]
    found, passed = np.cumsum(weight * positive), np.cumsum(weight * ~positive)
    if not found[-1] or not passed[-1]:
        return DEFAULT_THRESHOLD
    last_of_ties = np.append(ranked[1:] != ranked[:-1], True)
    j = (found / found[-1] - passed / passed[-1])[last_of_ties]
    best = int(np.argmax(j))
    return float(ranked[last_of_ties][best]) if j[best] > 0 else DEFAULT_THRESHOLD


def precision_at(k: int, y_true: Array, scores: Array, weights: Array | None = None) -> float:
    """Return the share of class 1 among the k rows with the highest probability of class 1, whatever their weights.

    Rows with the same score as the k-th row count by their expected share, so the order of the rows does not matter.

    Args:
        k: At most the number of rows.
        y_true: Class codes 0 and 1, shape (n,).
        scores: Class probabilities, shape (n, 2).
        weights: Sample weights, shape (n,), of the share; None weights all rows equally.
    """
    positive_score, positive = np.asarray(scores, dtype=float)[:, 1], np.asarray(y_true) == 1
    kth = np.partition(positive_score, -k)[-k]
    above, tied = positive_score > kth, positive_score == kth
    expected = above + tied * (k - above.sum()) / tied.sum()
    return float(np.average(positive, weights=expected if weights is None else expected * weights))
