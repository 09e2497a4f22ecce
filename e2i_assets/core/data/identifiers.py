"""Columns that identify rows, persons or things, noticed by their values. A model cannot use them for new rows.

Values that are all different are no proof: measurements may be, too. Whole numbers identify rows if they have regular
steps, if so many independent measurements in such a narrow range would repeat, or if they fill the range of a number
of digits evenly. Where values cannot decide, the name of the column does.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from e2i_assets.core.data.column_types import is_number
from e2i_assets.core.fitting.date_parts import is_date

_FEWEST_ROWS = 20
_REPEATED = 0.02
_REGULAR = 0.9
# Independent values must repeat this often to be expected to, and no more than the share of that does in identifiers.
_EXPECTED_REPEATS = 20
_SHARE_OF_EXPECTED = 0.1
_FEWEST_DIGITS = 5
_EVENLY = 0.05
# A column with fewer values, or with more rows for each, is a category and not a person.
_FEWEST_PERSONS = 20
_MOST_ROWS = 50
# Independent rows would give the counts of values a variance as large as their mean.
_MANY_VALUES = 50
_FEW_ROWS = 20
_EVEN = 0.25
_IDS = frozenset({
    "id", "ids", "uuid", "guid", "key", "index", "idx", "rowid", "rownum", "row", "identifier", "no", "nr", "num",
    "number", "mrn", "ssn", "nino", "ein", "npi", "code", "nummer",
})  # fmt: skip
_PERSONS = frozenset({
    "patient", "pat", "person", "subject", "subj", "member", "customer", "cust", "client", "user", "participant",
    "employee", "student", "insured", "household", "beneficiary", "policyholder", "account", "mrn", "ssn", "nhs",
    "pid", "kunde", "klient", "mitglied", "versicherter",
})  # fmt: skip
_MOSTLY = 0.5
_FIRST = 1000
_CONTACTS = {
    "e-mail addresses": r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}",
    "telephone numbers": r"\+\d{1,3}[ ./()-]*(?:\d[ ./()-]*){6,12}|\(\d{3}\) ?\d{3}-\d{4}|\d{3}([-.])\d{3}\1\d{4}",
}
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_OF_PERSON = rf"(?:{'|'.join(sorted(_PERSONS))})(?:n|en|s)?"
_GLUED = re.compile(rf"{_OF_PERSON}(?:id|no|nr|num|key|nummer)")


@dataclass(frozen=True, slots=True)
class Identifier:
    """What a column identifies.

    Attributes:
        repeats: Whether it identifies a person or thing that has several rows.
        why: Why it is an identifier, with the key of the experiment file that settles it.
    """

    repeats: bool
    why: str


def identifier(column: pd.Series, group: pd.Series | None = None) -> Identifier | None:
    """Return what a column identifies, None if it is no identifier.

    Args:
        column: Plain numbers, text or dates, with the name of the column; dates identify nothing.
        group: Shape (rows,): the group of each row, if groups are declared.
    """
    name, present = str(column.name), column.dropna()
    of_what = "row"
    if group is not None and (grouped := _one_per_group(column, group)) is not None:
        present, of_what = grouped, "group"
    distinct = int(present.nunique())
    if not distinct or is_date(present) or (is_number(present) and not _is_whole(present)):
        return None
    if contact := None if of_what == "group" else contact_of(present):
        return Identifier(distinct < len(present), _why_contact(contact, present, group is not None))
    words = _words(name)
    if distinct > max(2, len(present) / 2) and len(present) - distinct <= max(1, _REPEATED * len(present)):
        why = _why_unique(present, distinct, bool(words and _is_id(words[-1])))
        if why is None:
            return None
        why = f"an identifier: nearly every {of_what} has its own value{why}; {_otherwise(present, name)}"
        return Identifier(False, why)
    several = len(present) / distinct
    if of_what == "group" or distinct < _FEWEST_PERSONS or several > _MOST_ROWS or not _is_person(words):
        return None
    count = f"{distinct:,} values in {len(present):,} rows"
    group_key = f"write columns: {{group: {name}}} to keep its rows in one split"
    why = f"looks like a person or thing with several rows ({count}): {group_key}; {_otherwise(present, name)}"
    return Identifier(True, why)


def contact_of(present: pd.Series) -> str | None:
    """Return what most texts of a column reach a person by, ``e-mail addresses`` or ``telephone numbers``, else None.

    Args:
        present: A plain column without missing cells.
    """
    if present.empty or is_number(present) or is_date(present):
        return None
    first = present.head(_FIRST).astype(str).str.strip()
    kind = next((kind for kind, form in _CONTACTS.items() if first.str.fullmatch(form).mean() > _MOSTLY), None)
    if kind is None:
        return None
    distinct = pd.Series(present.unique(), dtype=object).astype(str).str.strip()
    return kind if distinct.str.fullmatch(_CONTACTS[kind]).mean() > _MOSTLY else None


def group_notes(columns: Mapping[str, pd.Series], known: Collection[str]) -> Iterator[str]:
    """Find features whose values are in a few rows each, more evenly than chance distributes rows among values.

    Args:
        columns: The features by name.
        known: Columns whose meaning the experiment declares.
    """
    for name, column in columns.items():
        present = column.dropna()
        is_text = not is_number(present) and not is_date(present)
        if name in known or is_date(present) or not (is_text or _is_whole(present)):
            continue
        counts = present.value_counts().to_numpy(dtype=np.float64)
        counts = counts[counts > 0]
        if len(counts) >= _MANY_VALUES and 2 <= counts.mean() <= _FEW_ROWS and counts.var() <= _EVEN * counts.mean():
            yield (
                f"{name}: each of {len(counts):,} values is in about {counts.mean():.0f} rows; if they are persons or "
                f"things with several rows, write columns: {{group: {name}}}"
            )


def _why_contact(kind: str, present: pd.Series, has_group: bool) -> str:
    name, distinct = str(present.name), int(present.nunique())
    keep = "" if has_group else f"write columns: {{group: {name}}} to keep the rows of a person in one split; "
    return f"{kind} of persons ({distinct:,} values in {len(present):,} rows): {keep}{_otherwise(present, name)}"


def _otherwise(present: pd.Series, name: str) -> str:
    key = "numeric" if is_number(present) else "categorical"
    return f"if it is a feature, write columns: {{{key}: [{name}]}}"


def _one_per_group(column: pd.Series, group: pd.Series) -> pd.Series | None:
    """Return the value of each group, None if a group has several values or each row is a group."""
    rows = pd.DataFrame({"value": column, "group": group}).dropna().drop_duplicates()
    repeated = rows["group"].duplicated().any() or len(rows) == column.notna().sum()
    return None if repeated else rows["value"]


def _why_unique(present: pd.Series, distinct: int, named: bool) -> str | None:
    if named and (distinct == len(present) or not is_number(present)):
        return ""
    if len(present) < _FEWEST_ROWS:
        return None
    if not is_number(present):
        return "" if present.str.fullmatch(r"\S*\d\S*").mean() >= _REGULAR else None
    values: NDArray[np.float64] = np.sort(present.to_numpy(dtype=np.float64))
    if _has_regular_steps(values) or _repeats_too_rarely(values):
        return ", like numbers that are assigned one after another"
    return ", like random codes" if _fills_its_digits(values) else None


def _is_whole(present: pd.Series) -> bool:
    values = present.to_numpy(dtype=np.float64)
    return bool(len(values) and np.isfinite(values).all() and not (values % 1).any())


def _has_regular_steps(ordered: NDArray[np.float64]) -> bool:
    steps, counts = np.unique(np.diff(np.unique(ordered)), return_counts=True)
    return bool(len(steps) and counts.max() >= _REGULAR * counts.sum())


def _repeats_too_rarely(ordered: NDArray[np.float64]) -> bool:
    """Return whether independent draws would have many more equal values.

    Half of the pairs that differ by a small k are, on average, as many as the pairs that are equal.
    """
    width = max(1.0, np.floor((ordered[-1] - ordered[0]) / 50))
    equal = np.searchsorted(ordered, ordered, "right") - np.arange(len(ordered)) - 1
    near = np.searchsorted(ordered, ordered + width, "right") - np.arange(len(ordered)) - 1 - equal
    expected = float(near.sum()) / (2 * width)
    return bool(expected >= _EXPECTED_REPEATS and equal.sum() <= _SHARE_OF_EXPECTED * expected)


def _fills_its_digits(ordered: NDArray[np.float64]) -> bool:
    """Return whether the numbers have the same number of digits and are spread evenly over all numbers that have it."""
    from scipy.stats import kstest

    digits = len(f"{ordered[0]:.0f}")
    low, high = 10.0 ** (digits - 1), 10.0**digits
    if digits < _FEWEST_DIGITS or ordered[0] < low or ordered[-1] >= high:
        return False
    return bool(kstest((ordered - low) / (high - low), "uniform").pvalue > _EVENLY)


def _words(name: str) -> list[str]:
    letters = "".join(one for one in unicodedata.normalize("NFKD", name) if not unicodedata.combining(one))
    return [word.casefold() for word in _WORDS.findall(letters)]


def _is_id(word: str) -> bool:
    return word in _IDS or word.endswith("nummer")


def _is_person(words: list[str]) -> bool:
    if not words:
        return False
    last = words[-1]
    if last in _PERSONS or _GLUED.fullmatch(last):
        return len(words) == 1 or _is_id(last) or bool(_GLUED.fullmatch(last))
    return _is_id(last) and any(re.fullmatch(_OF_PERSON, word) for word in words)
