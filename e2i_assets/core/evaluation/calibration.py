"""How far predicted probabilities are from what happens."""

import numpy as np

from e2i_assets.core.metrics import Array

N_BINS = 10


def calibration_error(y_true: Array, scores: Array) -> float:
    """Return the expected calibration error (Naeini et al., 2015): 0 is perfect, 1 is the worst.

    With two classes, rows are put into ten bins of equal width by the probability of class 1, and that probability
    is compared with the share of class 1. With more classes, it is the probability of the likeliest class, compared
    with how often that class is the true one (top-label calibration). A bin counts by its share of the rows; a
    probability on an edge belongs to the upper bin.

    Args:
        y_true: Class codes, shape (n,).
        scores: Class probabilities, shape (n, k).
    """
    scores = np.asarray(scores, dtype=float)
    if scores.shape[1] == 2:
        confidence, hit = scores[:, 1], np.asarray(y_true) == 1
    else:
        confidence, hit = scores.max(axis=1), scores.argmax(axis=1) == y_true
    bins = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    gaps = np.bincount(bins, weights=confidence - hit, minlength=N_BINS)
    return float(np.abs(gaps).sum() / len(confidence))
