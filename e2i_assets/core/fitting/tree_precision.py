"""Detection of numeric columns with values that trees cannot distinguish.

Trees read features in single precision, about seven digits: 13-digit codes with a difference of 100 become equal.
scikit-learn does not split between values that are less than 1e-7 apart, and LightGBM treats values below 1e-35 as 0.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from e2i_assets.core.metrics import Array

_SINGLE = 2.0**-23
_THRESHOLD = 1e-7
# A smaller relative difference between numbers is a rounding error of the arithmetic that produced them.
_ROUNDING = 2.0**-50
_LARGEST = float(np.finfo(np.float32).max)
# The largest whole number below which double precision has all of them.
EXACT = 2.0**53
# The squares of larger numbers are infinite.
_LARGEST_SQUARED = 1e150
# Merged values matter when more than this share of the rows has them.
SHARE_OF_ROWS = 0.005
# Numbers with fractions are checked on the first rows only: sorting all rows would take longer than binning them.
_CHECKED_ROWS = 65_536


def fine_columns(pieces: Callable[[Sequence[str] | None], Iterator[pd.DataFrame]]) -> tuple[str, ...]:
    """Return the numeric columns with values that trees merge, in more than `SHARE_OF_ROWS` of the rows of a batch.

    Args:
        pieces: Returns the train rows in batches.
    """
    found: dict[str, None] = {}
    seen = 0
    for piece in pieces(None):
        for name in piece.columns:
            if name not in found and pd.api.types.is_numeric_dtype(piece[name]):
                whole = pd.api.types.is_integer_dtype(piece[name])
                values = piece[name].to_numpy(dtype=np.float64, na_value=np.nan)
                if is_fine(values, whole, whole or seen < _CHECKED_ROWS):
                    found[str(name)] = None
        seen += len(piece)
    return tuple(found)


def unscalable_columns(pieces: Callable[[Sequence[str] | None], Iterator[pd.DataFrame]]) -> tuple[str, ...]:
    """Return the numeric columns whose variance is not finite in double precision.

    Args:
        pieces: Returns the train rows in batches.
    """
    largest: dict[str, float] = {}
    for piece in pieces(None):
        for name in piece.columns:
            if pd.api.types.is_numeric_dtype(piece[name]):
                values = np.abs(piece[name].to_numpy(dtype=np.float64, na_value=np.nan))
                largest[str(name)] = max(largest.get(str(name), 0.0), float(np.nanmax(values, initial=0.0)))
    return tuple(name for name, size in largest.items() if size > _LARGEST_SQUARED)


def is_fine(values: Array, is_whole: bool, thoroughly: bool = True) -> bool:
    """Return whether trees merge different values of a column, in more than `SHARE_OF_ROWS` of the rows.

    Args:
        values: Shape (rows,), in double precision, NaN for a missing one.
        is_whole: Whether the column has whole numbers by its type.
        thoroughly: Whether to compare values, and not only to look for numbers beyond single precision.
    """
    values = values[~np.isnan(values)]
    largest = float(np.abs(values).max(initial=0.0))
    if largest > _LARGEST:
        return True
    if not thoroughly or len(values) < 2 or largest == 0.0:
        return False
    if largest < 1 / _SINGLE and not np.any(values % 1):
        return False
    ordered = np.sort(values)
    gaps, sizes = np.diff(ordered), np.maximum(np.abs(ordered[1:]), np.abs(ordered[:-1]))
    merged = gaps <= np.maximum(sizes * _SINGLE, _THRESHOLD)
    is_exact = largest <= EXACT and not np.any(values % 1)
    different = merged & (gaps > (0.0 if is_exact or is_whole else sizes * _ROUNDING))
    run = np.concatenate([[0], np.cumsum(~merged)])
    mixed = np.bincount(run[1:], weights=different, minlength=run[-1] + 1) > 0
    return bool((np.bincount(run)[mixed] > SHARE_OF_ROWS * len(values)).any())
