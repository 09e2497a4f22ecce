"""Keys of groups, ids, categories and classes: one text for one thing, whatever type the reader gave the column.

`key` is the only function that turns a cell into a name. Two cells have the same key if and only if they are the same
thing: 7, 7.0, Decimal("7.00") and "7" are; "007" and "7" are not. Nothing is rounded on the way: `exact` keeps a column
in a type that holds all its digits, and `rounded` counts the cells in which a reader has lost some already.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from numbers import Integral, Real

import numpy as np
import pandas as pd

from e2i_assets.core.data.instants import instants

# An index of PostgreSQL takes entries up to about 2,700 bytes.
LONGEST_KEY = 1000
_DIGEST = "sha256:"
_MISSING = "(missing)"
_RESERVED = (_DIGEST, _MISSING)
_INT64 = np.iinfo(np.int64)
_EXACT_IN_DOUBLE = 2**53


def key(cell: object) -> str:
    """Return the canonical text of one cell that is not missing.

    Integral numbers of every type are their digits; true and false are 1 and 0. Other numbers are the shortest text
    that a double is read back from, or all their digits where a double does not hold them. Instants with an offset are
    in UTC, and a day without a time is its date. Text stays as it is.
    """
    match cell:
        case str():
            return cell
        case bool() | np.bool_():
            return "1" if cell else "0"
        case Integral():
            return str(int(cell))
        case Decimal():
            return _of_decimal(cell)
        case Real():
            return str(int(float(cell))) if float(cell).is_integer() else str(cell)
        case date() | np.datetime64():
            return _of_instant(cell)
        case _:
            return str(cell)


def keys(column: pd.Series) -> pd.Series:
    """Return a column as keys; what is missing stays missing."""
    return _mapped(column, key, None)


def exact(column: pd.Series) -> pd.Series:
    """Return a column of names in a plain type that loses nothing.

    That is int64 where all cells are integral numbers, float64 where doubles hold them, datetime64, and otherwise text:
    the `keys`. So a column of numbers has the same type whether it was read as integers, doubles or decimals.
    """
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return instants(column)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iub":
        fits = column.dtype.kind != "u" or column.empty or int(column.max()) <= _INT64.max
        return column.astype("int64") if fits else keys(column)
    cells = column.astype(object)
    present = cells[cells.notna()]
    if len(present) and all(isinstance(cell, Real | Decimal | np.bool_) for cell in present.unique()):
        return _numbers(cells, present)
    if pd.api.types.infer_dtype(present, skipna=True) in ("date", "datetime", "datetime64"):
        return instants(cells)
    return keys(cells)


def without_zero_bytes(column: pd.Series) -> pd.Series:
    """Return a column of names with the digest of each text that has a zero byte: pandas would cut the text there."""
    if column.dtype != object or not any("\0" in cell for cell in column if isinstance(cell, str)):
        return column
    return _mapped(column, lambda cell: _stored(str(cell), _RESERVED), None)


def rounded(column: pd.Series) -> int:
    """Count the cells of a floating-point column that may stand for several integers: those beyond its precision."""
    if not pd.api.types.is_float_dtype(column.dtype):
        return 0
    width = getattr(column.dtype, "numpy_dtype", column.dtype)
    values = column.to_numpy(dtype="float64", na_value=np.nan)
    limit = 2.0 ** (np.finfo(np.dtype(str(width))).nmant + 1)
    return int((np.isfinite(values) & (np.abs(values) >= limit)).sum())


def row_keys(frame: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Return one key for each row of some columns, as text that PostgreSQL stores and indexes.

    The keys of several columns are joined by |, which is escaped inside them. A text that PostgreSQL does not take (a
    zero byte, a lone surrogate, more than `LONGEST_KEY` bytes) is replaced by its SHA-256. A missing cell is a key too.
    """
    parts = [_named(frame[name]) for name in columns]
    if len(parts) == 1:
        return parts[0]
    escaped = [part.str.replace("\\", "\\\\", regex=False).str.replace("|", "\\|", regex=False) for part in parts]
    joined = escaped[0].str.cat(pd.concat(escaped[1:], axis=1), sep="|")
    return _mapped(joined, lambda one: _stored(str(one), ()), None)


def _named(column: pd.Series) -> pd.Series:
    if column.dtype == np.int64:
        return column.astype(str)
    return _mapped(column, lambda cell: _stored(key(cell), _RESERVED), _MISSING)


def _mapped(column: pd.Series, named: Callable[[object], str], missing: str | None) -> pd.Series:
    """Return a column with each cell named once; pandas' own tables of texts end a text at its first zero byte."""
    names: dict[object, str] = {}
    found: list[str | None] = []
    for cell, absent in zip(column, column.isna(), strict=True):
        if absent:
            found.append(missing)
            continue
        if cell not in names:
            names[cell] = named(cell)
        found.append(names[cell])
    return pd.Series(found, index=column.index, name=column.name, dtype=object)


def _stored(text: str, reserved: tuple[str, ...]) -> str:
    """Return a text, or its digest where PostgreSQL does not take it or where it looks like one of our own marks."""
    if "\0" not in text and len(text) <= LONGEST_KEY and not (reserved and text.startswith(reserved)):
        if text.isascii():
            return text
        try:
            if len(text.encode()) <= LONGEST_KEY:
                return text
        except UnicodeEncodeError:
            pass
    return _DIGEST + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _numbers(cells: pd.Series, present: pd.Series) -> pd.Series:
    distinct = present.unique()
    if all(_is_integral(cell) for cell in distinct):
        whole = [int(cell) for cell in distinct]
        if len(present) == len(cells) and _INT64.min <= min(whole) and max(whole) <= _INT64.max:
            return cells.map(dict(zip(distinct, whole, strict=True))).astype("int64")
        if max(map(abs, whole)) >= _EXACT_IN_DOUBLE:
            return keys(cells)
    elif not all(_fits_double(cell) for cell in distinct):
        return keys(cells)
    return pd.Series(cells.to_numpy(dtype="float64", na_value=np.nan), index=cells.index, name=cells.name)


def _is_integral(cell: Real | Decimal | np.bool_) -> bool:
    if isinstance(cell, Integral | np.bool_):
        return True
    if isinstance(cell, Decimal):
        return cell.is_finite() and cell == cell.to_integral_value()
    return float(cell).is_integer()


def _fits_double(cell: Real | Decimal | np.bool_) -> bool:
    return not isinstance(cell, Decimal) or not cell.is_finite() or Decimal(repr(float(cell))) == cell


def _of_decimal(cell: Decimal) -> str:
    if not cell.is_finite():
        return str(float(cell))
    if not cell:
        return "0"
    if _fits_double(cell) and not _is_integral(cell):
        return str(float(cell))
    digits = format(cell, "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _of_instant(cell: date | np.datetime64) -> str:
    if not isinstance(cell, datetime):
        if isinstance(cell, date):
            return cell.isoformat()
        cell = pd.Timestamp(cell)
    moment = pd.Timestamp(cell)
    if moment.tzinfo is not None:
        return moment.tz_convert("UTC").isoformat(sep=" ")
    return moment.isoformat(sep=" ").removesuffix(" 00:00:00")
