"""The periods of the splits of an experiment with a time column: cut once between different times, then stored.

Rows in the gap after a period, and rows after the last period, are in no split.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from e2i_assets.core.data.instants import instants
from e2i_assets.core.fitting.date_parts import is_date
from e2i_assets.core.metrics import Array

IN_THE_GAP = -1
TOO_NEW = -2
_MICROSECONDS_PER_DAY = 86_400_000_000
_STEPS = 200


@dataclass(frozen=True, slots=True)
class Windows:
    """The consecutive periods of the splits.

    Attributes:
        ends: Last time of each period, inclusive: microseconds since 1970 (UTC) for dates, else numbers.
        gap: The gap between two periods, in the same unit.
        dated: Whether the times are dates.
    """

    ends: tuple[float, ...]
    gap: float
    dated: bool

    def places(self, times: pd.Series) -> Array:
        """Return the index of the period of each row, `IN_THE_GAP` or `TOO_NEW`: shape (rows,)."""
        numbers = _numbers(times)
        ends = np.asarray(self.ends)
        places: Array = np.searchsorted(ends, numbers, side="left")
        behind = ends[np.maximum(places - 1, 0)]
        places[(places > 0) & (numbers <= behind + self.gap) & (places < len(ends))] = IN_THE_GAP
        places[places == len(ends)] = TOO_NEW
        return places

    def as_document(self) -> list[str | float]:
        """Return the ends as human-readable JSON values: dates as ISO 8601 text."""
        if not self.dated:
            return list(self.ends)
        return [pd.Timestamp(int(end), unit="us", tz="UTC").isoformat() for end in self.ends]


def windows(times: pd.Series, shares: Sequence[float], gap_days: int = 0) -> Windows:
    """Return the periods whose shares of the rows are as near to the wanted shares as the different times allow.

    Args:
        times: Shape (rows,): dates or numbers, none missing.
        shares: The shares of the splits, in order of time; their sum is 1.
        gap_days: The gap between two periods: in days, or in the unit of a numeric time column.
    """
    dated = is_date(times)
    gap = gap_days * (_MICROSECONDS_PER_DAY if dated else 1)
    ordered = np.sort(_numbers(times))
    rows = len(ordered)
    if not gap:
        return Windows(tuple(_cut(ordered, shares, rows, gap)[0]), gap, dated)
    # With a gap, some rows are in no split, and their number is a discontinuous function of the cuts. The total of the
    # other rows is therefore found by a grid search over its whole range, refined around the best value.
    best = _nearest(ordered, shares, np.linspace(0, rows, _STEPS + 1)[1:], gap)
    step = rows / _STEPS
    around = np.linspace(max(best - step, 1), min(best + step, rows), _STEPS)
    best = _nearest(ordered, shares, np.append(around, best), gap)
    return Windows(tuple(_cut(ordered, shares, best, gap)[0]), gap, dated)


def kept(document: Sequence[str | float], gap_days: int) -> Windows:
    """Return the periods that `Windows.as_document` wrote."""
    numbers = tuple(end for end in document if not isinstance(end, str))
    if numbers:
        return Windows(numbers, gap_days, dated=False)
    ends = _numbers(instants(pd.Series([str(end) for end in document], dtype=object)))
    return Windows(tuple(ends.tolist()), gap_days * _MICROSECONDS_PER_DAY, dated=True)


def _nearest(ordered: Array, shares: Sequence[float], totals: Array, gap: float) -> float:
    """Return the total number of rows in splits that minimises the largest deviation from the shares."""

    def deviation(total: float) -> float:
        counts = np.asarray(_cut(ordered, shares, total, gap)[1])
        return float(np.abs(counts / counts.sum() - shares).max())

    return float(min(totals, key=deviation))


def _cut(ordered: Array, shares: Sequence[float], total: float, gap: float) -> tuple[list[float], list[int]]:
    """Cut the ordered times into periods by the shares of ``total`` rows; return their ends and their row counts."""
    ends: list[float] = []
    counts: list[int] = []
    start = 0
    for share in shares[:-1]:
        end = _nearest_edge(ordered, start, start + share * total)
        ends.append(ordered[end - 1].item())
        counts.append(end - start)
        start = int(np.searchsorted(ordered, ends[-1] + gap, side="right"))
    return [*ends, ordered[-1].item()], [*counts, len(ordered) - start]


def _nearest_edge(ordered: Array, start: int, wanted: float) -> int:
    """Return the number of rows before a boundary between two different times, the number nearest to ``wanted``."""
    at = min(max(round(wanted), start + 1, 1), len(ordered))
    value = ordered[at - 1]
    below, above = (int(np.searchsorted(ordered, value, side=side)) for side in ("left", "right"))
    return below if wanted - below <= above - wanted and below > start else above


def _numbers(times: pd.Series) -> Array:
    if not is_date(times):
        numbers: Array = times.to_numpy()
        return numbers
    # Microseconds cover the years 1 to 9999; nanoseconds end in 2262.
    dates: Array = pd.to_datetime(times, utc=True).dt.as_unit("us").astype("int64").to_numpy()
    return dates
