"""Permutation importance (Breiman 2001): how much worse the metric is when one column is shuffled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from e2i_assets.core.fitting.fit_context import predicted_table
from e2i_assets.core.metrics import Array, Metric

if TYPE_CHECKING:
    from e2i_assets.core.fitting.averaged_model import Model

MOST_FEATURES = 300
_MOST_ROWS = 1000
_FEWEST_ROWS = 200
_PREDICTED_ROWS = 300_000
_PREDICTIONS = 300
_REPEATS = 4


@dataclass(frozen=True, slots=True)
class FeatureImportance:
    """The permutation importance of one column.

    Attributes:
        feature: The column.
        loss: Mean loss over the shuffles, in the metric's own unit; near 0 or below for a column without information.
        spread: Standard deviation over the shuffles.
    """

    feature: str
    loss: float
    spread: float


def permutation_importances(
    model: "Model",
    features: pd.DataFrame,
    truth: Array,
    metric: Metric,
    seed: int,
    weights: Array | None = None,
) -> list[FeatureImportance]:
    """Return the permutation importance of every column, the largest loss first.

    The work is bounded: with more columns it uses fewer rows and fewer shuffles. With more than `MOST_FEATURES` columns
    or without rows the result is empty.

    Args:
        model: The model: predicts labels, values or probabilities from a table.
        features: Shape (n, columns): rows that the model was not fitted on, and not the test rows.
        truth: Shape (n,): class codes or values.
        metric: The metric whose loss is measured.
        seed: Seed of the shuffles.
        weights: Shape (n,): sample weights; rows of weight 0 are left out. None weights all rows equally.
    """
    if weights is not None and not weights.all():
        features, truth, weights = features[weights > 0], truth[weights > 0], weights[weights > 0]
    count = features.shape[1]
    if not 0 < count <= MOST_FEATURES or not len(features):
        return []
    repeats = max(1, min(_REPEATS, _PREDICTIONS // count))
    n_rows = min(_MOST_ROWS, max(_FEWEST_ROWS, _PREDICTED_ROWS // (count * repeats)), len(features))
    chosen = features.reset_index(drop=True).sample(n_rows, random_state=seed).sort_index()
    y, weight = truth[chosen.index], None if weights is None else weights[chosen.index]

    def scores(table: pd.DataFrame) -> list[float]:
        """Return the score of each block of rows with one call of the model, because the cost per call dominates."""
        found = predicted_table(model, table)
        starts = range(0, len(table), n_rows)
        return [metric.oriented(metric.quick_score(y, found.at(slice(at, at + n_rows)), weight)) for at in starts]

    (whole,) = scores(chosen)
    random = np.random.default_rng(seed)
    ranked = []
    for name in features.columns:
        orders = [random.permutation(n_rows) for _ in range(repeats)]
        table = pd.concat([chosen] * repeats, ignore_index=True)
        table[name] = chosen[name].iloc[np.concatenate(orders)].array
        losses = [whole - one for one in scores(table)]
        ranked.append(FeatureImportance(str(name), float(np.mean(losses)), float(np.std(losses))))
    return sorted(ranked, key=lambda one: -one.loss)


def mean_importances(of_models: Sequence[Sequence[FeatureImportance]]) -> list[FeatureImportance]:
    """Return the mean importances over models, the largest loss first.

    The spread is then the standard deviation over the shuffles of all models: its variance is the mean variance within
    a model and the variance between them.
    """
    if len(of_models) == 1:
        return list(of_models[0])
    by_feature: dict[str, list[FeatureImportance]] = {}
    for importances in of_models:
        for one in importances:
            by_feature.setdefault(one.feature, []).append(one)
    found = []
    for feature, of in by_feature.items():
        losses, spreads = np.array([one.loss for one in of]), np.array([one.spread for one in of])
        spread = np.sqrt(losses.var() + (spreads**2).mean())
        found.append(FeatureImportance(feature, float(losses.mean()), float(spread)))
    return sorted(found, key=lambda one: -one.loss)
