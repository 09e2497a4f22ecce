"""Date columns as numeric features: the parts of a calendar date, and the days since the first day of the train rows.

Like `fitted_model`, this file is copied into every stored model and imports no other module of `e2i_assets`.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NotRequired, TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[Any]

# The features that a date column can have; Monday is weekday 0.
DATE_PARTS = ("year", "month", "day", "weekday", "hour", "days")

# Numbers that are dates: so many of them are a second since 1970.
EPOCH_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


class DateFeatures(TypedDict):
    """The features of one date column.

    Attributes:
        parts: Some of `DATE_PARTS`.
        first_day: The first day of the train rows.
        has_offset: Whether the dates of the train rows had an offset, and are in UTC.
        form: The form that the source has, if it is not ISO 8601: that of ``strptime``, or a unit of `EPOCH_UNITS`.
    """

    parts: list[str]
    first_day: str
    has_offset: bool
    form: NotRequired[str]


def part_name(column: str, part: str) -> str:
    """Return the name of a feature that is made of a date column."""
    return f"{column}: {part}"


def with_date_parts(frame: pd.DataFrame, dates: Mapping[str, DateFeatures]) -> pd.DataFrame:
    """Return the table with numeric columns instead of its date columns; all parts of a missing date are NaN.

    Raises:
        ValueError: A date column contains another value, or dates with and without an offset.
    """
    columns: dict[str, pd.Series] = {}
    for name in frame.columns:
        if name not in dates:
            columns[name] = frame[name]
            continue
        moments = _moments(frame[name], dates[name]["has_offset"], dates[name].get("form"))
        for part in dates[name]["parts"]:
            columns[part_name(name, part)] = date_part(moments, part, dates[name]["first_day"])
    return pd.DataFrame(columns, index=frame.index)


def date_part(moments: pd.Series, part: str, first_day: str = "1970-01-01") -> pd.Series:
    """Return one of `DATE_PARTS` of a datetime64 column without a time zone, as floats; Monday is weekday 0."""
    if part == "days":
        return (moments - pd.Timestamp(first_day)) / pd.Timedelta(days=1)
    found: pd.Series = getattr(moments.dt, part).astype(np.float64)
    return found


def is_date(column: pd.Series) -> bool:
    """Return whether a column has the type datetime64."""
    return pd.api.types.is_datetime64_any_dtype(column.dtype)


def without_zone(column: pd.Series) -> pd.Series:
    """Return a datetime64 column without a time zone, in UTC if it has one."""
    return column if getattr(column.dt, "tz", None) is None else column.dt.tz_convert("UTC").dt.tz_localize(None)


def days(column: pd.Series) -> Array:
    """Return a datetime64 column as days since 1970-01-01, NaN where it is missing: shape (n,)."""
    found: Array = date_part(without_zone(column), "days").to_numpy(dtype=np.float64)
    return found


def _moments(column: pd.Series, has_offset: bool, form: str | None) -> pd.Series:
    """Return a column of dates, or of text in a form or in ISO 8601, as datetime64; in UTC if the train rows were."""
    if is_date(column):
        if (getattr(column.dt, "tz", None) is not None) != has_offset:
            raise ValueError(_offset_message(column.name, has_offset))
        return without_zone(column)
    cells = column.astype(object)
    moments = {cell: _moment(cell, column.name, has_offset, form) for cell in cells.dropna().unique()}
    found = [moments.get(cell, np.datetime64("NaT")) for cell in cells]
    return pd.Series(np.array(found, dtype="datetime64[us]"), index=column.index)


def _moment(cell: object, name: object, has_offset: bool, form: str | None) -> datetime:
    found: object = _in_form(cell, form) if form else None
    if found is None:
        found = _from_text(cell.strip()) if isinstance(cell, str) else cell
    if isinstance(found, np.datetime64):
        found = pd.Timestamp(found)
    if isinstance(found, date) and not isinstance(found, datetime):
        found = datetime(found.year, found.month, found.day)
    if not isinstance(found, datetime):
        own = f"the form of the train rows ({form}), " if form else ""
        wanted = f"dates, {own}ISO 8601 text and missing values"
        raise ValueError(f"column {name!r} takes {wanted}, and has {str(cell)[:80]!r}")
    if (found.tzinfo is not None) != has_offset:
        raise ValueError(_offset_message(name, has_offset))
    moment = found.to_pydatetime(warn=False) if isinstance(found, pd.Timestamp) else found
    return moment.astimezone(UTC).replace(tzinfo=None) if has_offset else moment


def _offset_message(name: object, has_offset: bool) -> str:
    wanted = "dates with a UTC offset, such as 2026-01-31T10:00:00Z" if has_offset else "dates without a UTC offset"
    return f"column {name!r} takes {wanted}, as in the train rows"


def _in_form(cell: object, form: str) -> datetime | None:
    """Return a text or a number in the form of the train rows as a datetime, None if it is not in that form."""
    if isinstance(cell, str | int | float | np.integer | np.floating) and not isinstance(cell, bool):
        try:
            if form in EPOCH_UNITS:
                number = float(cell) if isinstance(cell, str) else cell
                return datetime(1970, 1, 1) + timedelta(microseconds=round(number / EPOCH_UNITS[form] * 1e6))
            text = cell.strip() if isinstance(cell, str) else f"{cell:.0f}" if cell == int(cell) else str(cell)
            return datetime.strptime(text, form)
        except (ValueError, OverflowError):
            return None
    return None


def _from_text(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(f"{text}-01" if len(text) == len("2026-01") else text)
    except ValueError:
        return None
