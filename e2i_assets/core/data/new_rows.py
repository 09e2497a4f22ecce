"""New rows for a model: their cells are read by the rules of the train rows, piece by piece, in the model's types."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from e2i_assets.core.data.column_types import has_fractions, is_number, plain, readable
from e2i_assets.core.data.date_texts import dates_in_text, declared_dates
from e2i_assets.core.data.keys import exact, keys
from e2i_assets.core.data.number_texts import NumberTexts
from e2i_assets.core.data.number_violations import in_doubt
from e2i_assets.core.data.row_places import RowPlaces, places_of
from e2i_assets.core.data.settled_columns import form_of, without_missing_words
from e2i_assets.core.errors import DataInvalid, Violation
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.source_section import Source
from e2i_assets.core.fitting.averaged_model import Model
from e2i_assets.core.fitting.date_parts import EPOCH_UNITS, is_date
from e2i_assets.core.fitting.served_cells import label
from e2i_assets.core.suggestions import did_you_mean

_MOST_SHOWN = 5
_TRUTHS = {"true": "1", "false": "0"}


@dataclass(slots=True)
class NewRows:
    """Reads the pieces of new rows in their order; all of them must write a column in one way.

    Args:
        model: The model, which knows its columns.
        experiment: The experiment, which declares how cells are read.
        source: The source of the rows.

    Attributes:
        unseen: By column, the rows of each category that the model does not know; it counts as rare or missing.
        not_used: Columns of the source that neither the model nor the experiment uses.
    """

    model: Model
    experiment: Experiment
    source: Source
    unseen: dict[str, Counter[str]] = field(default_factory=dict)
    not_used: tuple[str, ...] = ()
    _kinds: dict[str, str] = field(init=False)
    _known: dict[str, dict[str, Any]] = field(init=False)
    _decimals: dict[str, str] = field(default_factory=dict)
    _date_forms: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._kinds = self.model.column_kinds
        forms = {name: of.get("form") for name, of in self.model.dates.items()}
        self._date_forms = {name: form for name, form in forms.items() if form and form not in EPOCH_UNITS}
        known = self.model.known_categories()
        self._known = {name: {label(one): one for one in of if not pd.isna(one)} for name, of in known.items()}

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that identify a row: the ids and the group of the experiment."""
        columns = self.experiment.columns
        return tuple(dict.fromkeys([*columns.id, *([columns.group] if columns.group else [])]))

    @property
    def as_text(self) -> frozenset[str]:
        """The columns whose cells must stay text, because numbers would lose digits: categories and keys."""
        return frozenset({*self.keys, *(name for name, kind in self._kinds.items() if kind == "category")})

    def features(self, piece: pd.DataFrame) -> pd.DataFrame:
        """Return the features of a piece: numbers, dates, and known or unknown categories as objects.

        Raises:
            DataInvalid: A column is missing, or cells have another type than in the train rows.
        """
        table, _ = readable(piece)
        self._require(table)
        places = places_of(piece)
        found: dict[str, pd.Series] = {}
        mistakes: list[Violation] = []
        texts: dict[str, tuple[pd.Series, NumberTexts]] = {}
        for name, kind in self._kinds.items():
            changed, numbers, _ = without_missing_words(table[name], self.experiment, self.source)
            cells = table[name] if changed is None else changed
            if cells.isna().all():
                found[name] = self._missing(name, kind, cells)
            elif kind == "category":
                found[name] = self._category(name, cells)
            elif kind == "date":
                found[name], wrong = self._date(name, cells, places)
                mistakes += wrong
            elif numbers is not None and not is_number(plain(cells)):
                texts[name] = cells, numbers
            else:
                found[name] = plain(cells)
                mistakes += _number_violations(name, found[name], cells, places)
        signs = {*self._decimals.values(), *(one.decimal_used for _, one in texts.values())} - {None}
        if self.source.kind == "csv" and any(has_fractions(column) for column in found.values()):
            signs.add(".")
        for name, (cells, numbers) in texts.items():
            found[name], wrong = self._number(name, cells, numbers, signs, places)
            mistakes += wrong
        if mistakes:
            raise DataInvalid(f"new rows of experiment {self.experiment.name}", mistakes)
        return pd.DataFrame({name: found[name] for name in self._kinds}, index=table.index)

    def row_keys(self, piece: pd.DataFrame) -> dict[str, pd.Series]:
        """Return the columns that identify the rows of a piece as text, and without any the number of each row."""
        table, _ = readable(piece)
        return {name: keys(exact(table[name])) for name in self.keys if name in table.columns}

    def _require(self, table: pd.DataFrame) -> None:
        subject = f"new rows of experiment {self.experiment.name}"
        if missing := [name for name in self._kinds if name not in table.columns]:
            rule = "is a column of the model that these rows lack"
            raise DataInvalid(
                subject,
                [Violation("columns", name, f"{rule}{did_you_mean(name, table.columns)}") for name in missing],
            )
        if twice := sorted({str(name) for name in table.columns[table.columns.duplicated()]}):
            raise DataInvalid(subject, [Violation("columns", twice, "appear more than once: give each a unique name")])
        columns = self.experiment.columns
        named = {self.experiment.target.column, self.experiment.target_name, columns.time, columns.weight}
        named |= {self.experiment.split.column, *columns.drop, *self.keys, *self._kinds}
        self.not_used = tuple(str(name) for name in table.columns if name not in named)

    def _missing(self, name: str, kind: str, cells: pd.Series) -> pd.Series:
        if kind == "date":
            dates = pd.Series(np.datetime64("NaT", "us"), index=cells.index)
            return dates.dt.tz_localize("UTC") if self.model.dates[name]["has_offset"] else dates
        return pd.Series(np.nan, index=cells.index, dtype="float64" if kind == "number" else object)

    def _category(self, name: str, cells: pd.Series) -> pd.Series:
        """Return the categories under the names of the model, and count those that it does not know."""
        known = self._known[name]
        texts = cells if pd.api.types.is_string_dtype(cells.astype(object).dropna()) else keys(exact(cells))
        names = {one: _known_name(str(one), known) for one in texts.dropna().unique()}
        found = texts.astype(object).map(names, na_action="ignore")
        counts = found[found.notna() & ~found.isin(list(known))].value_counts()
        if len(counts):
            self.unseen.setdefault(name, Counter()).update({str(one): int(rows) for one, rows in counts.items()})
        return found.astype(object)

    def _date(self, name: str, cells: pd.Series, places: RowPlaces) -> tuple[pd.Series, list[Violation]]:
        dates = self.experiment.columns.dates
        column = plain(cells)
        if name in dates or name in self._date_forms:
            reading = declared_dates(name, cells, dates.get(name) or self._date_forms.get(name), places)
            if reading.mistake is not None and not (is_date(column) or is_number(column)):
                # Another form is taken too if it is certain.
                certain = dates_in_text(name, column, places)
                reading = certain if certain is not None and certain.column is not None else reading
        elif is_date(column) or is_number(column):
            reading = None
        else:
            reading = dates_in_text(name, column, places)
        if reading is not None:
            if reading.mistake is not None:
                return column, [reading.mistake]
            if reading.form and reading.form not in EPOCH_UNITS:
                self._date_forms[name] = reading.form
            column = column if reading.column is None else reading.column
        if not is_date(column):
            return column, [_wrong_cells(name, "dates", cells[cells.notna()], places)]
        if (column.dt.tz is not None) != self.model.dates[name]["has_offset"]:
            expected = "with" if self.model.dates[name]["has_offset"] else "without"
            rule = f"has dates such as {str(cells.dropna().iloc[0])[:40]!r}, and the train rows have dates {expected}"
            return column, [Violation("columns", name, f"{rule} a UTC offset")]
        return column.dt.as_unit("us"), []

    def _number(
        self, name: str, cells: pd.Series, found: NumberTexts, signs: set[str | None], places: RowPlaces
    ) -> tuple[pd.Series, list[Violation]]:
        if not found.best or found.share < 1:
            wrong = found.present if not found.best else found.present & ~found.are_numbers(found.form)
            is_wrong = np.append(wrong, False)[found.codes]
            return cells, [_wrong_cells(name, "numbers", cells[is_wrong], places)]
        known = self._decimals.get(name)
        form = form_of(found, [known] if known else signs)
        if form is None:
            return cells, [in_doubt(found, self.source)]
        sure = found.decimal_used
        if known and sure and known != sure:
            rule = f"has the decimal sign {known!r} in some rows and {sure!r} in others: write all of them alike"
            return cells, [Violation("columns", name, rule)]
        if sure:
            self._decimals[name] = sure
        return pd.Series(found.column(form), index=cells.index).astype("float64"), []


def _known_name(text: str, known: Mapping[str, Any]) -> str:
    """Return the name under which the model knows a category.

    If all categories of the model are numbers, the train rows were numbers: 1, 1.0 and true are one category.
    """
    if text in known or not all(_number_name(one) == one for one in known):
        return text
    return _number_name(text)


def _number_name(text: str) -> str:
    """Return the name of a number or a truth value that is written as text; other text stays as it is."""
    try:
        return _TRUTHS.get(text.lower()) or (text if "_" in text else label(float(text)))
    except ValueError:
        return text


def _number_violations(name: str, column: pd.Series, cells: pd.Series, places: RowPlaces) -> Iterator[Violation]:
    if not is_number(column):
        wrong = cells[cells.notna() & ~cells.map(lambda cell: isinstance(cell, Real | Decimal | np.bool_)).astype(bool)]
        yield _wrong_cells(name, "numbers", wrong, places)
    elif np.isinf(values := column.to_numpy(dtype=np.float64)).any():
        yield _wrong_cells(name, "finite numbers", cells[np.isinf(values)], places)


def _wrong_cells(name: str, expected: str, cells: pd.Series, places: RowPlaces) -> Violation:
    """Return the violation for cells of another type, with the most frequent ones and where they are."""
    texts = cells.map(str).str[:40]
    counts = texts.value_counts()
    shown = [
        f"{text!r} ({rows:,}: {places.shown(texts.index[texts == text][:_MOST_SHOWN])})"
        for text, rows in counts.iloc[:_MOST_SHOWN].items()
    ]
    more = f" and {len(counts) - _MOST_SHOWN} more values" if len(counts) > _MOST_SHOWN else ""
    rule = f"takes {expected}, as in the train rows, and has {', '.join(shown)}{more}: correct them in the source"
    return Violation("columns", name, f"{rule}, or, if they mean a missing value, list them under columns.missing")
