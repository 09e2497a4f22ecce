"""The weights of rows in a fit: their sample weights, combined with the treatment of class imbalance."""

import numpy as np

from e2i_assets.core.evaluation.confusion import ratio_or_zero
from e2i_assets.core.metrics import Array


def relative(weights: Array | None) -> Array | None:
    """Return sample weights with the mean 1, or None if all are equal.

    Penalties and limits such as ``min_child_weight`` are compared with sums of weights. With the mean 1 they keep their
    meaning, and weights in another unit give the same model.
    """
    if weights is None or np.ptp(weights) == 0:
        return None
    return np.asarray(weights / weights.mean())


def resampled_weights(weights: Array | None, codes: Array, origin: Array, chosen: Array) -> Array | None:
    """Return the weights of resampled rows: that of their origin, with the mean 1 in each class.

    A synthetic row gets the mean weight of its class. The classes then have the shares of rows that resampling gives
    them, and the weights decide between the rows of a class.

    Args:
        weights: Shape (n,): sample weights above 0; None without any.
        codes: Shape (n,): class codes of the same rows.
        origin: Shape (m,): position of each resampled row among the n rows; -1 for a synthetic row.
        chosen: Shape (m,): class codes of the resampled rows.
    """
    if weights is None:
        return None
    means = np.bincount(codes, weights) / np.maximum(np.bincount(codes), 1)
    found = np.where(origin < 0, means[chosen], weights[origin])
    again = np.bincount(chosen, found) / np.maximum(np.bincount(chosen), 1)
    return np.asarray(found / again[chosen])


def resampling_factors(codes: Array, weights: Array | None, chosen: Array, n_classes: int) -> Array:
    """Return by how much resampling multiplies the weight of each class: shape (n_classes,), 1 without rows.

    Args:
        codes, weights: See `resampled_weights`.
        chosen: Shape (m,): class codes of the resampled rows, whose weights have the mean 1 in each class.
        n_classes: Number of classes.
    """
    before, after = np.bincount(codes, weights, n_classes), np.bincount(chosen, minlength=n_classes)
    return np.where(before > 0, ratio_or_zero(after, before), 1.0)


def product(one: Array | None, other: Array | None) -> Array | None:
    """Return the product of two factors of the weights; None is a factor of 1."""
    if one is None or other is None:
        return other if one is None else one
    return np.asarray(one * other)
