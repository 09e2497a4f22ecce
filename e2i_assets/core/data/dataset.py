"""The dataset of an experiment: raw rows become a typed table, or one error that lists everything wrong with them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd
from pydantic import BaseModel, ConfigDict

from e2i_assets.core.content_hash import frame_hash
from e2i_assets.core.data import target_leaks
from e2i_assets.core.data.column_profile import ColumnProfile, column_profiles, uses
from e2i_assets.core.data.column_types import is_number, plain, readable
from e2i_assets.core.data.date_texts import date_notes
from e2i_assets.core.data.declared_columns import declaration_violations
from e2i_assets.core.data.feature_columns import as_feature, features_of, name_violations, unused
from e2i_assets.core.data.identifiers import group_notes
from e2i_assets.core.data.keys import exact, without_zero_bytes
from e2i_assets.core.data.segment_columns import segment_columns
from e2i_assets.core.data.sentinels import sentinel_notes
from e2i_assets.core.data.settled_columns import settled
from e2i_assets.core.data.spellings import spelling_notes
from e2i_assets.core.data.splits import ROLES
from e2i_assets.core.data.storable import unstorable
from e2i_assets.core.data.target_column import classes_of, target_values, without_target
from e2i_assets.core.data.target_column import violations as target_violations
from e2i_assets.core.data.time_column import time_violations, times_of
from e2i_assets.core.data.weight_column import effective_rows, weights_of
from e2i_assets.core.errors import DataInvalid, Violation
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.metrics import ProblemType
from e2i_assets.core.suggestions import did_you_mean

if TYPE_CHECKING:
    import pandera.pandas as pa


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """The typed table of an experiment.

    Attributes:
        frame: Features (int64, float64, datetime64[us] or category), target, then group, time and ids; the index counts
            the rows. The target of a classification is text, one of ``classes``.
        features: Names of the feature columns, in the order of the source.
        left_out: Every other column of the source, with the reason why it is not a feature.
        target: Name of the target column.
        group: Name of the group column, None without one.
        time: Name of the time column, None without one.
        ids: Names of the id columns.
        split: Name of the column that contains the split of each row, None without one.
        classes: Labels in the order of their codes, the positive label of a binary target last; empty for a regression.
        problem_type: The problem type of the experiment.
        data_hash: The hash of ``frame``.
        rows_without_target: The number of source rows that are left out because their target is missing.
        weight: Name of the column with the sample weights, None without one.
        segments: Columns of ``frame``, features or not, whose values define the segments of the evaluation.
        notes: Notes for the user on how the rows were read, each a sentence.
        profile: What each column of the source contains and what it is used for; empty if it was not asked for.
        date_forms: The form of dates in a column that is neither ISO 8601 nor typed, see `DateReading`.
    """

    frame: pd.DataFrame
    features: tuple[str, ...]
    left_out: Mapping[str, str]
    target: str
    group: str | None
    time: str | None
    ids: tuple[str, ...]
    classes: tuple[str, ...]
    problem_type: ProblemType
    data_hash: str
    rows_without_target: int
    split: str | None = None
    segments: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    profile: tuple[ColumnProfile, ...] = ()
    weight: str | None = None
    date_forms: Mapping[str, str] = field(default_factory=dict)


class DatasetFacts(BaseModel):
    """The facts about an experiment's table that are stored besides its rows; see `Dataset`."""

    model_config = ConfigDict(frozen=True)

    features: tuple[str, ...]
    left_out: dict[str, str]
    profile: tuple[ColumnProfile, ...] = ()
    date_forms: dict[str, str] = {}


def dataset_of(raw: pd.DataFrame, experiment: Experiment, profiled: bool = True) -> Dataset:
    """Return the typed table of an experiment.

    Rows without a target are left out and counted; a share above `target_column.MAX_SHARE_WITHOUT_TARGET` is an error.

    Args:
        raw: The rows of the source.
        experiment: The experiment.
        profiled: Whether to profile the columns, which costs about a tenth of this function.

    Raises:
        DataInvalid: Lists everything that is wrong with the rows.
    """
    subject = f"data of experiment {experiment.name}"
    table, nested = readable(raw)
    table = table.reset_index(drop=True)
    if mistakes := [*declaration_violations(table, experiment, nested)]:
        raise DataInvalid(subject, mistakes)
    cells = settled(table, experiment, experiment.source)
    table, mistakes = cells.table, [*cells.mistakes]
    target = target_values(table, experiment)
    if not any(one.value == experiment.target.column for one in mistakes):
        mistakes += target_violations(table, target, experiment)
    has_target = target.notna()
    weight, weights = experiment.columns.weight, {}
    if weight:
        every, broken = weights_of(table, weight, has_target)
        weights, mistakes = {weight: every[has_target].reset_index(drop=True)}, [*mistakes, *broken]
    table, target = table[has_target].reset_index(drop=True), target[has_target].reset_index(drop=True)
    features, left_out, feature_mistakes = features_of(table, experiment, nested)
    special, special_mistakes = _special_columns(table, experiment)
    special |= weights
    segments, segment_mistakes = segment_columns(table, experiment, [*features, *special])
    mistakes += [*feature_mistakes, *name_violations(features, experiment), *special_mistakes, *segment_mistakes]
    mistakes += unstorable(table, experiment, [*features, *unused(left_out, experiment)])
    classes = classes_of(target, experiment)
    for name in experiment.leakage.accepted:
        if name not in features:
            mistakes.append(Violation("leakage.accepted", name, f"is not a feature{did_you_mean(name, features)}"))
    for name in experiment.columns.monotone:
        if name not in features:
            mistakes.append(Violation("columns.monotone", name, f"is not a feature{did_you_mean(name, features)}"))
        elif not is_number(features[name]):
            mistakes.append(Violation("columns.monotone", name, "is not a column of numbers: it has no direction"))
    if not features:
        rule = "are all left out, so there is no feature to learn from: add columns, or drop fewer"
        mistakes.append(Violation("columns", list(left_out)[:10], rule))
    if not mistakes:
        mistakes += target_leaks.violations(features, target, classes)
    if mistakes:
        raise DataInvalid(subject, mistakes)
    frame = pd.DataFrame({**features, experiment.target_name: target, **special, **segments})
    return Dataset(
        frame=frame,
        features=tuple(features),
        left_out=left_out,
        target=experiment.target_name,
        group=experiment.columns.group,
        time=experiment.columns.time,
        ids=experiment.columns.id,
        classes=classes,
        problem_type=experiment.problem_type,
        data_hash=frame_hash(frame),
        rows_without_target=int((~has_target).sum()),
        split=experiment.split.column,
        segments=experiment.segments,
        weight=weight,
        date_forms=cells.date_forms,
        notes=(
            *cells.notes,
            *map(effective_rows, weights.values()),
            *_notes(features, target, experiment),
            *spelling_notes({**features, experiment.target_name: target, **special}, special),
        ),
        profile=column_profiles(
            table,
            {name: frame[name] for name in (*features, experiment.target_name, experiment.columns.time) if name},
            uses(features, left_out, experiment),
            special.get(experiment.columns.group or ""),
        )
        if profiled
        else (),
    )


def pointed_out(data: Dataset) -> tuple[str, ...]:
    """Return the notes for the user: the number of rows without a target, and the notes from reading the rows."""
    return (*without_target(data.rows_without_target, len(data.frame), data.target), *data.notes)


def schema_of(data: Dataset) -> "pa.DataFrameSchema":
    """Return the pandera schema that every table of `dataset_of` meets: types, classes, no infinite values."""
    import numpy as np
    import pandera.pandas as pa

    finite = pa.Check(lambda values: ~np.isinf(values), name="finite", error="finite")
    columns = {}
    for name in data.features:
        numeric = is_number(data.frame[name])
        columns[name] = pa.Column(str(data.frame[name].dtype), checks=[finite] if numeric else [], nullable=True)
    if data.classes:
        columns[data.target] = pa.Column(object, checks=pa.Check.isin(data.classes), nullable=False)
    else:
        columns[data.target] = pa.Column(str(data.frame[data.target].dtype), checks=finite, nullable=False)
    for name in filter(None, (data.group, data.time)):
        columns[name] = pa.Column(nullable=False)
    if data.split:
        columns[data.split] = pa.Column(object, checks=pa.Check.isin(ROLES), nullable=False)
    if data.weight:
        columns[data.weight] = pa.Column("float64", checks=[finite, pa.Check.ge(0)], nullable=False)
    for name in (*data.ids, *data.segments):
        columns.setdefault(name, pa.Column(nullable=True))
    return pa.DataFrameSchema(columns, strict=True, ordered=False, unique_column_names=True)


def _notes(features: Mapping[str, pd.Series], target: pd.Series, experiment: Experiment) -> Iterator[str]:
    columns = experiment.columns
    yield from sentinel_notes(features)
    if experiment.problem_type == "regression":
        yield from sentinel_notes({experiment.target_name: target})
    yield from date_notes(features, columns.numeric)
    if not columns.group:
        yield from group_notes(features, (*columns.numeric, *columns.categorical))


def _special_columns(table: pd.DataFrame, experiment: Experiment) -> tuple[dict[str, pd.Series], list[Violation]]:
    group, time = experiment.columns.group, experiment.columns.time
    found: dict[str, pd.Series] = {}
    mistakes = []
    for name in filter(None, (group, *experiment.columns.id)):
        found[name] = without_zero_bytes(exact(table[name]))
    if group and (missing := int(found[group].isna().sum())):
        rule = f"is missing in {missing} rows: fill it in the source, or remove these rows"
        mistakes.append(Violation("columns.group", group, rule))
    if time:
        found[time] = times_of(table[time])
        mistakes += time_violations(time, table[time], found[time])
        found[time] = as_feature(found[time]) if time in experiment.columns.dates else found[time]
    if split := experiment.split.column:
        found[split] = plain(table[split]).map(lambda cell: str(cell).strip().casefold()).astype(object)
        invalid = found[split][~found[split].isin(ROLES)]
        if len(invalid):
            cells = ", ".join(map(repr, table.loc[invalid.index, split].drop_duplicates().head(3)))
            rule = f"is not a split in {len(invalid)} rows ({cells}): each must be one of {', '.join(ROLES)}"
            mistakes.append(Violation("split.column", split, rule))
    return found, mistakes
