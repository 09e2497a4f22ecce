"""The forms in which people and programs write dates, and the cells of a column that each of them reads."""

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

from e2i_assets.core.data.column_types import is_number
from e2i_assets.core.data.instants import instants
from e2i_assets.core.fitting.date_parts import EPOCH_UNITS

# From this share of its cells on, a column is meant as dates, and the rest of them is refused.
NEARLY_ALL = 0.9
_SAMPLE = 50
LONGEST = 40
_DATE = r"\d{4}-\d{2}(?:-\d{2}"
_TIME = r"(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s?(?:[Zz]|[+-]\d{2}(?::?\d{2})?)?)?)?"
ISO = re.compile(rf"\s*{_DATE}{_TIME}\s*")
_SHAPE = re.compile(r"\s*(?:\d{1,4}|[A-Za-z]{3,9})[-/. ]?(?:\d{1,2}|[A-Za-z]{3,9})[-/., ]{0,2}\d{2,4}(?:[T :,].*)?")
_DAYS = (
    "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d %b %Y", "%d-%b-%Y",
    "%d%b%Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%m-%y", "%d-%b-%y",
)  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", ":%H:%M:%S")
_FORMS = tuple(day + time for day in _DAYS for time in _TIMES)
# The largest number that is read in a unit since 1970, 2200-01-01, and the smallest, in April 1970.
_LATEST, _EARLIEST = 7_258_118_400, 1e7


def may_be_dates(column: pd.Series) -> bool:
    """Return whether nearly all cells of a sample of a column are texts that have the shape of a date."""
    sample = _sample(column)
    if not len(sample) or not all(isinstance(one, str) for one in sample):
        return False
    return any(np.mean([_matches(shape, one) for one in sample]) >= NEARLY_ALL for shape in (ISO, _SHAPE))


def are_iso(column: pd.Series) -> bool:
    """Return whether nearly all cells of a sample of a column of text are ISO 8601 dates."""
    sample = _sample(column)
    return bool(len(sample) and is_iso(sample).mean() >= NEARLY_ALL)


def _matches(shape: re.Pattern[str], text: str) -> bool:
    return shape.fullmatch(text if shape is ISO else text[:LONGEST]) is not None


def _sample(column: pd.Series) -> pd.Series:
    """Return some distinct cells; of a long column, present cells are searched only if its sample has few of them."""
    some = column.iloc[:: max(1, len(column) // (2 * _SAMPLE))].dropna()
    if len(some) < _SAMPLE:
        present = column.dropna()
        some = present.iloc[:: max(1, len(present) // _SAMPLE)]
    return pd.Series(some.astype(object).unique(), dtype=object)


def suggested_form(column: pd.Series) -> str | None:
    """Return the only form of text that reads all cells as dates although the reader asks for it; None otherwise.

    That is a form with years of two digits, or numbers as yyyymmdd.
    """
    values = column.dropna()
    if is_number(column):
        is_varied = values.nunique() > 1 and not (values % 1 != 0).any()
        return "%Y%m%d" if is_varied and kind_of_numbers(values, "1900-01-01", "2100-01-01") == "yyyymmdd" else None
    whole = [form for form, dates in candidates(column).items() if is_complete(dates, column)]
    return whole[0] if len(whole) == 1 else None


def words_among_dates(column: pd.Series) -> list[str]:
    """Return the distinct texts of a column of dates that are no dates in its form."""
    found = candidates(column)
    if not found:
        return []
    best = max(found.values(), key=lambda dates: int(dates.notna().sum()))
    return [str(one).strip() for one in column[column.notna() & best.isna()].unique()]


def candidates(column: pd.Series) -> dict[str, pd.Series]:
    """Return the dates of a column in each form that reads nearly all of a sample."""
    if not may_be_dates(column):
        return {}
    if are_iso(column):
        return {"%Y-%m-%d": iso_dates(column)}
    sample = _sample(column)
    able = [form for form in _FORMS if parsed(sample, form).notna().mean() >= NEARLY_ALL]
    return {form: parsed(column, form) for form in able}


def kind_of_numbers(values: pd.Series, first: str, last: str) -> str | None:
    """Return ``yyyymmdd`` or a unit of time in which all numbers are between two dates, None if there is none."""
    low, high = (int(day.replace("-", "")) for day in (first, last))
    if values.between(low, high).all():
        return "yyyymmdd" if parsed(digits(values), "%Y%m%d").notna().all() else None
    largest = float(values.abs().max())
    for unit, scale in EPOCH_UNITS.items():
        if _EARLIEST * scale <= largest < _LATEST * scale:
            seconds = [pd.Timestamp(day).timestamp() for day in (first, last)]
            return unit if values.between(seconds[0] * scale, seconds[1] * scale).all() else None
    return None


def digits(values: pd.Series) -> pd.Series:
    """Return whole numbers as text."""
    return values.map(lambda one: f"{one:.0f}", na_action="ignore").astype(object)


def iso_dates(column: pd.Series) -> pd.Series:
    """Return the ISO dates of a column of text; other cells are missing, also 2026 and 20260131."""
    return _by_value(column, lambda texts: instants(texts.where(is_iso(texts)).str.strip()))


def is_iso(texts: pd.Series) -> pd.Series:
    """Return which cells are ISO 8601 dates as text."""
    found = [isinstance(one, str) and ISO.fullmatch(one) is not None for one in texts]
    return pd.Series(found, index=texts.index, dtype=bool)


def parsed(texts: pd.Series, form: str) -> pd.Series:
    """Return texts as dates in a form of ``strptime``; others are missing."""
    return _by_value(texts, lambda some: pd.to_datetime(some.str.strip(), format=form, errors="coerce"))


def _by_value(column: pd.Series, read: Callable[[pd.Series], pd.Series]) -> pd.Series:
    """Return the dates of a column of text, each distinct text read once."""
    codes, texts = pd.factorize(column)
    dates = read(pd.Series(texts, dtype=object)).array.take(codes, allow_fill=True)
    return pd.Series(dates, index=column.index, name=column.name)


def is_complete(dates: pd.Series, column: pd.Series) -> bool:
    """Return whether each cell of a column became a date."""
    return bool(dates.notna().any() and (dates.notna() == column.notna()).all())
