"""What a model leans on: how much worse it does when one column is shuffled (permutation importance, Breiman 2001)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from e2i_assets.core.algorithms.algorithm import from_scores
from e2i_assets.core.metrics import Array, Metric, Prediction

if TYPE_CHECKING:
    from e2i_assets.core.fitting.fitted_model import FittedModel

MOST_FEATURES = 300
_MOST_ROWS = 1000
_FEWEST_ROWS = 200
_PREDICTED_ROWS = 300_000
_PREDICTIONS = 300
_REPEATS = 4


@dataclass(frozen=True, slots=True)
class FeatureImportance:
    """How much of the metric is lost without what one column says.

    Attributes:
        feature: The column.
        loss: Mean loss over the shuffles, in the metric's own unit; near 0 or below for a column that says nothing.
        spread: Standard deviation over the shuffles.
    """

    feature: str
    loss: float
    spread: float


def permutation_importances(
    model: "FittedModel", features: pd.DataFrame, truth: Array, metric: Metric, seed: int
) -> list[FeatureImportance]:
    """Shuffle one column after the other and measure what is lost; the largest loss first.

    The work is bounded whatever the table: fewer rows and fewer shuffles of more columns, none beyond `MOST_FEATURES`.

    Args:
        model: Table in, labels, values or probabilities out.
        features: Shape (n, columns): rows that it was not fitted on, and not the test rows.
        truth: Shape (n,): class codes or values.
        metric: What is lost.
        seed: Of the shuffles.
    """
    count = features.shape[1]
    if not 0 < count <= MOST_FEATURES or not len(features):
        return []
    repeats = max(1, min(_REPEATS, _PREDICTIONS // count))
    n_rows = min(_MOST_ROWS, max(_FEWEST_ROWS, _PREDICTED_ROWS // (count * repeats)), len(features))
    chosen = features.reset_index(drop=True).sample(n_rows, random_state=seed).sort_index()
    y = truth[chosen.index]

    def scores(table: pd.DataFrame) -> list[float]:
        """Return the score of each block of rows: one call of the model, whose price is mostly that of the call."""
        said = Prediction(model.predict(table)) if model.classes_ is None else from_scores(model.predict_proba(table))
        starts = range(0, len(table), n_rows)
        return [metric.oriented(metric.score(y, _part(said, slice(at, at + n_rows)))) for at in starts]

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


def _part(said: Prediction, rows: slice) -> Prediction:
    return Prediction(said.labels[rows], None if said.scores is None else said.scores[rows])
