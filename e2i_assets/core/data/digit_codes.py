"""Digits that a number would not keep: codes beyond 2^53, such as those of meters, and codes with leading zeros."""

import re
from collections.abc import Iterable
from decimal import Decimal
from numbers import Integral

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from e2i_assets.core.data.keys import key, keys
from e2i_assets.core.data.written_dates import kind_of_numbers

_EXACT = 2.0**53
_WHOLE = re.compile(r"[+-]?\d+")
_DIGITS = re.compile(r"[0-9]+")
# Two digits are months or hours as well, whose order is worth more than the zero.
_SHORTEST_CODE = 3
_FIRST = 100
_SHOWN_FROM = 5


def long_numbers(column: pd.Series) -> pd.Series | None:
    """Return a column of whole numbers as text with all their digits, None if it has other cells or few beyond 2^53.

    Args:
        column: Any type; floats are None, because their reader has rounded them already.
    """
    present = column.dropna()
    if present.empty or pd.api.types.is_float_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
        return None
    if pd.api.types.is_integer_dtype(column.dtype):
        return keys(column) if _are_long(present.to_numpy(dtype=np.float64), present.unique()) else None
    if not all(map(_is_whole, present.head(_FIRST))):
        return None
    distinct = present.unique()
    if not all(map(_is_whole, distinct)) or not _are_long(np.array([float(one) for one in distinct]), distinct):
        return None
    return keys(column)


def zeros_note(name: str, texts: pd.Series) -> str | None:
    """Return the note on codes such as 02826 that stay text, None if the texts are numbers.

    Codes have digits alone, at least three, all the same number of them, and some begin with a zero.

    Args:
        name: Of the column.
        texts: The distinct texts.
    """
    codes = texts.str.strip()
    width = codes.str.len().max()
    if width < _SHORTEST_CODE or (codes.str.len() != width).any() or not codes.str.startswith("0").any():
        return None
    if not all(map(_DIGITS.fullmatch, codes)):
        return None
    example = codes[codes.str.startswith("0")].iloc[0]
    return f"{name}: codes such as {example} stay text; if they are numbers, write columns: {{numeric: [{name}]}}"


def why_long(column: pd.Series, texts: pd.Series, has_group: bool) -> str:
    """Return why long whole numbers are no feature, with the keys of the experiment file that settle it.

    Args:
        column: The plain column.
        texts: The `long_numbers` of it.
        has_group: Whether the experiment declares a group.
    """
    name, counts = str(column.name), texts.value_counts()
    example = f" such as {counts.index[0]}" if not has_group and counts.iloc[0] >= _SHOWN_FROM else ""
    ways = [f"{{id: [{name}]}} if they identify a row"]
    ways += [] if has_group else [f"{{group: {name}}} if they identify a person or thing with several rows"]
    ways += [f"{{categorical: [{name}]}} if they are codes"]
    if (kind := kind_of_numbers(texts.dropna().astype(np.float64), "1990-01-01", "2050-01-01")) is not None:
        ways += [f"{{dates: [{name}]}} if they are dates ({kind})"]
    return (
        f"whole numbers beyond 2^53{example} ({len(counts):,} values in {int(counts.sum()):,} rows), which a model "
        f"would round: write columns: {', '.join(ways)}, or {{numeric: [{name}]}} if they are measurements"
    )


def _is_whole(cell: object) -> bool:
    if isinstance(cell, str):
        return _WHOLE.fullmatch(cell) is not None and cell.isascii()
    if isinstance(cell, Decimal):
        return cell.is_finite() and cell == cell.to_integral_value()
    return isinstance(cell, Integral) and not isinstance(cell, bool)


def _are_long(sizes: NDArray[np.float64], cells: Iterable[object]) -> bool:
    """Return whether most numbers are beyond 2^53; multiples of 1000 stay apart as doubles, such as nanoseconds."""
    return bool((np.abs(sizes) > _EXACT).mean() > 0.5) and any(int(str(one)[-3:]) for one in map(key, cells))
