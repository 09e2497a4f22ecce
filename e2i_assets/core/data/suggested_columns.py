"""Suggestions for a new experiment: the target, its problem type and metric, and columns with a special meaning.

They come from the cells and, where these cannot tell, from the names of the columns. A person confirms them.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pandas as pd

from e2i_assets.core.data.column_types import codes_and_texts, in_order, is_number, label, plain, readable
from e2i_assets.core.data.identifiers import identifier
from e2i_assets.core.data.missing_words import WORDS, missing_in
from e2i_assets.core.data.number_texts import NumberTexts
from e2i_assets.core.data.settled_columns import settled
from e2i_assets.core.data.target_column import MAX_CLASSES
from e2i_assets.core.data.time_column import times_of
from e2i_assets.core.data.written_dates import suggested_form, words_among_dates
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.experiments.source_section import Source
from e2i_assets.core.fitting.date_parts import is_date
from e2i_assets.core.fitting.many_categories import FEW_VALUES
from e2i_assets.core.metrics import ProblemType, default_metric
from e2i_assets.core.suggestions import did_you_mean

_MOST_WORDS = 10
_SAMPLE = 2000
_RARE = 0.1
_POSITIVE = ("yes", "y", "true", "t", "1", "ja", "j", "wahr", "oui", "si", "sí", "positive", "positiv", "pos")
# Labels that have an order, from the lowest to the highest; a class may lack some of them.
_SCALES = tuple(scale.split(" < ") for scale in (
    "very low < low < mid < medium < high < very high", "none < mild < moderate < severe < critical",
    "xs < s < m < l < xl < xxl", "small < medium < large", "bad < neutral < good", "i < ii < iii < iv < v",
    "very poor < poor < fair < good < very good < excellent", "never < rarely < sometimes < often < always",
    "strongly disagree < disagree < neutral < agree < strongly agree", "niedrig < mittel < hoch",
    "leicht < mittel < schwer", "klein < mittel < gro\u00df", "nie < selten < manchmal < oft < immer",
))  # fmt: skip
_STEP = re.compile(r"(?:stage|grade|level|stufe|grad|stadium)[ _-]?(\d+)")


@dataclass(frozen=True, slots=True, eq=False)
class Cleaned:
    """A table with settled cells, and what had to be assumed for that.

    Attributes:
        raw: The columns of the source, whose words are values where they are classes.
        table: The same columns, with numbers as numbers and words for a missing value as missing.
        missing: For a column of numbers or dates: its other cells, which probably mean a missing value.
        dates: For a column of dates: the form that the reader would ask for.
        drop: Columns whose cells cannot be read in one way, with the reason.
    """

    raw: pd.DataFrame
    table: pd.DataFrame
    missing: Mapping[str, tuple[str, ...]]
    dates: Mapping[str, str]
    drop: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a new experiment file says about the columns.

    Attributes:
        target: The column to predict.
        problem_type: The problem type that fits the target.
        metric: The metric that fits the problem.
        positive_label: The positive class of a binary target.
        id: Columns that identify a row.
        group: A column that repeats and identifies who or what a row belongs to.
        order: The classes from the lowest to the highest, if their names have an order.
        times: Columns that could be the time.
        dates: The form of columns of dates that the reader would ask for.
        missing: Words that mean a missing value, by column.
        drop: Columns that cannot be read in one way, with the reason.
    """

    target: str
    problem_type: ProblemType
    metric: str
    positive_label: str | None = None
    id: tuple[str, ...] = ()
    group: str | None = None
    order: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    dates: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    drop: Mapping[str, str] = field(default_factory=dict)


def cleaned(raw: pd.DataFrame, source: Source) -> Cleaned:
    """Settle the cells of a table before there is an experiment.

    In a column that is mostly numbers or dates, up to ten other texts are taken as missing; dates with a year of two
    digits and numbers as yyyymmdd are dates. A column that remains ambiguous is dropped.
    """
    table, nested = readable(raw)
    table = table.reset_index(drop=True)
    draft = _draft(source, {}, {})
    found = settled(table, draft, source)
    forms = {str(name): suggested_form(plain(column)) for name, column in found.table.items()}
    dates = {name: form for name, form in forms.items() if form}
    missing: dict[str, tuple[str, ...]] = {}
    for name in {str(one.value) for one in found.mistakes} - dates.keys():
        if words := _other_words(table[name], draft, source):
            missing[name] = words
    found = settled(table, _draft(source, missing, dates), source)
    drop = dict.fromkeys(nested, "contains lists or mappings")
    drop |= {str(one.value): one.rule for one in found.mistakes}
    missing = {name: words for name, words in missing.items() if name not in drop}
    return Cleaned(table, found.table, missing, {name: form for name, form in dates.items() if name not in drop}, drop)


def target_of(table: pd.DataFrame, unreadable: Collection[str] = ()) -> str:
    """Return the last column that can be a target; the last one if there is none."""
    for name in reversed(table.columns):
        if name in unreadable:
            continue
        column = plain(table[name])
        distinct = column.nunique()
        may_be = distinct > 1 and not is_date(column) and identifier(column) is None
        if may_be and (is_number(column) or distinct <= FEW_VALUES) and not _is_time(table[name]):
            return str(name)
    return str(table.columns[-1])


def suggested(found: Cleaned, target: str, problem_type: ProblemType | None = None) -> Suggestion:
    """Return the suggestion for a target.

    Args:
        found: The settled table.
        target: The column to predict.
        problem_type: The problem type, None to take the one that fits.

    Raises:
        E2iError: The column does not exist, or cannot be a target.
    """
    table = found.table
    if target not in table.columns:
        known = ", ".join(map(str, table.columns[:20]))
        raise E2iError(f"{target!r} is not a column{did_you_mean(target, table.columns)}. The columns are {known}")
    if target in found.drop:
        raise E2iError(f"the target {target} {found.drop[target]}")
    values = table[target] if is_number(plain(table[target])) else found.raw[target]
    chosen = problem_type or _problem_type(target, plain(values))
    classes = values.dropna().map(label) if chosen != "regression" else pd.Series(dtype=object)
    others = {str(name): table[name] for name in table.columns if name not in (target, *found.drop)}
    named = {name: identifier(plain(cells)) for name, cells in others.items() if cells.notna().all()}
    ids = tuple(name for name, one in named.items() if one and not one.repeats and others[name].is_unique)
    groups = [name for name, one in named.items() if one and one.repeats]
    order = _order(classes) if chosen == "multiclass_classification" else ()
    return Suggestion(
        target=target,
        problem_type=chosen,
        metric="quadratic_weighted_kappa" if order else _metric(chosen, classes),
        order=order,
        positive_label=_positive(classes) if chosen == "binary_classification" else None,
        id=ids,
        group=groups[0] if groups else None,
        times=tuple(name for name, cells in others.items() if name not in ids and _is_time(cells)),
        dates=found.dates,
        missing=found.missing,
        drop=found.drop,
    )


def _draft(source: Source, missing: Mapping[str, tuple[str, ...]], dates: Mapping[str, str]) -> Experiment:
    raw = {
        "name": "draft", "owner": "team:draft", "source": source.model_dump(mode="json", exclude_none=True),
        "target": "no column has this name", "problem_type": "regression", "algorithm": "LightGBM",
        "columns": {"missing": {name: list(words) for name, words in missing.items()}, "dates": dict(dates)},
    }  # fmt: skip
    return experiment_from(raw, "draft")


def _other_words(column: pd.Series, draft: Experiment, source: Source) -> tuple[str, ...]:
    """Return the texts among the numbers of a column; empty if they are too many to mean a missing value."""
    codes, texts = codes_and_texts(column)
    numbers = NumberTexts(str(column.name), codes, texts, missing_in(draft, source, str(column.name), is_label=False))
    # A list of the experiment replaces the default one, of which the column may contain words as well.
    usual = [one for one in texts.str.strip().unique() if one in WORDS]
    if numbers.best:
        words = [*texts[numbers.present & ~numbers.are_numbers(numbers.form)].str.strip().unique()]
    else:
        words = [one for one in words_among_dates(column.astype(object)) if one not in WORDS]
    return (*map(str, words), *usual) if 0 < len(words) <= _MOST_WORDS else ()


def _problem_type(name: str, column: pd.Series) -> ProblemType:
    distinct = column.nunique()
    if is_date(column) or distinct < 2:
        what = "contains dates" if is_date(column) else f"has {distinct} value{'' if distinct == 1 else 's'}"
        raise E2iError(f"{name} {what}, so there is nothing to predict: choose another column with --target")
    if distinct == 2:
        return "binary_classification"
    if is_number(column):
        return "regression"
    if distinct > min(MAX_CLASSES, len(column) / 2):
        raise E2iError(f"{name} is text with {distinct} distinct values: choose another column with --target")
    return "multiclass_classification"


def _metric(problem_type: ProblemType, classes: pd.Series) -> str:
    """Return the default metric; with rare classes, one that depends on them."""
    if problem_type == "regression" or not len(classes):
        return default_metric(problem_type)
    shares = classes.value_counts(normalize=True)
    if shares.min() * len(shares) / 2 >= _RARE:
        return default_metric(problem_type)
    return "pr_auc" if problem_type == "binary_classification" else "f1_macro"


def _positive(classes: pd.Series) -> str | None:
    """Return the class that is written as a yes, else the rarer one."""
    counts = classes.value_counts()
    said = [one for one in counts.index if str(one).strip().casefold() in _POSITIVE]
    return str(said[0] if len(said) == 1 else min(in_order(classes), key=lambda one: counts[one]))


def _order(classes: pd.Series) -> tuple[str, ...]:
    """Return three or more classes in their order if their names leave no doubt about it; empty otherwise."""
    found = {str(one): str(one).strip().casefold() for one in classes.unique()}
    names = set(found.values())
    if not 3 <= len(names) == len(found):
        return ()
    if all(_STEP.fullmatch(name) for name in names):
        return tuple(sorted(found, key=lambda one: int(_STEP.fullmatch(found[one])[1])))  # type: ignore[index]
    scale = next((one for one in _SCALES if names <= set(one)), None)
    return tuple(sorted(found, key=lambda one: scale.index(found[one]))) if scale else ()


def _is_time(column: pd.Series) -> bool:
    """Return whether all cells of a column of dates or text are instants; numbers never are."""
    present = column.dropna()
    if present.empty or is_number(plain(present.head(_SAMPLE))):
        return False
    return bool(times_of(present.head(_SAMPLE)).notna().all())
