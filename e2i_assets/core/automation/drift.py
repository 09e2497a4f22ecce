"""Drift of the features between train rows and newer rows, and decay of the model's metric on newer labelled rows.

A feature has drifted when the difference is both significant and large: a two-sample test (corrected for the number of
features) decides significance, the population stability index the size. With many rows every difference is significant,
with few rows none is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from e2i_assets.core.data.column_types import is_number
from e2i_assets.core.evaluation.intervals import Interval
from e2i_assets.core.evaluation.measures import Measure
from e2i_assets.core.figures import figure
from e2i_assets.core.fitting.date_parts import is_date
from e2i_assets.core.fitting.many_categories import FEW_VALUES
from e2i_assets.core.metrics import Array

# Expected share of false alarms among the features that are reported as drifted (Benjamini and Hochberg, 1995).
FALSE_DISCOVERY_RATE = 0.01
# With fewer rows there is no conclusion.
FEWEST_ROWS = 50
_BINS = 10
# A bin that is empty in one table would make the index infinite, so it counts as half a row.
_HALF_A_ROW = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDrift:
    """The difference of one feature between newer rows and train rows.

    Attributes:
        test: Kolmogorov-Smirnov for numbers, chi-squared for categories and for the weekdays of dates; the share of
            missing values is tested too.
        p_value: The p-value of that test.
        p_adjusted: The p-value corrected for the number of features.
        psi: Population stability index over deciles of the train rows, over categories or over weekdays; missing values
            are a bin.
    """

    feature: str
    test: str
    p_value: float
    p_adjusted: float
    psi: float
    drifted: bool


@dataclass(frozen=True, slots=True)
class Decay:
    """A metric on newer labelled rows, and its earlier value on the test rows."""

    metric: str
    then: float
    now: float
    worse: bool


def feature_drift(train: pd.DataFrame, recent: pd.DataFrame, largest_psi: float) -> list[FeatureDrift]:
    """Compare the features of two tables, the largest index first.

    Args:
        train: The train rows of the model.
        recent: Newer rows with the same columns and types.
        largest_psi: A larger index is a large difference; 0.1 and 0.25 are usual (Siddiqi, 2006).
    """
    from scipy.stats import false_discovery_control

    if train.columns.empty:
        return []
    tested = {str(name): _p_value(train[name], recent[name]) for name in train.columns}
    adjusted = false_discovery_control([p for _, p in tested.values()])
    found = []
    for (name, (test, p_value)), corrected in zip(tested.items(), adjusted, strict=True):
        psi = stability_index(train[name], recent[name])
        found.append(
            FeatureDrift(
                feature=name,
                test=test,
                p_value=p_value,
                p_adjusted=float(corrected),
                psi=psi,
                drifted=bool(corrected <= FALSE_DISCOVERY_RATE and psi > largest_psi),
            )
        )
    return sorted(found, key=lambda one: (-one.psi, one.feature))


def stability_index(train: pd.Series, recent: pd.Series) -> float:
    """Return the population stability index: the sum of (q - p) ln(q / p) over bins of shares p and q."""
    counted = np.array(_counts(train, recent), dtype=float)
    filled = np.maximum(counted, _HALF_A_ROW)
    p, q = filled / filled.sum(axis=1, keepdims=True)
    return float(np.sum((q - p) * np.log(q / p)))


def decay(measure: Measure, then: float | None, now: Interval | None, value: float | None) -> Decay | None:
    """Compare a metric on newer rows with its value on test: worse when the whole interval is worse than that value.

    Args:
        measure: The metric, with its direction.
        then: Its value on the test rows when the model was trained.
        now: Its 95 % interval on newer rows.
        value: Its value on newer rows.
    """
    if then is None or now is None or value is None:
        return None
    worse = now.high < then if measure.greater_is_better else now.low > then
    return Decay(measure.name, then, value, worse)


def conclusion(rows: int, drifts: Sequence[FeatureDrift], decayed: Decay | None, labelled: int) -> tuple[bool, str]:
    """Return whether there is drift or decay, and a human-readable sentence about it."""
    if rows < FEWEST_ROWS:
        return False, f"{rows} newer rows are too few for a conclusion: at least {FEWEST_ROWS} are needed"
    named = [f"{one.feature} (PSI {one.psi:.2g}, p {one.p_adjusted:.2g})" for one in drifts if one.drifted]
    parts = []
    if named:
        rest = f" and {len(named) - 5} more" if len(named) > 5 else ""
        parts.append(f"{len(named)} of {len(drifts)} features have drifted: {', '.join(named[:5])}{rest}")
    if decayed and decayed.worse:
        parts.append(
            f"{decayed.metric} was {decayed.then:.4g} on test, and is {decayed.now:.4g} on {labelled} newer rows"
        )
    if parts:
        return True, "; ".join(parts)
    still = (
        "" if decayed is None else f", and {decayed.metric} is {decayed.now:.4g} on {labelled} of them that have labels"
    )
    return False, f"{rows} newer rows do not differ from the train rows in any of {len(drifts)} features{still}"


def psi_text(drift: Mapping[str, Any], largest_psi: float) -> str:
    """Return the index and the p value of a stored `FeatureDrift` beside their limits."""
    found = f"{figure(drift['psi'], 3)} (limit {largest_psi:g}), p {figure(drift['p_adjusted'], 2)}"
    return f"{found} (limit {FALSE_DISCOVERY_RATE:g}): {'drifted' if drift['drifted'] else 'not drifted'}"


def retune_is_due(drifted: bool, last: datetime | None, now: datetime, cool_down_days: float) -> bool:
    """Return whether to request a re-tune: there is drift, and the cool-down since the last one is over."""
    return drifted and (last is None or now - last >= timedelta(days=cool_down_days))


def _p_value(train: pd.Series, recent: pd.Series) -> tuple[str, float]:
    from scipy.stats import ks_2samp

    if not is_number(train):
        return "chi-squared", _same_shares(_counts(train, recent))
    old, new = train.dropna().to_numpy(float), recent.dropna().to_numpy(float)
    p_value = float(ks_2samp(old, new).pvalue) if old.size and new.size else 1.0
    missing = [[int(column.isna().sum()), int(column.notna().sum())] for column in (train, recent)]
    if missing[0][0] or missing[1][0]:
        # Two tests of one column: Bonferroni correction.
        p_value = min(1.0, 2 * min(p_value, _same_shares(missing)))
    return "Kolmogorov-Smirnov", p_value


def _same_shares(counted: Sequence[Sequence[int]]) -> float:
    """Return the p-value of the chi-squared test that two rows of counts have the same shares."""
    from scipy.stats import chi2_contingency

    table = np.array(counted)
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or (table.sum(axis=1) == 0).any():
        return 1.0
    return float(chi2_contingency(table).pvalue)


def _counts(train: pd.Series, recent: pd.Series) -> list[list[int]]:
    """Count both columns in the same bins: deciles of the train rows for numbers, else categories.

    Newer rows have later dates without having drifted, so dates are compared by their weekdays.
    """
    if is_date(train):
        train, recent = train.dt.day_name(), recent.dt.day_name()
    if is_number(train):
        edges = _edges(train.dropna().to_numpy(float))
        binned = [np.searchsorted(edges, column.dropna().to_numpy(float)) for column in (train, recent)]
        counts = [np.bincount(column, minlength=len(edges) + 1).tolist() for column in binned]
    else:
        counts = _category_counts(train, recent)
    missing = [int(train.isna().sum()), int(recent.isna().sum())]
    return [[*count, gone] for count, gone in zip(counts, missing, strict=True)] if any(missing) else counts


def _category_counts(train: pd.Series, recent: pd.Series) -> list[list[int]]:
    """Count the most frequent values of the train rows, and all others together.

    With a bin for each of thousands of values, two samples of the same rows would have a large index. For the same
    reason the values that train does not have are no bin: where there are many values, each sample has some of its own.
    """
    known, found = (column.dropna().astype(str).value_counts() for column in (train, recent))
    counts = [one.reindex(known.index[:FEW_VALUES], fill_value=0).tolist() for one in (known, found)]
    others = [int(one.sum()) - sum(count) for one, count in zip((known, found), counts, strict=True)]
    return [[*count, other] for count, other in zip(counts, others, strict=True)] if any(others) else counts


def _edges(values: Array) -> Array:
    """Return the edges between deciles; frequent values make fewer bins."""
    if not values.size:
        return np.empty(0)
    return np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1]))
