"""One plain type for every column, whatever reader it came from: int64, float64, dates, or text."""

from decimal import Decimal
from numbers import Real

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from e2i_assets.core.data.instants import instants
from e2i_assets.core.data.keys import key, keys

_FIRST = 1000
_LARGEST = np.iinfo(np.int64).max
NESTED = "lists or mappings: each of their values would be a feature"


def plain(column: pd.Series) -> pd.Series:
    """Return the column as int64, float64, datetime64, or objects of text.

    Booleans become 0 and 1, decimals and nullable numbers become floats, categories become what they stand for.
    Integers stay integers unless one is missing; instants with a time zone are in UTC.
    """
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return instants(column)
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_complex_dtype(column.dtype):
        return _number(column)
    cells = column.astype(object)
    present = cells[cells.notna()]
    if len(present) and all(isinstance(cell, Real | np.bool_ | Decimal) for cell in present):
        return _number(cells)
    kind = pd.api.types.infer_dtype(present, skipna=True)
    if kind in ("date", "datetime", "datetime64"):
        return instants(cells)
    texts = cells if kind == "string" else cells.map(str, na_action="ignore").astype(object)
    return texts.mask(texts.isna())


def readable(table: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return a table with text as names, instants in UTC and each nested cell as one text; and its nested columns.

    Functions of pandas fail on other cells: on lists, which it cannot compare, and on early instants in the zones of
    some places, as Python objects, with a segmentation fault.
    """
    table = table.rename(columns=str)
    changed: dict[int, pd.Series] = {}
    nested = []
    for place, (name, column) in enumerate(table.items()):
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            changed[place] = column.dt.tz_convert("UTC")
        elif _is_nested(column):
            changed[place] = column.map(str, na_action="ignore").astype(object)
            nested.append(str(name))
    for place, column in changed.items():
        table.isetitem(place, column)  # type: ignore[arg-type]  # the stubs lack Series
    return table, tuple(nested)


def codes_and_texts(column: pd.Series) -> tuple[NDArray[np.int64], pd.Series]:
    """Return the code of each cell, -1 for a missing one, and the distinct texts of the cells by code."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        places, distinct = pd.factorize(column.astype(object))
        return np.asarray(places, np.int64), pd.Series(distinct, dtype=object).map(str)
    codes, categories = np.asarray(column.cat.codes, np.int64), column.cat.categories
    used = np.bincount(codes + 1, minlength=len(categories) + 1)[1:] > 0
    if not used.all():
        codes = np.append(np.cumsum(used) - 1, -1)[codes]
    return codes, pd.Series(categories[used], dtype=object).map(str)


def is_number(column: pd.Series) -> bool:
    """Return whether a plain column holds numbers."""
    return pd.api.types.is_numeric_dtype(column.dtype)


def has_fractions(column: pd.Series) -> bool:
    """Return whether a column of floats has a number that is not whole."""
    if not pd.api.types.is_float_dtype(column.dtype):
        return False
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    # The first rows nearly always decide it.
    return any(bool((some[np.isfinite(some)] % 1 != 0).any()) for some in (values[:_FIRST], values))


def label(cell: object) -> str:
    """Return a cell as a label: 1, 1.0, true and "1" are one, as one reader or another makes any of them."""
    return key(cell)


def labels(column: pd.Series) -> pd.Series:
    """Return a column as labels; what is missing stays missing."""
    return keys(column)


def in_order(found: pd.Series) -> tuple[str, ...]:
    """Return the distinct labels: by size if all are numbers, else by the alphabet."""
    distinct = [str(one) for one in found.dropna().unique()]
    sizes = pd.to_numeric(pd.Series(distinct, dtype=object), errors="coerce")
    if sizes.notna().all():
        return tuple(one for _, one in sorted(zip(sizes, distinct, strict=True)))
    return tuple(sorted(distinct))


def _number(column: pd.Series) -> pd.Series:
    if column.dtype == object or column.isna().any():
        return pd.Series(column.to_numpy(dtype="float64", na_value=np.nan), index=column.index, name=column.name)
    if pd.api.types.is_float_dtype(column.dtype) or (len(column) and column.max() > _LARGEST):
        return column.astype("float64")
    return column.astype("int64")


def _is_nested(column: pd.Series) -> bool:
    if column.dtype != object or pd.api.types.infer_dtype(column, skipna=True) not in ("mixed", "mixed-integer"):
        return False
    return bool(column.map(lambda cell: isinstance(cell, list | tuple | set | dict | np.ndarray)).any())
