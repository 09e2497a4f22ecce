"""The rows that a fit learns from: the train rows after the treatment of class imbalance, with their weights."""

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from e2i_assets.core.fitting.many_categories import CrossFitted
from e2i_assets.core.fitting.preprocessing import completed
from e2i_assets.core.fitting.resampling import resampled
from e2i_assets.core.fitting.rows import RowSource
from e2i_assets.core.fitting.weighting import product, resampled_weights, resampling_factors
from e2i_assets.core.imbalance import Balancing, balanced_weights
from e2i_assets.core.metrics import Array


@dataclass(frozen=True, slots=True)
class LearntRows:
    """The rows of a fit.

    Attributes:
        features: The resampled features; None for the train rows as they are.
        y: Shape (n,): their class codes or values.
        cross_fitted: Their cross-fitted encodings.
        weights: Shape (n,): their weights in the fit; None weights all rows equally.
        class_factors: Shape (classes,): by how much the balancing multiplies the weight of each class, also in the loss
            of early stopping; None without balancing. A model that is fitted on balanced rows overestimates the
            probability of rare classes. With an unbalanced validation loss, correcting this lowers the loss for
            hundreds of rounds after the model overfits.
    """

    features: pd.DataFrame | None
    y: Array
    cross_fitted: CrossFitted
    weights: Array | None
    class_factors: Array | None = None


def learnt_rows(
    train: RowSource,
    codes: Array,
    weights: Array | None,
    cross_fitted: CrossFitted,
    balancing: Balancing,
    classes: tuple[Any, ...],
) -> LearntRows:
    """Return the train rows of a fit, resampled and weighted.

    The encodings are resampled as numbers: a copy of a row has the encoding of that row, without its own target, and
    interpolation between thousands of categories would need a column for each.
    """
    if balancing.strategy == "none":
        return LearntRows(None, codes, cross_fitted, weights)
    if balancing.strategy == "class_weight":
        factors = balanced_weights(codes, len(classes), weights)
        return LearntRows(None, codes, cross_fitted, product(factors[codes], weights), factors)
    features, many = train.features, list(cross_fitted.columns)
    numbers = pd.DataFrame(cross_fitted.values, index=features.index)
    table = pd.concat([features.drop(columns=many), numbers], axis=1)
    if weights is not None:
        present = weights > 0
        table, codes, weights = table[present], codes[present], weights[present]
    made, chosen, origin = resampled(table, codes, balancing.strategy, balancing.seed, classes)
    rest = completed(made.drop(columns=numbers.columns), train.blank(), many)
    return LearntRows(
        rest,
        chosen,
        replace(cross_fitted, values=made[numbers.columns].to_numpy()),
        resampled_weights(weights, codes, origin, chosen),
        resampling_factors(codes, weights, chosen, len(classes)),
    )
