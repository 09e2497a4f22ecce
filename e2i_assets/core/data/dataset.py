"""From raw rows to the typed table of an experiment, or to everything that is wrong with them at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from pydantic import BaseModel, ConfigDict

from e2i_assets.core.content_hash import frame_hash
from e2i_assets.core.data import target_leaks
from e2i_assets.core.data.column_types import is_number, plain
from e2i_assets.core.data.feature_columns import features_of, name_violations
from e2i_assets.core.data.keys import exact, without_zero_bytes
from e2i_assets.core.data.segment_columns import kept_for_segments
from e2i_assets.core.data.sentinels import sentinel_notes
from e2i_assets.core.data.settled_columns import settled
from e2i_assets.core.data.splits import ROLES
from e2i_assets.core.data.storable import unstorable
from e2i_assets.core.data.target_column import classes_of, target_values, without_target
from e2i_assets.core.data.target_column import violations as target_violations
from e2i_assets.core.data.time_column import time_violations, times_of
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
        frame: Features (int64, float64 or category), target, then group, time and ids; the index counts the rows.
            The target of a classification is text, one of ``classes``.
        features: Names of the feature columns, in the order of the source.
        left_out: Every other column of the source, with the reason.
        target: Name of the target column.
        group: Name of the grouping column, None without one.
        time: Name of the time column, None without one.
        ids: Names of the id columns.
        split: Name of the column that says the role of each row, None without one.
        classes: Labels in the order of their codes, a binary target's positive one last; empty for a regression.
        problem_type: What the target is.
        data_hash: Identity of ``frame``.
        rows_without_target: Rows of the source that were left out for it.
        segments: Columns of ``frame``, features or not, by whose values the model is judged.
        notes: What a person should know of how the rows were read, each a sentence.
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


class DatasetFacts(BaseModel):
    """What is known of an experiment's table besides its rows: see `Dataset`."""

    model_config = ConfigDict(frozen=True)

    features: tuple[str, ...]
    left_out: dict[str, str]


def dataset_of(raw: pd.DataFrame, experiment: Experiment) -> Dataset:
    """Make the typed table of an experiment.

    Rows without a target are left out and counted; above `target_column.MAX_SHARE_WITHOUT_TARGET` they are an error.

    Raises:
        DataInvalid: With everything that is wrong with the rows.
    """
    subject = f"data of experiment {experiment.name}"
    table = raw.rename(columns=str).reset_index(drop=True)
    if mistakes := [*_shape_violations(table, experiment)]:
        raise DataInvalid(subject, mistakes)
    cells = settled(table, experiment, experiment.source)
    table, mistakes = cells.table, [*cells.mistakes]
    target = target_values(table, experiment)
    if not any(one.value == experiment.target.column for one in mistakes):
        mistakes += target_violations(table, target, experiment)
    kept = target.notna()
    table, target = table[kept].reset_index(drop=True), target[kept].reset_index(drop=True)
    features, left_out, feature_mistakes = features_of(table, experiment)
    roles, role_mistakes = _role_columns(table, experiment)
    beside, segment_mistakes = kept_for_segments(table, experiment, [*features, *roles])
    mistakes += [*feature_mistakes, *name_violations(features, experiment), *role_mistakes, *segment_mistakes]
    mistakes += unstorable(table, experiment, features, target)
    classes = classes_of(target, experiment)
    for name in experiment.leakage.accepted:
        if name not in features:
            mistakes.append(Violation("leakage.accepted", name, f"is no feature{did_you_mean(name, features)}"))
    if not features:
        mistakes.append(Violation("columns", list(left_out)[:10], "leave no feature to learn from"))
    if not mistakes:
        mistakes += target_leaks.violations(features, target, classes)
    if mistakes:
        raise DataInvalid(subject, mistakes)
    judged = features if classes else {**features, experiment.target_name: target}
    frame = pd.DataFrame({**features, experiment.target_name: target, **roles, **beside})
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
        rows_without_target=int((~kept).sum()),
        split=experiment.split.column,
        segments=experiment.segments,
        notes=(*cells.notes, *sentinel_notes(judged)),
    )


def pointed_out(data: Dataset) -> tuple[str, ...]:
    """Return what a person should know of the rows: those without a target, and what was noted while reading."""
    return (*without_target(data.rows_without_target, len(data.frame), data.target), *data.notes)


def schema_of(data: Dataset) -> "pa.DataFrameSchema":
    """Return what `dataset_of` promises of the table, as a pandera schema: types, classes, nothing infinite."""
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
    for name in (*data.ids, *data.segments):
        columns.setdefault(name, pa.Column(nullable=True))
    return pa.DataFrameSchema(columns, strict=True, ordered=False, unique_column_names=True)


def _shape_violations(table: pd.DataFrame, experiment: Experiment) -> Iterator[Violation]:
    if twice := sorted({str(name) for name in table.columns[table.columns.duplicated()]}):
        yield Violation("columns", twice, "are there more than once: give each column its own name")
    if table.empty:
        yield Violation("source", f"{len(table)} rows", "is not enough: the table is empty")
    columns = experiment.columns
    named = [("target" if experiment.target.bins is None else "target.column", experiment.target.column)]
    named += [("columns.group", columns.group)] if columns.group else []
    named += [("columns.time", columns.time)] if columns.time else []
    named += [("split.column", experiment.split.column)] if experiment.split.column else []
    for key in ("id", "drop", "categorical"):
        named += [(f"columns.{key}", name) for name in getattr(columns, key)]
    named += [("segments", name) for name in experiment.segments]
    for where, name in named:
        if name not in table.columns:
            yield Violation(where, name, f"is not a column of the data{did_you_mean(name, table.columns)}")
    if experiment.target.bins and experiment.target_name in table.columns:
        yield Violation("target.name", experiment.target_name, "is a column of the data already: choose another name")


def _role_columns(table: pd.DataFrame, experiment: Experiment) -> tuple[dict[str, pd.Series], list[Violation]]:
    group, time = experiment.columns.group, experiment.columns.time
    found: dict[str, pd.Series] = {}
    mistakes = []
    for name in filter(None, (group, *experiment.columns.id)):
        found[name] = without_zero_bytes(exact(table[name]))
    if group and (missing := int(found[group].isna().sum())):
        mistakes.append(Violation("columns.group", group, f"is missing in {missing} rows: they belong to nobody"))
    if time:
        found[time] = times_of(table[time])
        mistakes += time_violations(time, table[time], found[time])
    if split := experiment.split.column:
        found[split] = plain(table[split]).map(lambda cell: str(cell).strip().casefold()).astype(object)
        strange = found[split][~found[split].isin(ROLES)]
        if len(strange):
            cells = ", ".join(map(repr, table.loc[strange.index, split].drop_duplicates().head(3)))
            rule = f"says no role in {len(strange)} rows ({cells}): each must have one of {', '.join(ROLES)}"
            mistakes.append(Violation("split.column", split, rule))
    return found, mistakes
