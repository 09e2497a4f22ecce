"""Last rows of a file that are no rows of the data, such as totals and remarks, found by their values and words."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from e2i_assets.core.data.column_types import codes_and_texts
from e2i_assets.core.data.missing_words import WORDS, Missing
from e2i_assets.core.data.number_texts import NumberTexts
from e2i_assets.core.data.total_words import REMARK, TOTAL
from e2i_assets.core.figures import shortened

_LETTERS = re.compile(r"[^\W\d_]{2}")
_LETTER = re.compile(r"[^\W\d_]")
_DIGIT = re.compile(r"\d")
_MOST = 5
_FEWEST = 5
_FILLED = 0.9
_NUMBERS = 0.99
_RARE = 0.005
_SAMPLE = 2000
_ROUNDED = 1e-6
_SHOWN = 6
_SURELY = 8.0
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class ClosingRow:
    """One of the last rows that looks like no row of the data.

    Attributes:
        position: Its position, counted from 0.
        cells: Its cells that are not empty, for a message.
        signs: What speaks against it, each as a clause.
    """

    position: int
    cells: str
    signs: tuple[str, ...]

    @property
    def is_certain(self) -> bool:
        """Whether at least two signs agree."""
        return len(self.signs) > 1


def closing_rows(table: pd.DataFrame) -> tuple[ClosingRow, ...]:
    """Return the last rows that are no rows of the data, in their order; at most five rows are looked at.

    A sign is: a word for a total or a remark, text in a column of numbers, a number that is the sum or the mean of its
    column, and empty cells in columns that are filled above.

    Args:
        table: The rows as they were read: numbers, or texts.
    """
    first = len(table) - min(_MOST, len(table) // 3)
    if first < _FEWEST:
        return ()
    columns = [_Column(str(name), table.iloc[:, place], first) for place, name in enumerate(table.columns)]
    above = np.arange(len(table)) < first
    found: dict[int, ClosingRow] = {}
    for position in range(first, len(table)):
        signs = _signs(columns, position, above)
        certain = len(signs) > 1
        above[position] = not certain
        if signs:
            cells = " | ".join(shortened(one.text(position), _LONGEST) for one in columns if one.text(position))
            found[position] = ClosingRow(position, shortened(cells, 3 * _LONGEST), tuple(signs))
    closing = []
    for position in range(len(table) - 1, first - 1, -1):
        if position in found:
            closing.append(found[position])
        elif any(one.text(position) for one in columns):
            break
    return tuple(reversed(closing))


@dataclass(eq=False)
class _Column:
    """A column, of which the rows before ``first`` are surely rows of the data."""

    name: str
    cells: pd.Series
    first: int

    def text(self, position: int) -> str:
        """Return a cell as text, empty for a missing one."""
        cell = self.cells.iloc[position]
        return "" if pd.isna(cell) else str(cell).strip()

    @cached_property
    def is_numeric(self) -> bool:
        """Whether its type is that of numbers."""
        return pd.api.types.is_numeric_dtype(self.cells.dtype) and not pd.api.types.is_bool_dtype(self.cells.dtype)

    @cached_property
    def some(self) -> pd.Series:
        """Rows of the data, evenly over all of them: enough to tell what kind of column it is."""
        return self.cells.iloc[: self.first : max(1, self.first // _SAMPLE)]

    @cached_property
    def is_filled(self) -> bool:
        """Whether nearly all rows have a value."""
        return bool(self.some.notna().mean() >= _FILLED)

    @cached_property
    def has_numbers(self) -> bool:
        """Whether nearly all of its texts have digits and no letters: numbers, dates, codes of digits."""
        texts = [str(one) for one in self.some.dropna()]
        shaped = sum(bool(_DIGIT.search(one)) and not _LETTER.search(one) for one in texts)
        return len(texts) >= _FEWEST and shaped >= _NUMBERS * len(texts)

    @cached_property
    def known(self) -> set[str]:
        """Its texts, without case and spaces around them."""
        return {str(one).strip().casefold() for one in self.cells.iloc[: self.first].dropna().unique()}

    @cached_property
    def numbers(self) -> tuple[NDArray[np.float64], ...]:
        """The numbers of all rows, in each form that fits its texts."""
        return self._read(self.cells)

    @cached_property
    def few_numbers(self) -> tuple[NDArray[np.float64], ...]:
        """The numbers of ``some`` rows and of the last ones: to read all texts takes long."""
        return self._read(pd.concat([self.some, self.cells.iloc[self.first :]]))

    def _read(self, cells: pd.Series) -> tuple[NDArray[np.float64], ...]:
        if self.is_numeric:
            return (cells.to_numpy(dtype=np.float64, na_value=np.nan),)
        texts = NumberTexts(self.name, *codes_and_texts(cells), Missing())
        return tuple(texts.column(form).astype(np.float64) for form in texts.best)

    def may_be(self, position: int, a_mean: bool = True) -> bool:
        """Whether a number may be the sum or the mean, by some of the rows."""
        for values in self.few_numbers:
            value, every = values[len(self.some) + position - self.first], values[: len(self.some)]
            rows = _finite(every)
            if not len(rows) or not np.isfinite(value):
                continue
            error = _SURELY * rows.std() / np.sqrt(len(rows))
            share = value / (self.first * len(rows) / len(every))
            is_sum = abs(value) > np.abs(rows).max() and abs(share - rows.mean()) <= error + abs(rows.mean()) / 2
            if is_sum or (a_mean and abs(value - rows.mean()) <= error + 1):
                return True
        return False


def _signs(columns: list[_Column], position: int, above: NDArray[np.bool_]) -> list[str]:
    texts = {column: text for column in columns if (text := column.text(position))}
    if not texts:
        return []
    word, stray = _word(texts), _text(texts)
    signs = [one for one in (word, stray) if one]
    filled = [column for column in columns if column.is_filled]
    empty = [column for column in filled if column not in texts]
    if len(empty) > 1 and 2 * len(empty) >= len(filled) and _is_rare(filled, len(empty)):
        signs.append(f"{len(empty)} of {len(filled)} cells are empty in columns that are filled above")
        if len(texts) == 1 and len(filled) > 2 and _is_longest(*next(iter(texts.items()))):
            signs.append("its only cell is a longer text than all above it")
    is_suspect = bool(signs) or (len(empty) > 0 and 4 * len(empty) >= len(filled))
    if not is_suspect and not any(one.is_numeric and one.may_be(position, a_mean=False) for one in texts):
        return []
    if sums := _sums(texts, position, above, is_suspect, bool(word or stray)):
        signs.append(sums)
    # A row of the data may lack cells, and a stray word among numbers has a message of its own.
    return signs if len(signs) > 1 or word or sums else []


def _word(texts: dict[_Column, str]) -> str | None:
    for column, text in texts.items():
        folded = text.casefold()
        is_word = not column.is_numeric and (TOTAL.fullmatch(folded) or REMARK.fullmatch(folded))
        if is_word and folded not in column.known:
            return f"{shortened(text, _LONGEST)!r} is a word for a total or a remark"
    return None


def _text(texts: dict[_Column, str]) -> str | None:
    for column, text in texts.items():
        if column.is_numeric or not _LETTERS.search(text) or text in WORDS:
            continue
        if column.has_numbers and text.casefold() not in column.known:
            return f"{shortened(text, _LONGEST)!r} is a text in {column.name}, whose other cells are numbers"
    return None


def _is_rare(filled: list[_Column], empty: int) -> bool:
    first = filled[0].first
    gone = np.sum([one.cells.iloc[:first].isna().to_numpy() for one in filled], axis=0)
    return bool((gone >= empty).sum() <= _RARE * first)


def _is_longest(column: _Column, text: str) -> bool:
    return not column.is_numeric and len(text) > max(map(len, column.known), default=0) and " " in text


def _sums(
    texts: dict[_Column, str], position: int, above: NDArray[np.bool_], is_suspect: bool, has_words: bool
) -> str | None:
    """Return which numbers are sums or means, if at least half of the numbers of the row are.

    Texts are read as numbers only in a row that is suspect already, which costs time in a large table.
    """
    numbers = [one for one in texts if one.is_numeric or (is_suspect and one.has_numbers)]
    candidates = [one for one in numbers if one.may_be(position, is_suspect)]
    if 2 * len(candidates) < len(numbers):
        return None
    kinds = {one: kind for one in candidates if (kind := _kind(one, position, above))}
    if not kinds or 2 * len(kinds) < len(numbers):
        return None
    if "sum" not in kinds.values() and len(kinds) < 2 and not has_words:
        return None  # one number is a mean by chance
    names = [f"{column.name} is the {kind} of the rows above" for column, kind in list(kinds.items())[:_SHOWN]]
    return ", ".join(names)


def _kind(column: _Column, position: int, above: NDArray[np.bool_]) -> str | None:
    for values in column.numbers:
        value, rows = values[position], values[:position][above[:position]]
        rows = _finite(rows)
        if not np.isfinite(value) or len(rows) < _FEWEST or rows.min() == rows.max():
            continue
        digits = len(repr(float(value)).partition(".")[2].rstrip("0")) if "e" not in repr(float(value)) else 0
        total = float(rows.sum())
        if abs(value) > np.abs(rows).max() and (rows != 0).sum() > 2 and _equal(value, total, digits):
            return "sum"
        if _equal(value, total / len(rows), digits) and not (rows == value).any():
            return "mean"
    return None


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]


def _equal(value: float, expected: float, digits: int) -> bool:
    return abs(value - expected) <= max(0.51 * 10.0**-digits, _ROUNDED * abs(expected))
