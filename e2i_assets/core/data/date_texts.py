"""Columns of dates that a source has as text or as numbers: recognised if certain, else refused or left to the file.

ISO 8601 is certain. Other forms are certain if only one of them reads every cell; 03/04/2025 alone is not, and a year
of two digits never is. Numbers are dates only if the experiment says so.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from e2i_assets.core.data.column_types import is_number, plain
from e2i_assets.core.data.instants import instants, without_offset
from e2i_assets.core.data.row_places import RowPlaces
from e2i_assets.core.errors import Violation
from e2i_assets.core.fitting.date_parts import is_date

# From this share of its cells on, a column is meant as dates, and the rest of them is refused.
_NEARLY_ALL = 0.9
_SAMPLE = 50
_MOST_SHOWN = 5
_LONGEST = 40
_DATE = r"\d{4}-\d{2}(?:-\d{2}"
_TIME = r"(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s?(?:[Zz]|[+-]\d{2}(?::?\d{2})?)?)?)?"
_ISO = re.compile(rf"\s*{_DATE}{_TIME}\s*")
_SHAPE = re.compile(r"\s*(?:\d{1,4}|[A-Za-z]{3,9})[-/. ]?(?:\d{1,2}|[A-Za-z]{3,9})[-/., ]{0,2}\d{2,4}(?:[T :,].*)?")
_DAYS = (
    "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d %b %Y", "%d-%b-%Y",
    "%d%b%Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%m-%y", "%d-%b-%y",
)  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", ":%H:%M:%S")
_FORMS = tuple(day + time for day in _DAYS for time in _TIMES)
# The largest number that is read in a unit since 1970, 2200-01-01, and the smallest, in April 1970.
_UNITS = {"s": 1e0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_LATEST, _EARLIEST = 7_258_118_400, 1e7


@dataclass(frozen=True, slots=True, eq=False)
class DateReading:
    """A column that was read as dates, or the reason why it cannot be read; a note says how it was read."""

    column: pd.Series | None = None
    note: str | None = None
    mistake: Violation | None = None


def declared_dates(name: str, column: pd.Series, form: str | None, places: RowPlaces) -> DateReading:
    """Return the dates of a column that the experiment declares.

    Args:
        name: The name of the column.
        column: Dates, text or numbers, without the words for missing values.
        form: The form of text and numbers, in the notation of ``strptime``; None to find it.
        places: The places of the rows, for messages.
    """
    found = plain(column)
    if is_date(found):
        return DateReading(found)
    if form is None and is_number(found):
        return _of_numbers(name, found)
    if form is None:
        reading = dates_in_text(name, found, places)
        return reading or DateReading(mistake=_not_dates(name, found, _iso(found), places))
    texts = _whole(found).map(lambda one: f"{one:.0f}", na_action="ignore") if is_number(found) else found
    dates = pd.to_datetime(texts.astype(object), format=form, errors="coerce", utc="%z" in form)
    return (
        DateReading(dates)
        if _is_complete(dates, found)
        else DateReading(mistake=_not_dates(name, found, dates, places))
    )


def dates_in_text(name: str, column: pd.Series, places: RowPlaces) -> DateReading | None:
    """Return the dates of a column of text; None if it does not contain dates in nearly all cells."""
    present = column.dropna()
    sample = pd.Series(present.iloc[:: max(1, len(present) // _SAMPLE)].unique(), dtype=object)
    if not len(sample) or not all(isinstance(one, str) for one in sample):
        return None
    if np.mean([_ISO.fullmatch(one) is not None for one in sample]) >= _NEARLY_ALL:
        distinct = pd.Series(present.unique(), dtype=object)
        if (unzoned := without_offset(distinct) & _is_iso(distinct)).any():
            return DateReading(mistake=_without_offset(name, column[column.isin(distinct[unzoned])], places))
        return _complete(name, column, {"%Y-%m-%d": _iso(column)}, places)
    if np.mean([_SHAPE.fullmatch(one[:_LONGEST]) is not None for one in sample]) < _NEARLY_ALL:
        return None
    able = [form for form in _FORMS if _parsed(sample, form).notna().mean() >= _NEARLY_ALL]
    return _complete(name, column, {form: _parsed(column, form) for form in able}, places) if able else None


def date_notes(columns: Mapping[str, pd.Series], numeric: Collection[str]) -> Iterator[str]:
    """Find columns of numbers that may be dates: yyyymmdd, or seconds to nanoseconds since 1970.

    Args:
        columns: The columns by name.
        numeric: Columns that the experiment declares as measurements.
    """
    for name, column in columns.items():
        if not is_number(column) or name in numeric:
            continue
        values = column.dropna()
        if values.nunique() < 2 or (values % 1 != 0).any():
            continue
        kind = _kind(values, "1990-01-01", "2050-01-01")
        if kind:
            yield (
                f"{name}: whole numbers such as {values.iloc[0]:.0f} may be dates ({kind}); if they are, write "
                f"columns: {{dates: [{name}]}}, else columns: {{numeric: [{name}]}}"
            )


def _complete(
    name: str, column: pd.Series, candidates: Mapping[str, pd.Series], places: RowPlaces
) -> DateReading | None:
    """Return the dates if one form reads all cells, or several forms read the same; else a violation."""
    most = max(int(dates.notna().sum()) for dates in candidates.values())
    best = {form: dates for form, dates in candidates.items() if dates.notna().sum() == most}
    form, dates = next(iter(best.items()))
    if most < _NEARLY_ALL * column.notna().sum():
        return None
    if (len(best) > 1 and not all(dates.equals(other) for other in best.values())) or "%y" in form:
        return DateReading(mistake=_doubt(name, str(column.dropna().iloc[0]), list(best)))
    if not _is_complete(dates, column):
        return DateReading(mistake=_not_dates(name, column, dates, places))
    return DateReading(
        dates, None if _ISO.fullmatch(str(column.dropna().iloc[0])) else f"{name}: read as dates ({form})"
    )


def _of_numbers(name: str, column: pd.Series) -> DateReading:
    values = column.dropna()
    kind = _kind(values, "1000-01-01", "2200-01-01") if len(values) and not (values % 1 != 0).any() else None
    if kind is None:
        rule = (
            f"contains numbers such as {values.iloc[0]:g}, which are neither yyyymmdd nor seconds, milliseconds, "
            "microseconds or nanoseconds since 1970: write dates such as 2026-01-31 in the source, or give the form, "
            f"such as dates: {{{name}: '%Y%m'}}"
            if len(values)
            else "has no values"
        )
        return DateReading(mistake=Violation("columns.dates", name, rule))
    if kind == "yyyymmdd":
        return DateReading(_parsed(_digits(column), "%Y%m%d"), f"{name}: read as dates (yyyymmdd)")
    micro = np.round(column.to_numpy(dtype=np.float64) / _UNITS[kind] * 1e6)
    moments = pd.Series(micro, index=column.index).mask(column.isna(), 0).astype("int64").astype("datetime64[us]")
    return DateReading(moments.mask(column.isna()), f"{name}: read as dates ({kind} since 1970, in UTC)")


def _kind(values: pd.Series, first: str, last: str) -> str | None:
    """Return ``yyyymmdd`` or a unit of time in which all numbers are between two dates, None if there is none."""
    low, high = (int(day.replace("-", "")) for day in (first, last))
    if values.between(low, high).all():
        return "yyyymmdd" if _parsed(_digits(values), "%Y%m%d").notna().all() else None
    largest = float(values.abs().max())
    for unit, scale in _UNITS.items():
        if _EARLIEST * scale <= largest < _LATEST * scale:
            seconds = [pd.Timestamp(day).timestamp() for day in (first, last)]
            return unit if values.between(seconds[0] * scale, seconds[1] * scale).all() else None
    return None


def _digits(values: pd.Series) -> pd.Series:
    return values.map(lambda one: f"{one:.0f}", na_action="ignore").astype(object)


def _whole(values: pd.Series) -> pd.Series:
    return values.where(values % 1 == 0)


def _iso(column: pd.Series) -> pd.Series:
    """Return the ISO dates of a column of text; other cells are missing, also 2026 and 20260131."""
    return _by_value(column, lambda texts: instants(texts.where(_is_iso(texts)).str.strip()))


def _is_iso(texts: pd.Series) -> pd.Series:
    found = [isinstance(one, str) and _ISO.fullmatch(one) is not None for one in texts]
    return pd.Series(found, index=texts.index, dtype=bool)


def _parsed(texts: pd.Series, form: str) -> pd.Series:
    return _by_value(texts, lambda some: pd.to_datetime(some.str.strip(), format=form, errors="coerce"))


def _by_value(column: pd.Series, read: Callable[[pd.Series], pd.Series]) -> pd.Series:
    """Return the dates of a column of text, each distinct text read once."""
    codes, texts = pd.factorize(column)
    dates = read(pd.Series(texts, dtype=object)).array.take(codes, allow_fill=True)
    return pd.Series(dates, index=column.index, name=column.name)


def _is_complete(dates: pd.Series, column: pd.Series) -> bool:
    return bool(dates.notna().any() and (dates.notna() == column.notna()).all())


def _not_dates(name: str, column: pd.Series, dates: pd.Series, places: RowPlaces) -> Violation:
    other = column[column.notna() & dates.isna()]
    words = other.astype(str).str.strip().str[:_LONGEST].value_counts().index[:_MOST_SHOWN].tolist()
    counts = f"{int(dates.notna().sum()):,} of {int(column.notna().sum()):,}"
    missing = f"{{missing: {{{name}: [{', '.join(map(repr, words))}]}}}}"
    rule = (
        f"contains dates in {counts} cells, but not in the others: {_shown(other, places)}; write columns: {missing} "
        f"if they mean a missing value, columns: {{categorical: [{name}]}} if the column holds codes, columns: "
        f"{{drop: [{name}]}}, or the form of the dates, such as columns: {{dates: {{{name}: '%d/%m/%Y'}}}}"
    )
    return Violation("columns", name, rule)


def _without_offset(name: str, cells: pd.Series, places: RowPlaces) -> Violation:
    rule = f"has dates without a UTC offset ({_shown(cells, places)}), but others have one: write one in each cell"
    return Violation("columns", name, rule)


def _doubt(name: str, example: str, forms: Iterable[str]) -> Violation:
    ways = " or ".join(f"columns: {{dates: {{{name}: '{form}'}}}}" for form in forms)
    rule = f"contains dates such as {example!r}, which can be read in several ways: write {ways}, or categorical"
    return Violation("columns", name, f"{rule}: [{name}] if the column holds codes")


def _shown(cells: pd.Series, places: RowPlaces) -> str:
    texts = cells.astype(str).str[:_LONGEST]
    counts = texts.value_counts()
    shown = [
        f"{text!r} ({count}: {places.shown(texts.index[texts == text][:_MOST_SHOWN])})"
        for text, count in counts.iloc[:_MOST_SHOWN].items()
    ]
    more = [f"and {len(counts) - _MOST_SHOWN} more values"] if len(counts) > _MOST_SHOWN else []
    return ", ".join([*shown, *more])
