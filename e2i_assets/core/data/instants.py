"""Columns of dates and times as instants: one order and one content, whatever time zone the reader or server had.

Cells with an offset or a time zone are converted to UTC. Cells without one keep their wall-clock time; no zone is
assumed for them. A column has nanoseconds where all its cells fit (1677 to 2262), else microseconds (years 1 to 9999).
"""

import re
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd

_OFFSET = re.compile(r"[T ]\d{2}.*(?:[Zz]|[+-]\d{2}(?::?\d{2})?)\s*$")


def instants(cells: pd.Series) -> pd.Series:
    """Return cells as datetime64, in UTC where they have an offset; a cell that is no instant is missing (NaT).

    Text is read as ISO 8601. Where some cells have an offset and others do not, those without one are missing: they
    cannot be ordered among the others.

    Args:
        cells: Dates, datetimes, timestamps or text.
    """
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return cells if cells.dt.tz is None else cells.dt.tz_convert("UTC")
    found = pd.Series(pd.NaT, index=cells.index, name=cells.name, dtype=object)
    present = cells[cells.notna()].astype(object)
    zoned = _has_offset(present)
    used = present[zoned] if zoned.any() else present
    return _joined(found, used, aware=bool(zoned.any()))


def without_offset(cells: pd.Series) -> pd.Series:
    """Return which cells have no offset while others of the column have one: shape (n,) of truth values."""
    if pd.api.types.is_datetime64_any_dtype(cells.dtype) or pd.api.types.is_numeric_dtype(cells.dtype):
        return pd.Series(False, index=cells.index)
    present = cells[cells.notna()].astype(object)
    zoned = _has_offset(present)
    return (~zoned).reindex(cells.index, fill_value=False) if zoned.any() else pd.Series(False, index=cells.index)


def _has_offset(cells: pd.Series) -> pd.Series:
    zoned = [
        _OFFSET.search(cell) is not None if isinstance(cell, str) else getattr(cell, "tzinfo", None) is not None
        for cell in cells
    ]
    return pd.Series(zoned, index=cells.index, dtype=bool)


def _joined(found: pd.Series, used: pd.Series, aware: bool) -> pd.Series:
    """Parse all cells at once, and one by one where some are outside the years that nanoseconds reach."""
    try:
        whole = pd.to_datetime(used, format="ISO8601", errors="coerce", utc=aware)
    except (pd.errors.OutOfBoundsDatetime, OverflowError, ValueError, TypeError):
        whole = pd.Series(pd.NaT, index=used.index, dtype=object)
    missed = {at: moment for at, cell in used[whole.isna()].items() if (moment := _moment(cell, aware)) is not None}
    if not missed:
        joined: pd.Series = pd.to_datetime(whole, utc=aware).reindex(found.index)
        joined.name = found.name
        return joined
    micro = pd.to_datetime(whole, utc=True).dt.tz_localize(None).dt.as_unit("us")
    late = pd.Series(np.array(list(missed.values()), dtype="datetime64[us]"), index=list(missed))
    joined = pd.concat([micro.drop(late.index), late]).reindex(found.index)
    joined = joined.dt.tz_localize("UTC") if aware else joined
    joined.name = found.name
    return joined


def _moment(cell: object, aware: bool) -> datetime | None:
    """Return a cell as a datetime without a zone, in UTC where it has one; None if it is none."""
    try:
        if isinstance(cell, str):
            cell = datetime.fromisoformat(cell.strip())
        elif isinstance(cell, date) and not isinstance(cell, datetime):
            cell = datetime(cell.year, cell.month, cell.day)
        if not isinstance(cell, datetime) or pd.isna(cell):
            return None
        return cell.astimezone(UTC).replace(tzinfo=None) if aware else cell.replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
