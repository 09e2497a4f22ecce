"""Columns of dates that a source has as text or as numbers: recognised if certain, else refused or left to the file.

ISO 8601 is certain. Other forms are certain if only one of them reads every cell; 03/04/2025 alone is not, and a year
of two digits never is. Numbers are dates only if the experiment says so.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from e2i_assets.core.data.column_types import is_number, plain
from e2i_assets.core.data.digit_codes import long_numbers
from e2i_assets.core.data.instants import without_offset
from e2i_assets.core.data.row_places import RowPlaces
from e2i_assets.core.data.written_dates import (
    ISO,
    LONGEST,
    NEARLY_ALL,
    are_iso,
    candidates,
    digits,
    is_complete,
    is_iso,
    iso_dates,
    kind_of_numbers,
    may_be_dates,
    parsed,
)
from e2i_assets.core.errors import Violation
from e2i_assets.core.fitting.date_parts import EPOCH_UNITS, is_date

_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class DateReading:
    """A column that was read as dates, or the reason why it cannot be read; a note says how it was read.

    Its form is that of ``strptime``, or the unit of a number since 1970; None for ISO 8601 and for typed dates.
    """

    column: pd.Series | None = None
    form: str | None = None
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
    if form is None and not is_number(found) and long_numbers(found) is not None:
        found = found.astype("float64")
    if is_date(found):
        return DateReading(found)
    if form is None and is_number(found):
        return _of_numbers(name, found)
    if form is None:
        reading = dates_in_text(name, found, places)
        return reading or DateReading(mistake=_not_dates(name, found, iso_dates(found), places))
    texts = _whole(found).map(lambda one: f"{one:.0f}", na_action="ignore") if is_number(found) else found
    dates = pd.to_datetime(texts.astype(object), format=form, errors="coerce", utc="%z" in form)
    return (
        DateReading(dates, form)
        if is_complete(dates, found)
        else DateReading(mistake=_not_dates(name, found, dates, places))
    )


def dates_in_text(name: str, column: pd.Series, places: RowPlaces) -> DateReading | None:
    """Return the dates of a column of text; None if it does not contain dates in nearly all cells."""
    if not may_be_dates(column):
        return None
    if are_iso(column):
        distinct = pd.Series(column.dropna().unique(), dtype=object)
        if (unzoned := without_offset(distinct) & is_iso(distinct)).any():
            return DateReading(mistake=_without_offset(name, column[column.isin(distinct[unzoned])], places))
    found = candidates(column)
    return _complete(name, column, found, places) if found else None


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
        kind = kind_of_numbers(values, "1990-01-01", "2050-01-01")
        if kind:
            yield (
                f"{name}: whole numbers such as {int(values.iloc[0])} may be dates ({kind}); if they are, write "
                f"columns: {{dates: [{name}]}}, else columns: {{numeric: [{name}]}}"
            )


def _complete(name: str, column: pd.Series, forms: Mapping[str, pd.Series], places: RowPlaces) -> DateReading | None:
    """Return the dates if one form reads all cells, or several forms read the same; else a violation."""
    most = max(int(dates.notna().sum()) for dates in forms.values())
    best = {form: dates for form, dates in forms.items() if dates.notna().sum() == most}
    form, dates = next(iter(best.items()))
    if most < NEARLY_ALL * column.notna().sum():
        return None
    if (len(best) > 1 and not all(dates.equals(other) for other in best.values())) or "%y" in form:
        return DateReading(mistake=_doubt(name, str(column.dropna().iloc[0]), list(best)))
    if not is_complete(dates, column):
        return DateReading(mistake=_not_dates(name, column, dates, places))
    if ISO.fullmatch(str(column.dropna().iloc[0])):
        return DateReading(dates)
    return DateReading(dates, form, f"{name}: read as dates ({form})")


def _whole(values: pd.Series) -> pd.Series:
    return values.where(values % 1 == 0)


def _of_numbers(name: str, column: pd.Series) -> DateReading:
    values = column.dropna()
    kind = kind_of_numbers(values, "1000-01-01", "2200-01-01") if len(values) and not (values % 1 != 0).any() else None
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
        return DateReading(parsed(digits(column), "%Y%m%d"), "%Y%m%d", f"{name}: read as dates (yyyymmdd)")
    micro = np.round(column.to_numpy(dtype=np.float64) / EPOCH_UNITS[kind] * 1e6)
    moments = pd.Series(micro, index=column.index).mask(column.isna(), 0).astype("int64").astype("datetime64[us]")
    return DateReading(moments.mask(column.isna()), kind, f"{name}: read as dates ({kind} since 1970, in UTC)")


def _not_dates(name: str, column: pd.Series, dates: pd.Series, places: RowPlaces) -> Violation:
    other = column[column.notna() & dates.isna()]
    words = other.astype(str).str.strip().str[:LONGEST].value_counts().index[:_MOST_SHOWN].tolist()
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
    texts = cells.astype(str).str[:LONGEST]
    counts = texts.value_counts()
    shown = [
        f"{text!r} ({count}: {places.shown(texts.index[texts == text][:_MOST_SHOWN])})"
        for text, count in counts.iloc[:_MOST_SHOWN].items()
    ]
    more = [f"and {len(counts) - _MOST_SHOWN} more values"] if len(counts) > _MOST_SHOWN else []
    return ", ".join([*shown, *more])
