"""One column of text that may hold numbers: in which form it does, in which cells it does not, and what is in doubt."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from e2i_assets.core.data.missing_words import WORDS, Missing
from e2i_assets.core.data.row_places import RowPlaces
from e2i_assets.core.data.written_numbers import ALIKE, CURRENCIES, FORMS, Form, Written, looks_like_number, written

# From this share of its cells on, a column is meant as numbers, and the rest of them wants an explanation.
NEARLY_ALL = 0.9
MOSTLY = 0.5
_WORTH_A_LOOK = 0.25
_SAMPLE = 2000
_MOST_SHOWN = 5
_EXACT = 2.0**53
_DURATION: Form = ("duration", None)


@dataclass(eq=False)
class NumberTexts:
    """The distinct texts of a column with how often each is there.

    Args:
        name: Of the column.
        codes: Shape (rows,): the text of each row, -1 where there is none.
        texts: The distinct ones.
        missing: What means a missing value.
        decimal: The decimal sign where it is declared.
        thousands: The sign between groups where it is declared.
    """

    name: str
    codes: NDArray[np.int64]
    texts: pd.Series
    missing: Missing
    decimal: str | None = None
    thousands: str | None = None

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Cells of each text."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.texts))

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """Which texts are values: neither blank nor a word for a missing value."""
        gone = self.missing.in_texts(self.texts) | (self.texts.str.strip() == "")
        if not self.missing.declared:
            gone |= self.texts.str.strip().isin(WORDS)
        return np.asarray(~gone, dtype=bool)

    @cached_property
    def is_worth_a_look(self) -> bool:
        """Whether some of the cells have the shape of a number: long texts are not taken apart to find that out."""
        cells = self.codes[self.codes >= 0]
        some = cells[:: max(1, len(cells) // _SAMPLE)]
        some = some[self.present[some]]
        if not len(some):
            return False
        distinct, times = np.unique(some, return_counts=True)
        shaped = looks_like_number([str(one)[:60] for one in self.texts.iloc[distinct]])
        return bool(times[shaped].sum() >= _WORTH_A_LOOK * times.sum())

    @cached_property
    def _written(self) -> Written:
        return written([str(one) if len(one) <= 60 else "" for one in self.texts])

    @cached_property
    def _by_unit(self) -> pd.Series:
        """Cells of each unit among the texts that are numbers in any form."""
        shaped = self.present & np.logical_or.reduce([self._written.matches[form] for form in FORMS])
        return pd.Series(self.counts[shaped]).groupby(self._written.units[shaped]).sum()

    @cached_property
    def unit(self) -> str:
        """What stands beside most of the numbers, such as ``%``; empty where nothing does."""
        if self._by_unit.empty:
            return ""
        unit = str(self._by_unit.idxmax())
        is_sign = unit in CURRENCIES or unit in ("", "%", "‰")
        return unit if is_sign or self._by_unit.max() >= NEARLY_ALL * self.counts[self.present].sum() else ""

    @cached_property
    def mixed_units(self) -> tuple[str, ...]:
        """The units of nearly all cells if they are several of one kind, such as k and M; empty otherwise."""
        if len(self._by_unit) < 2 or self._by_unit.sum() < NEARLY_ALL * self.counts[self.present].sum():
            return ()
        units = tuple(map(str, self._by_unit.sort_values(ascending=False).index))
        bare = {one.lstrip("$€£¥ ") for one in units}
        return units if any(kind.issuperset(units) or kind.issuperset(bare) for kind in ALIKE) else ()

    def are_numbers(self, form: Form) -> NDArray[np.bool_]:
        """Return which texts are numbers in a form."""
        if form == _DURATION:
            return self.present & ~np.isnan(self._written.durations)
        return np.asarray(self.present & self._written.matches[form] & (self._written.units == self.unit))

    @cached_property
    def best(self) -> tuple[Form, ...]:
        """The forms in which most cells are numbers, the plainest first; none where nothing is a number."""
        allowed = [
            form
            for form in FORMS
            if self.decimal in (None, form[0]) and (self.thousands is None or form[1] in (None, self.thousands))
        ]
        covered = {form: int(self.counts[self.are_numbers(form)].sum()) for form in [*allowed, _DURATION]}
        most = max(covered.values())
        return tuple(form for form, cells in covered.items() if cells == most) if most else ()

    @cached_property
    def is_in_doubt(self) -> str | None:
        """The sign that may be the decimal sign or part thousands, None where it can only be one of the two."""
        for sign, other in ((",", "."), (".", ",")):
            as_decimal = [form for form in self.best if form[0] == sign]
            as_thousands = [form for form in self.best if form == (other, sign)]
            if as_decimal and as_thousands and self._uses(sign, as_decimal[0]):
                return sign
        return None

    @cached_property
    def decimal_used(self) -> str | None:
        """The decimal sign that the numbers surely have, None where none is used or it is in doubt."""
        if not self.best or self.is_in_doubt or self.best[0] == _DURATION or self.share < NEARLY_ALL:
            return None
        sign = self.best[0][0]
        return sign if self._uses(sign, self.best[0]) else None

    def _uses(self, sign: str, form: Form) -> bool:
        import pyarrow.compute as pc

        return bool(
            pc.match_substring(self._written.bodies, sign).to_numpy(zero_copy_only=False)[self.are_numbers(form)].any()
        )

    @property
    def form(self) -> Form:
        """The form of the numbers."""
        return self.best[0]

    @property
    def share(self) -> float:
        """The share of the cells with a value that are numbers."""
        cells = int(self.counts[self.present].sum())
        return float(self.counts[self.are_numbers(self.form)].sum() / cells) if cells and self.best else 0.0

    @property
    def is_plain(self) -> bool:
        """Whether every program reads the numbers as they are: a dot, no groups, nothing beside them."""
        return self.best[:1] == ((".", None),) and not self.unit

    def column(self, form: Form) -> NDArray[np.float64] | NDArray[np.int64]:
        """Return the numbers of all rows; what is none is missing."""
        values = self._written.durations if form == _DURATION else self._written.values(form)
        values = np.where(self.are_numbers(form), values, np.nan)
        if self.missing.numbers:
            values = np.where(np.isin(values, self.missing.numbers), np.nan, values)
        found = np.append(values, np.nan)[self.codes]
        whole = len(found) and np.isfinite(found).all() and (np.abs(found) < _EXACT).all() and (found % 1 == 0).all()
        return found.astype(np.int64) if whole and not self._has_fractions(form) else found

    def _has_fractions(self, form: Form) -> bool:
        return form == _DURATION or self._uses(form[0], form)

    def in_words(self, form: Form) -> str:
        """Return how the numbers are written, for a note."""
        if form == _DURATION:
            return "durations, in seconds"
        signs = [f"decimal sign {form[0]!r}"] if self._uses(form[0], form) else []
        signs += [f"thousands sign {form[1]!r}"] if form[1] and self._uses(form[1], form) else []
        signs += [f"without {self.unit!r}"] if self.unit else []
        return f"numbers ({', '.join(signs)})" if signs else "numbers"

    def rest(self, form: Form, places: RowPlaces) -> str:
        """Return the cells that are no numbers: the most frequent texts with how often and where."""
        other = np.flatnonzero(self.present & ~self.are_numbers(form))
        frequent = other[np.argsort(-self.counts[other], kind="stable")][:_MOST_SHOWN]
        shown = [
            f"{str(self.texts.iloc[one])[:40]!r} ({self.counts[one]}: {places.shown(self.rows_of([int(one)]))})"
            for one in frequent
        ]
        more = [f"and {len(other) - len(frequent)} more values"] if len(other) > len(frequent) else []
        return ", ".join([*shown, *more])

    def rest_words(self, form: Form) -> list[str]:
        """Return the texts that are no numbers, the most frequent ones first, to be written as missing words."""
        other = np.flatnonzero(self.present & ~self.are_numbers(form))
        return [str(self.texts.iloc[one]).strip()[:40] for one in other[np.argsort(-self.counts[other])][:_MOST_SHOWN]]

    def rows_of(self, texts: Collection[int]) -> Iterable[int]:
        """Return the first rows that hold one of some texts."""
        return [int(one) for one in np.flatnonzero(np.isin(self.codes, list(texts)))[: _MOST_SHOWN + 1]]
