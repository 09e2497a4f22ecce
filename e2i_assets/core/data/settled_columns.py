"""Resolving the cells of a table: missing values become missing, and text becomes the numbers or dates that it means.

An ambiguous column is a violation that names the key of the experiment file which resolves it.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from e2i_assets.core.data.column_types import codes_and_texts, has_fractions, plain
from e2i_assets.core.data.date_texts import DateReading, dates_in_text, declared_dates
from e2i_assets.core.data.digit_codes import long_numbers, zeros_note
from e2i_assets.core.data.instants import instants
from e2i_assets.core.data.missing_words import WORDS, Missing, missing_in
from e2i_assets.core.data.number_texts import MOSTLY, NEARLY_ALL, NumberTexts
from e2i_assets.core.data.number_violations import in_doubt, rest_rule, units_rule
from e2i_assets.core.data.row_places import RowPlaces, notes_of, places_of
from e2i_assets.core.data.written_dates import are_iso, may_be_dates, parsed, suggested_form
from e2i_assets.core.data.written_numbers import Form
from e2i_assets.core.errors import Violation
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.source_section import Source
from e2i_assets.core.fitting.date_parts import is_date
from e2i_assets.core.fitting.many_categories import FEW_VALUES


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """A table with resolved cells.

    Attributes:
        table: The same columns and rows.
        notes: Notes for the user on how the cells were read, each a sentence.
        mistakes: The violations for ambiguous columns.
        date_forms: The form of dates in a column that is neither ISO 8601 nor typed.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]
    mistakes: tuple[Violation, ...]
    date_forms: Mapping[str, str] = field(default_factory=dict)


def settled(table: pd.DataFrame, experiment: Experiment, source: Source) -> Settled:
    """Return the table with missing values as missing cells, numbers as numbers and dates as dates.

    Args:
        table: The table as it was read.
        experiment: The experiment, which declares the columns.
        source: The source of this table: that of the experiment, or that of newer rows.
    """
    places, notes, mistakes = places_of(table), [*notes_of(table)], []
    columns: dict[str, pd.Series] = {}
    waiting: dict[str, NumberTexts] = {}
    forms: dict[str, str] = {}
    for name in map(str, table.columns):
        column, numbers, column_notes = without_missing_words(table[name], experiment, source)
        notes += column_notes
        if column is not None:
            columns[name] = column
        if dates := _dates(name, table[name] if column is None else column, experiment, places):
            columns[name] = table[name] if dates.column is None else dates.column
            notes += [dates.note] if dates.note else []
            mistakes += [dates.mistake] if dates.mistake else []
            forms |= {name: dates.form} if dates.form else {}
        elif numbers is not None and numbers.is_worth_a_look:
            waiting[name] = numbers
        elif column is not None:
            notes += _words_lost(name, table[name], column, experiment)
    decimals = {one.decimal_used for one in waiting.values()} - {None}
    if source.kind == "csv" and any(has_fractions(table[name]) for name in table.columns if name not in columns):
        decimals.add(".")
    for name, numbers in waiting.items():
        column, column_notes, wrong = _numbers(numbers, table[name], experiment, source, decimals, places)
        columns[name] = columns.get(name, table[name]) if column is None else column
        notes += column_notes
        mistakes += wrong
    return Settled(table.assign(**columns) if columns else table, tuple(notes), tuple(mistakes), forms)


def without_missing_words(
    column: pd.Series, experiment: Experiment, source: Source
) -> tuple[pd.Series | None, NumberTexts | None, list[str]]:
    """Resolve missing cells; return the column if it changes, its texts if they may be numbers, and notes."""
    name, roles = str(column.name), experiment.columns
    is_class = (
        name == experiment.target.column and experiment.problem_type != "regression" and not experiment.target.bins
    )
    is_label = is_class or name in roles.categorical
    missing = missing_in(experiment, source, name, is_label)
    if name in roles.drop or name == experiment.split.column:
        return None, None, []
    if pd.api.types.is_numeric_dtype(column.dtype) or not _is_text(column):
        gone = column.isin(missing.numbers) if missing.numbers else None
        if missing.declared and missing.words and is_date(dates := plain(column)):
            words = instants(pd.Series(sorted(missing.words), dtype=object)).dropna()
            gone = dates.isin(words.tolist())
        return (column.mask(gone) if gone is not None and gone.any() else None), None, []
    codes, texts = codes_and_texts(column)
    if not len(texts):
        return None, None, []
    gone = missing.in_texts(texts)
    if source.kind in ("csv", "sample"):
        gone |= texts.str.strip() == ""
    changed = _without(column, codes, texts, gone) if gone.any() else None
    if is_label or name in (*roles.id, roles.group, roles.time):
        return changed, None, [*_words_kept(name, texts, codes, missing, is_class)]
    csv = source.csv
    decimal = roles.decimal.get(name) or (csv.decimal if csv else None)
    numbers = NumberTexts(name, codes, texts, missing, decimal, csv.thousands if csv else None)
    return changed, numbers, []


def _dates(name: str, column: pd.Series, experiment: Experiment, places: RowPlaces) -> DateReading | None:
    """Return the dates of a column that is declared as dates, or that may be a feature and contains dates as text."""
    roles = experiment.columns
    if name in roles.dates:
        return declared_dates(name, column, roles.dates[name], places)
    if name == roles.time and _is_text(column) and not are_iso(column):
        form = suggested_form(column)
        known = form is not None and "%y" not in form
        return DateReading(parsed(column, form), form, f"{name}: read as dates ({form})") if known and form else None
    others = (*roles.drop, *roles.id, *roles.categorical, roles.group, roles.time, experiment.split.column)
    if name in others or name == experiment.target.column or pd.api.types.is_numeric_dtype(column.dtype):
        return None
    return dates_in_text(name, column.astype(object), places) if may_be_dates(column) and _is_text(column) else None


def _is_text(column: pd.Series) -> bool:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.api.types.infer_dtype(column.cat.categories, skipna=True) == "string"
    if column.dtype != object and not isinstance(column.dtype, pd.StringDtype):
        return False
    return pd.api.types.infer_dtype(column, skipna=True) in ("string", "mixed-integer")


def _without(column: pd.Series, codes: NDArray[np.intp], texts: pd.Series, gone: pd.Series) -> pd.Series:
    """Return a column of texts with missing cells for some of its texts."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.remove_categories([one for one in column.cat.categories if str(one) in set(texts[gone])])
    return column.astype(object).mask(np.append(gone, False)[codes])


def _words_kept(name: str, texts: pd.Series, codes: object, missing: Missing, is_class: bool) -> Iterator[str]:
    if not is_class or missing.declared:
        return
    for position in np.flatnonzero(texts.str.strip().isin(WORDS)):
        word, rows = texts.iloc[position], int((np.asarray(codes) == position).sum())
        yield (
            f"{name}: {word!r} is a class, in {rows:,} rows; if it means a missing value, write "
            f"columns: {{missing: {{{name}: [{word!r}]}}}}"
        )


def _words_lost(name: str, before: pd.Series, after: pd.Series, experiment: Experiment) -> Iterator[str]:
    """Find words for missing values in a column of few codes, such as NA for North America beside EU."""
    roles = experiment.columns
    if name in (experiment.target.column, *roles.missing, *roles.id, roles.group, roles.time):
        return
    codes = after.dropna().unique()
    if not 2 <= len(codes) <= FEW_VALUES:
        return
    for word, rows in before[after.isna() & before.notna()].astype(str).str.strip().value_counts().items():
        if any(len(str(code)) == len(str(word)) and str(code).isupper() == str(word).isupper() for code in codes):
            yield (
                f"{name}: {word!r} in {rows:,} rows is read as missing; if it is a value, write "
                f"columns: {{categorical: [{name}]}}"
            )


def _numbers(
    found: NumberTexts,
    column: pd.Series,
    experiment: Experiment,
    source: Source,
    decimals: set[str | None],
    places: RowPlaces,
) -> tuple[pd.Series | None, list[str], list[Violation]]:
    """Return the column as numbers, or None if it is text; its notes; and its violations."""
    name = found.name
    is_target = name == experiment.target.column
    distinct = int(found.present.sum())
    many = distinct > FEW_VALUES or distinct > max(2, found.counts[found.present].sum() / 2)
    if many and found.share <= MOSTLY and (units := found.mixed_units):
        return None, [], [Violation("target" if is_target else "columns", name, units_rule(found, units, is_target))]
    if not found.best or found.share <= MOSTLY or not (found.share >= NEARLY_ALL or many or is_target):
        return None, [], []
    if found.share < 1:
        return None, [], [Violation("target" if is_target else "columns", name, rest_rule(found, places, is_target))]
    is_declared = is_target or name in experiment.columns.numeric
    if found.is_plain and source.has_types and not many and not is_declared:
        return None, [], []  # a few numbers that a database or Parquet file stores as text are codes
    if found.is_plain and not is_declared:  # a number would lose digits
        if long_numbers(texts := found.texts[found.present]) is not None:
            return None, [], []
        if zeros := zeros_note(name, texts):
            return None, [zeros], []
    form = form_of(found, decimals)
    if form is None:
        return None, [], [in_doubt(found, source)]
    note = [] if found.is_plain else [f"{name}: read as {found.in_words(form)}"]
    return pd.Series(found.column(form), index=column.index, name=name), note, []


def form_of(found: NumberTexts, decimals: Collection[str | None]) -> Form | None:
    """Return the form of numbers as text, None if it is in doubt.

    Args:
        found: Text of which some is a number.
        decimals: The decimal signs that other columns surely have.
    """
    sign = found.is_in_doubt
    if not sign:
        return found.form
    if sign == "," and set(decimals) == {sign}:
        return next(one for one in found.best if one[0] == sign)
    if sign == "," and decimals and sign not in decimals:
        return next(one for one in found.best if one[1] == sign)
    return None if sign == "," or "," in decimals else found.form
