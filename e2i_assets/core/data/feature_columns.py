"""The feature columns of a table, and for every other column the reason why it is not a feature."""

from collections.abc import Collection, Iterator, Mapping

import numpy as np
import pandas as pd

from e2i_assets.core.data.column_types import NESTED, is_number, labels, plain
from e2i_assets.core.data.digit_codes import long_numbers, why_long
from e2i_assets.core.data.identifiers import identifier
from e2i_assets.core.data.keys import exact
from e2i_assets.core.errors import Violation
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.date_parts import DATE_PARTS, is_date, part_name
from e2i_assets.core.fitting.many_categories import FEW_VALUES

# Text with a longer mean length is called free text, shorter text a code.
_LONG_TEXT = 30


def roles(experiment: Experiment) -> dict[str, str]:
    """Return the columns that the experiment excludes from the features, with the reason."""
    columns = experiment.columns
    found = dict.fromkeys(columns.drop, "dropped by the experiment")
    found |= dict.fromkeys(columns.id, "an id")
    if columns.time and columns.time not in columns.dates:
        found[columns.time] = "the time"
    if columns.group:
        found[columns.group] = "the group"
    if columns.weight:
        found[columns.weight] = "the weight"
    if experiment.split.column:
        found[experiment.split.column] = "the role of each row"
    if experiment.target.bins:
        found[experiment.target.column] = "the target is cut from it"
    return found


def features_of(
    table: pd.DataFrame, experiment: Experiment, nested: Collection[str] = ()
) -> tuple[dict[str, pd.Series], dict[str, str], list[Violation]]:
    """Sort the columns of a table.

    Args:
        table: Only rows that have a target.
        experiment: Says which columns are what.
        nested: The columns whose cells contain several values.

    Returns:
        The features as int64, float64, datetime64[us] or category; why each other column is left out; what is wrong
        with a feature.
    """
    why_not = dict.fromkeys(nested, NESTED) | roles(experiment)
    left_out = {name: reason for name, reason in why_not.items() if name in table.columns}
    features: dict[str, pd.Series] = {}
    mistakes: list[Violation] = []
    group = table[experiment.columns.group] if experiment.columns.group else None
    for name in table.columns:
        if name in left_out or name == experiment.target_name:
            continue
        declared = name in experiment.columns.categorical
        column = labels(exact(table[name])) if declared else plain(table[name])
        reason = _why_not(column, declared)
        if not (declared or name in experiment.columns.numeric or is_date(column)):
            found = None if reason and is_number(column) else identifier(column, group)
            reason = found.why if found else reason
            if not found and not reason and (texts := long_numbers(table[name])) is not None:
                reason = why_long(column, texts, group is not None)
        if reason:
            left_out[name] = reason
        else:
            mistakes += _violations(name, column)
            features[name] = as_feature(column)
    return features, left_out, mistakes


def as_feature(column: pd.Series) -> pd.Series:
    """Return a plain column in the type of a feature; dates have one unit, whatever years a delivery contains."""
    if is_date(column):
        dates: pd.Series = column.dt.as_unit("us")
        return dates
    return column if is_number(column) else column.astype("category")


def unused(left_out: Mapping[str, str], experiment: Experiment) -> dict[str, str]:
    """Return the columns that are left out because of their data, not by the experiment, with the reason.

    Args:
        left_out: Every column that is not a feature, with the reason.
        experiment: The experiment, whose own exclusions are not returned.
    """
    wished = roles(experiment)
    return {name: why for name, why in left_out.items() if name not in wished}


def name_violations(features: Mapping[str, pd.Series], experiment: Experiment) -> Iterator[Violation]:
    """Find the target among the features under its own name, however that is written, and the names of date parts."""
    forbidden = {experiment.target_name.strip().casefold(), experiment.target.column.strip().casefold()}
    for name in features:
        if name.strip().casefold() in forbidden:
            rule = f"is the target {experiment.target_name!r} among the features: drop it under columns.drop"
            yield Violation("columns", name, rule)
    parts = {part_name(date, part): date for date in features if is_date(features[date]) for part in DATE_PARTS}
    for name in features:
        if name in parts:
            rule = f"has the name that a part of the date {parts[name]!r} gets: rename it in the source, or drop one"
            yield Violation("columns", name, rule)


def _why_not(column: pd.Series, declared: bool) -> str | None:
    present = column.dropna()
    distinct = present.nunique()
    if distinct == 0:
        return "no values"
    if distinct == 1 and len(present) == len(column):
        return "one value only"
    if is_date(column) or is_number(column):
        return None
    return None if declared else _nearly_all_different(present, distinct)


def _nearly_all_different(present: pd.Series, distinct: int) -> str | None:
    half = len(present) / 2
    if distinct <= max(2, half) or (distinct > FEW_VALUES and not _hardly_repeats(present)):
        return None
    long = present.str.len().to_numpy().mean() > _LONG_TEXT
    what = "free text" if long else "hardly any value is repeated"
    return f"{what}: {distinct} distinct values in {len(present)} rows"


def _hardly_repeats(present: pd.Series) -> bool:
    """Return whether most rows have a value that no other row has."""
    return bool((present.value_counts() == 1).sum() > len(present) / 2)


def _violations(name: str, column: pd.Series) -> Iterator[Violation]:
    if is_date(column):
        return
    if not is_number(column):
        present = column.dropna()
        if (distinct := present.nunique()) > FEW_VALUES and _hardly_repeats(present):
            rule = f"has {distinct} values in {len(present)} rows, and hardly any is repeated: remove it here"
            yield Violation("columns.categorical", name, rule)
    elif infinite := int(np.isinf(column.to_numpy(dtype=np.float64)).sum()):
        yield Violation("columns", name, f"is infinite in {infinite} rows: fix them in the source, or drop the column")
