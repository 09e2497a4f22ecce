"""The cells of served rows in the types that a model was fitted on.

Like `fitted_model`, this file is copied into every stored model and imports no other module of `e2i_assets`.
"""

from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd


def numbers(column: pd.Series) -> pd.Series:
    """Return a column of any numeric type as floats, NaN where a value is missing; train rows have no infinite one."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf" and not np.isinf(column).any():
        return column
    cells = column.astype(object)
    wrong = [cell for cell in cells.dropna() if not (_is_number(cell) and _is_finite(cell))]
    if wrong:
        raise ValueError(f"column {column.name!r} takes numbers and missing values, and has {str(wrong[0])[:80]!r}")
    return cells.where(cells.notna(), np.nan).astype(np.float64)


def categories(column: pd.Series, known: list[Any]) -> pd.Series:
    """Return a column with its values replaced by the known categories: 1, 1.0, true and "1" are the same category.

    An unknown category becomes text, and a missing value becomes the marker that training used for it.
    """
    cells = column.astype(object)
    by_label = {label(cell): cell for cell in known if not pd.isna(cell)}
    labels = {cell: label(cell) for cell in cells.dropna().unique()}
    found = cells.map({cell: by_label.get(label, label) for cell, label in labels.items()}, na_action="ignore")
    missing = next((cell for cell in known if pd.isna(cell)), np.nan)
    return found.astype(object).where(cells.notna(), missing)


def _is_number(cell: object) -> bool:
    return isinstance(cell, Real | np.bool_ | Decimal)


def _is_finite(number: Any) -> bool:
    try:
        return bool(np.isfinite(float(number)))
    except OverflowError:  # an integer beyond double precision
        return False


def label(cell: Any) -> str:
    """Return the text by which a cell is the same category as another."""
    return str(int(cell)) if _is_number(cell) and _is_finite(cell) and float(cell).is_integer() else str(cell)
