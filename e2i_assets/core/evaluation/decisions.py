"""What the decisions of a binary model are worth: the gain chart, the net benefit, and the cost of wrong decisions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from e2i_assets.core.metrics import Array

Decision = Literal["model", "break_even", "flag_all", "flag_none"]
# The cost of a positive row that is not flagged, and of a flagged row that is not positive.
ErrorCosts = tuple[float, float]
PER = 1000
_FLAGGED = (0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True, slots=True)
class Gain:
    """A point of the gain chart.

    Attributes:
        flagged: The share of the rows, those with the highest scores.
        found: The share of the positive rows among them.
        right: The share of them that are positive.
    """

    flagged: float
    found: float
    right: float


@dataclass(frozen=True, slots=True)
class Saved:
    """How much less the model costs than another decision, for each 1,000 rows, with its paired 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedCost:
    """The cost of wrong decisions for each 1,000 rows, with its 95 % interval.

    Attributes:
        decision: The model at its threshold, the model at the break-even threshold of the costs, or the same decision
            for all rows.
        threshold: The threshold; None without one.
        value, low, high: The cost.
        saved: What the model at its threshold costs less; None for itself.
    """

    decision: Decision
    threshold: float | None
    value: float
    low: float
    high: float
    saved: Saved | None = None


@dataclass(frozen=True, slots=True)
class DecisionValue:
    """What the decisions of a binary model are worth on some rows.

    Attributes:
        gains: Points of the gain chart.
        costs: The expected cost of each decision, that of the model first; empty without costs of errors, and
            with a single group of rows.
    """

    gains: tuple[Gain, ...]
    costs: tuple[ExpectedCost, ...] = ()


def break_even(costs: ErrorCosts) -> float:
    """Return the probability above which flagging costs less than not flagging (Elkan, 2001)."""
    missed, false_alarm = costs
    return false_alarm / (missed + false_alarm)


def flagged_and_found(positive: Array, score: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """Return the gain chart: the share of rows that each threshold flags, and the share of positive rows among them.

    Args:
        positive: Shape (n,): 1 for a positive row, else 0; both occur.
        score: Shape (n,): the probability of the positive class. Rows with the same score are flagged together.
        weights: Shape (n,): sample weights; None weights all rows equally.

    Returns:
        Both of shape (number of distinct scores + 1,), from 0 to 1.
    """
    order = np.argsort(-score, kind="stable")
    weight = np.ones(len(order)) if weights is None else weights[order].astype(float)
    last_of_ties = np.append(np.diff(score[order]) != 0, True)
    flagged, found = (np.cumsum(values)[last_of_ties] for values in (weight, weight * positive[order]))
    return np.append(0.0, flagged / flagged[-1]), np.append(0.0, found / found[-1])


def error_shares(
    positive: Array, score: Array, thresholds: Array, weights: Array | None = None
) -> tuple[Array, Array, Array]:
    """Return the shares of all rows that are found, missed, and flagged wrongly, at each threshold.

    Args:
        positive: Shape (n,): 1 for a positive row, else 0.
        score: Shape (n,): the probability of the positive class.
        thresholds: Shape (t,): inclusive.
        weights: Shape (n,): sample weights; None weights all rows equally.
    """
    order = np.argsort(score, kind="stable")
    weight = np.ones(len(order)) if weights is None else weights[order].astype(float)
    below = np.searchsorted(score[order], thresholds, side="left")
    missed, rejected = (
        np.append(0.0, np.cumsum(weight * of))[below] for of in (positive[order] == 1, positive[order] != 1)
    )
    total, positives = weight.sum(), weight[positive[order] == 1].sum()
    return (positives - missed) / total, missed / total, (total - positives - rejected) / total


def net_benefit(positive: Array, score: Array, thresholds: Array, weights: Array | None = None) -> Array:
    """Return the net benefit at each threshold probability p: TP/n - FP/n * p/(1-p) (Vickers and Elkin, 2006).

    Its unit is true positives for each row. The threshold is also the exchange rate: whoever flags from p on accepts
    (1-p)/p false alarms for a found row.

    Args:
        positive: Shape (n,): 1 for a positive row, else 0.
        score: Shape (n,): the probability of the positive class.
        thresholds: Shape (t,): above 0 and below 1.
        weights: Shape (n,): sample weights; None weights all rows equally.
    """
    found, _, alarms = error_shares(positive, score, thresholds, weights)
    return np.asarray(found - alarms * thresholds / (1 - thresholds))


def net_benefit_of_all(prevalence: float, thresholds: Array) -> Array:
    """Return the net benefit of flagging every row; that of flagging none is 0.

    Args:
        prevalence: The share of positive rows.
        thresholds: Shape (t,): above 0 and below 1.
    """
    return np.asarray(prevalence - (1 - prevalence) * thresholds / (1 - thresholds))


def decision_value(
    positive: Array,
    score: Array,
    threshold: float,
    costs: ErrorCosts | None,
    *,
    is_probability: bool = True,
    weights: Array | None = None,
    groups: Array | None = None,
) -> DecisionValue:
    """Return what the decisions of a binary model are worth on rows that it has not learnt from.

    Args:
        positive: Shape (n,): 1 for a positive row, else 0; both occur.
        score: Shape (n,): the probability of the positive class.
        threshold: The inclusive threshold of the model, chosen on other rows.
        costs: What the two errors cost; None if that is not known.
        is_probability: Whether the scores estimate probabilities; otherwise they have no break-even threshold.
        weights: Shape (n,): sample weights, above 0; None weights all rows equally.
        groups: Shape (n,): the group of each row, such as a person; None if the rows are independent.
    """
    shares, found = flagged_and_found(positive, score, weights)
    prevalence = float(np.average(positive == 1, weights=weights))
    reached = np.interp(_FLAGGED, shares, found)
    gains = tuple(
        Gain(share, float(one), float(one) * prevalence / share) for share, one in zip(_FLAGGED, reached, strict=True)
    )
    if costs is None or (groups is not None and len(np.unique(groups)) < 2):
        return DecisionValue(gains)
    thresholds: dict[Decision, float | None] = {"model": threshold}
    if is_probability:
        thresholds["break_even"] = break_even(costs)
    thresholds |= {"flag_all": None, "flag_none": None}
    flagged = {"flag_all": np.ones(len(score), dtype=bool), "flag_none": np.zeros(len(score), dtype=bool)}
    flagged |= {name: score >= at for name, at in thresholds.items() if at is not None}
    of_rows = np.column_stack([_cost_of_rows(positive == 1, flagged[name], costs) for name in thresholds])
    return DecisionValue(gains, _expected(thresholds, of_rows, weights, groups))


def _cost_of_rows(positive: Array, flagged: Array, costs: ErrorCosts) -> Array:
    missed, false_alarm = costs
    return np.where(positive, missed * ~flagged, false_alarm * flagged)


def _expected(
    thresholds: Mapping[Decision, float | None], of_rows: Array, weights: Array | None, groups: Array | None
) -> tuple[ExpectedCost, ...]:
    found = []
    for place, (decision, threshold) in enumerate(thresholds.items()):
        value, margin = _mean(of_rows[:, place], weights, groups)
        more, its_margin = _mean(of_rows[:, place] - of_rows[:, 0], weights, groups)
        found.append(
            ExpectedCost(
                decision=decision,
                threshold=threshold,
                value=value,
                low=max(0.0, value - margin),
                high=value + margin,
                saved=Saved(more, more - its_margin, more + its_margin) if place else None,
            )
        )
    return tuple(found)


def _mean(of_rows: Array, weights: Array | None, groups: Array | None) -> tuple[float, float]:
    """Return a mean for each 1,000 rows, and half the length of its 95 % interval.

    The variance is that of a mean of clusters, by linearisation (Cochran, 1977), with the t distribution: a cluster is
    a group of rows, or a row; there are at least two.
    """
    from scipy.special import stdtrit

    weight = np.ones(len(of_rows)) if weights is None else weights
    mean = float(np.average(of_rows, weights=weight))
    of_cluster: Array = weight * (of_rows - mean)
    if groups is not None:
        of_cluster = np.bincount(np.unique(groups, return_inverse=True)[1], of_cluster)
    n = len(of_cluster)
    error = float(np.sqrt(n / (n - 1) * np.sum(of_cluster**2))) / float(weight.sum())
    return PER * mean, PER * float(stdtrit(n - 1, 0.975)) * error
