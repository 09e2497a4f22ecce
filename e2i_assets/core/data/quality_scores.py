"""The five dimensions of data quality, each a share between 0 and 1 that can be counted on any table."""

from datetime import datetime

import numpy as np
import pandas as pd

from e2i_assets.core.data.column_types import is_number
from e2i_assets.core.data.dataset import Dataset
from e2i_assets.core.fitting.date_parts import is_date

_STAND_INS = frozenset({"", "-", "--", ".", "?", "n/a", "#n/a", "na", "nan", "null"})


def scores(data: Dataset, now: datetime) -> dict[str, float]:
    """Return the share of each dimension.

    Args:
        data: The typed table.
        now: The time of the assessment, with a time zone.
    """
    return {
        "completeness": completeness(data),
        "validity": validity(data),
        "consistency": consistency(data),
        "uniqueness": uniqueness(data),
        "timeliness": timeliness(data, now),
    }


def completeness(data: Dataset) -> float:
    """Cells of features and target that are not missing; a row that was left out misses its target."""
    present = int(data.frame[[*data.features, data.target]].notna().to_numpy().sum())
    return present / (len(data.frame) * (len(data.features) + 1) + data.rows_without_target)


def validity(data: Dataset) -> float:
    """Present cells of features and target that say something: finite numbers, text that is no stand-in for nothing."""
    valid = present = 0
    for name in (*data.features, data.target):
        column = data.frame[name].dropna()
        present += len(column)
        if is_date(column):
            valid += len(column)
        elif is_number(column):
            valid += int(np.isfinite(column.to_numpy(dtype=np.float64)).sum())
        else:
            counts = _counts(column)
            valid += int(counts[~_folded(counts.index).isin(_STAND_INS)].sum())
    return valid / present


def consistency(data: Dataset) -> float:
    """Present text cells in the most common spelling of their value, apart from case and spaces; 1 without text."""
    agreeing = present = 0
    for name in (*data.features, data.target):
        column = data.frame[name].dropna()
        if is_number(column) or is_date(column):
            continue
        spellings = _counts(column)
        present += len(column)
        agreeing += int(spellings.groupby(_folded(spellings.index)).max().sum())
    return agreeing / present if present else 1.0


def uniqueness(data: Dataset) -> float:
    """Rows that repeat no earlier one: by the ids where there are ids, else by the whole row."""
    keys = data.frame[list(data.ids)] if data.ids else data.frame
    return 1.0 - float(keys.duplicated().mean())


def timeliness(data: Dataset, now: datetime) -> float:
    """Rows whose time is not after ``now``; 1 without a time column, and with one that holds numbers."""
    if data.time is None or not is_date(data.frame[data.time]):
        return 1.0
    times = data.frame[data.time]
    limit = pd.Timestamp(now)
    if times.dt.tz is None and limit.tz is not None:
        limit = limit.tz_convert("UTC").tz_localize(None)
    return float((times <= limit).mean())


def _counts(column: pd.Series) -> "pd.Series[int]":
    """Count the spellings of a column: there are few of them, and a million rows."""
    counts = column.value_counts()
    counts.index = counts.index.astype(object).map(str)
    return counts.groupby(level=0).sum()


def _folded(spellings: "pd.Index[str]") -> "pd.Index[str]":
    return spellings.astype(str).str.strip().str.casefold()
