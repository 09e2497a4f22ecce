"""Two models on the same rows: the gain of one over the other, with its paired 95 % interval."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from e2i_assets.core.evaluation.evaluation import split_metrics
from e2i_assets.core.evaluation.intervals import CELLS_AT_ONCE
from e2i_assets.core.evaluation.jackknife import blocks
from e2i_assets.core.evaluation.measures import Measure
from e2i_assets.core.evaluation.thresholds import labels_at
from e2i_assets.core.evaluation.weighted_metrics import weighted_metrics
from e2i_assets.core.losses import loss_metrics
from e2i_assets.core.metrics import Array, Prediction, ProblemType

Method = Literal["DeLong", "paired jackknife", "paired jackknife of groups"]
_OF_SCORES = frozenset({"roc_auc", "pr_auc", "brier_score"})
_NORMAL_97_5 = 1.959963984540054
_BLOCKS = 200


@dataclass(frozen=True, slots=True)
class Contender:
    """A model's prediction for the rows, and its decision threshold; without one its labels are the decisions."""

    prediction: Prediction
    threshold: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedGain:
    """What one model gains over another on the same rows.

    Attributes:
        metric: The metric.
        first, second: Its value for each model.
        gain: Their difference in the unit of the metric; above 0 the first model is better, for every metric.
        low, high: The ends of the 95 % interval of the gain; None for a metric without one.
        method: The method of the interval.
    """

    metric: str
    first: float
    second: float
    gain: float
    low: float | None = None
    high: float | None = None
    method: Method | None = None

    @property
    def is_clear(self) -> bool:
        """Whether the interval does not contain 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedRows:
    """The rows on which models are compared.

    Attributes:
        problem_type: Decides which metrics are computed.
        truth: Shape (n,): class codes or values.
        ordered: Whether the classes have an order.
        weights: Shape (n,): sample weights; None weights all rows equally.
        groups: Shape (n,): a code for the group of each row, such as a person; None if the rows are independent.
    """

    problem_type: ProblemType
    truth: Array
    ordered: bool = False
    weights: Array | None = None
    groups: Array | None = None


def paired_gain(
    rows: PairedRows, measure: Measure, first: Contender, second: Contender, *, seed: int
) -> PairedGain | None:
    """Compare two models on the same rows.

    Args:
        rows: The rows.
        measure: The metric of the comparison.
        first, second: The models.
        seed: Seed of the blocks of rows, if these are many.

    Returns:
        The gain with its interval; None when the metric cannot be computed on these rows.
    """
    values = [
        split_metrics(
            rows.problem_type,
            rows.truth,
            one.prediction,
            one.threshold,
            ordered=rows.ordered,
            weights=rows.weights,
            loss_metrics=loss_metrics([measure.name]),
        ).get(measure.name)
        for one in (first, second)
    ]
    if values[0] is None or values[1] is None:
        return None
    sign = 1.0 if measure.greater_is_better else -1.0
    gain = PairedGain(metric=measure.name, first=values[0], second=values[1], gain=sign * (values[0] - values[1]))
    interval = paired_interval(rows, measure, first, second, seed=seed)
    if interval is None:
        return gain
    low, high, method = interval
    return replace(gain, low=low, high=high, method=method)


def paired_interval(
    rows: PairedRows, measure: Measure, first: Contender, second: Contender, *, seed: int
) -> tuple[float, float, Method] | None:
    """Return the 95 % interval of the gain of one model over another on the same rows, and its method.

    The interval belongs to the difference: the jackknife (Tukey, 1958) computes it again without each unit in turn, for
    both models, and the interval has as many standard errors as the t distribution says. A unit is a row, or a whole
    group of rows, because the rows of a group are not independent. More than 200 units are first put into 200 blocks at
    random (Kott, 2001). For a binary ROC AUC of independent, equally weighted rows the interval is that of DeLong,
    DeLong and Clarke-Pearson (1988).

    None with fewer than two units, when the metric is undefined without one of them, and for a metric that
    `weighted_metrics` does not have.
    """
    from scipy.special import stdtrit

    rows, first, second = _counted(rows, first, second)
    independent = rows.weights is None and rows.groups is None
    if independent and rows.problem_type == "binary_classification" and measure.name == "roc_auc":
        found = delong(np.asarray(rows.truth) == 1, _positive(first), _positive(second))
        method: Method = "DeLong"
        quantile = _NORMAL_97_5
    else:
        found, n_blocks = _jackknife(rows, measure, (first, second), seed)
        method = "paired jackknife" if rows.groups is None else "paired jackknife of groups"
        quantile = float(stdtrit(n_blocks - 1, 0.975))
    if found is None:
        return None
    gain, deviation = found
    return gain - quantile * deviation, gain + quantile * deviation, method


def _counted(rows: PairedRows, first: Contender, second: Contender) -> tuple[PairedRows, Contender, Contender]:
    """Leave out the rows of weight 0, and groups that each have a single row."""
    truth, weights, groups = np.asarray(rows.truth), rows.weights, rows.groups
    if weights is not None and not weights.all():
        kept = weights > 0
        truth, weights, groups = truth[kept], weights[kept], None if groups is None else groups[kept]
        first, second = (replace(one, prediction=one.prediction.at(kept)) for one in (first, second))
    if groups is not None and len(np.unique(groups)) == len(groups):
        groups = None
    return replace(rows, truth=truth, weights=weights, groups=groups), first, second


def _jackknife(
    rows: PairedRows, measure: Measure, models: tuple[Contender, Contender], seed: int
) -> tuple[tuple[float, float] | None, int]:
    """Return the gain with its standard error, and the number of blocks that were left out, one at a time."""
    binary = rows.problem_type == "binary_classification"
    metrics = [
        weighted_metrics(
            rows.problem_type,
            rows.truth,
            _decided(model, with_scores=measure.name in _OF_SCORES or not binary),
            None,
            ordered=rows.ordered,
            loss_metrics=loss_metrics([measure.name]),
        )
        for model in models
    ]
    block = blocks(len(rows.truth), rows.groups, seed, _BLOCKS)
    n_blocks = int(block.max()) + 1
    sign = 1.0 if measure.greater_is_better else -1.0
    gains: list[Array] = []
    for kept in _without_each(block, n_blocks):
        one, other = (of(kept if rows.weights is None else kept * rows.weights).get(measure.name) for of in metrics)
        if one is None or other is None:
            return None, n_blocks
        gains.append(sign * (one - other))
    whole, *without = np.concatenate(gains)
    if n_blocks < 2 or not np.isfinite([whole, *without]).all():
        return None, n_blocks
    return (float(whole), float(np.sqrt((n_blocks - 1) * np.var(without)))), n_blocks


def _without_each(block: Array, n_blocks: int) -> Iterator[Array]:
    """Yield weights of 0 for the rows of one block and 1 for the others: first without any block, then each in turn."""
    at_once = max(1, CELLS_AT_ONCE // len(block))
    for start in range(-1, n_blocks, at_once):
        left_out = np.arange(start, min(start + at_once, n_blocks))
        yield (block != left_out[:, None]).astype(float)


def _decided(model: Contender, with_scores: bool) -> Prediction:
    """Return the prediction with the labels of its threshold; ranking its scores is slow, so only where it counts."""
    labels, scores = model.prediction.labels, model.prediction.scores
    if model.threshold is not None and scores is not None:
        labels = labels_at(scores, model.threshold)
    return Prediction(labels, scores if with_scores else None)


def _positive(model: Contender) -> Array:
    assert model.prediction.scores is not None, "an ROC AUC was computed from these scores"
    return np.asarray(model.prediction.scores[:, 1], dtype=float)


def delong(positive: Array, first: Array, second: Array) -> tuple[float, float] | None:
    """Return the difference of two ROC AUCs on the same rows and its standard deviation.

    The placements are computed from midranks (Sun and Xu, 2014). None with fewer than two rows of a class.

    Args:
        positive: Shape (n,): whether a row is of the positive class.
        first, second: Shape (n,): the scores of the two models.
    """
    from scipy.stats import rankdata

    ones, zeros = int(positive.sum()), int((~positive).sum())
    if min(ones, zeros) < 2:
        return None
    above, below = [], []  # for each positive row the share of the others that it beats, and the reverse
    for score in (first, second):
        ranks = rankdata(score)
        above.append((ranks[positive] - rankdata(score[positive])) / zeros)
        below.append(1 - (ranks[~positive] - rankdata(score[~positive])) / ones)
    variance = np.var(above[0] - above[1], ddof=1) / ones + np.var(below[0] - below[1], ddof=1) / zeros
    return float(np.mean(above[0] - above[1])), float(np.sqrt(variance))
