"""Values that stand for a missing value: far from all others, and nines, eights or sevens alone, or known dates."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from e2i_assets.core.data.column_types import is_number
from e2i_assets.core.fitting.date_parts import is_date, without_zone

_FEWEST = 2
_CANDIDATES = np.array(
    [sign * float(digit * length) for sign in (1, -1) for digit in "987" for length in range(2, 9)] + [-1e30, 1e30]
)
_DATES = np.array(
    ["0001-01-01", "1753-01-01", "1900-01-01", "1970-01-01", "2099-12-31", "2999-12-31", "9999-12-31"],
    dtype="datetime64[D]",
)


def sentinel_notes(columns: Mapping[str, pd.Series]) -> Iterator[str]:
    """Find values such as -999 or 9999 that lie further from the others than these lie from one another."""
    for name, column in columns.items():
        if is_date(column):
            yield from _date_notes(name, without_zone(column.dropna()).to_numpy().astype("datetime64[D]"))
        if not is_number(column):
            continue
        values = column.to_numpy(dtype=np.float64)
        suspects = np.isin(values, _CANDIDATES)
        if suspects.sum() < _FEWEST:
            continue
        others = values[~suspects & np.isfinite(values)]
        if not len(others):
            continue
        low, high = float(others.min()), float(others.max())
        span = max(high - low, 1.0)
        found, counts = np.unique(values[suspects], return_counts=True)
        for value, count in zip(found, counts, strict=True):
            if count >= _FEWEST and not low - span <= value <= high + span:
                yield (
                    f"{name}: {value:g} in {count:,} rows lies far from the others ({low:g} to {high:g}); if it means "
                    f"a missing value, write columns: {{missing: {{{name}: [{value:g}]}}}}"
                )


def _date_notes(name: str, days: NDArray[np.datetime64]) -> Iterator[str]:
    suspects = np.isin(days, _DATES)
    others = days[~suspects]
    if not len(others):
        return
    low, high = others.min(), others.max()
    span = max(high - low, np.timedelta64(365, "D"))
    for day, count in zip(*np.unique(days[suspects], return_counts=True), strict=True):
        if count >= _FEWEST and not low - span <= day <= high + span:
            yield (
                f"{name}: {day} in {count:,} rows lies far from the others ({low} to {high}); if it means a missing "
                f"value, write columns: {{missing: {{{name}: ['{day}']}}}}"
            )
