"""The columns that an experiment names, compared with those of the table."""

from collections.abc import Collection, Iterator

import pandas as pd

from e2i_assets.core.errors import Violation
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.suggestions import did_you_mean


def declaration_violations(table: pd.DataFrame, experiment: Experiment, nested: Collection[str]) -> Iterator[Violation]:
    """Find names that are no column or more than one, and columns that cannot be what the experiment declares.

    Args:
        table: The rows of the source.
        experiment: Says which columns are what.
        nested: The columns whose cells contain several values.
    """
    if twice := sorted({str(name) for name in table.columns[table.columns.duplicated()]}):
        yield Violation("columns", twice, "appear more than once: give each column a unique name")
    if table.empty:
        yield Violation("source", f"{len(table)} rows", "is not enough: the table is empty")
    for where, name in _named(experiment):
        if name not in table.columns:
            yield Violation(where, name, f"is not a column of the data{did_you_mean(name, table.columns)}")
        elif name in nested and where != "columns.drop":
            yield Violation(where, name, "contains lists or mappings: give each of their values a column in the source")
    if experiment.target.bins and experiment.target_name in table.columns:
        yield Violation("target.name", experiment.target_name, "is already a column of the data: choose another name")


def _named(experiment: Experiment) -> Iterator[tuple[str, str]]:
    columns = experiment.columns
    yield "target" if experiment.target.bins is None else "target.column", experiment.target.column
    for where, name in (
        ("columns.group", columns.group),
        ("columns.time", columns.time),
        ("columns.weight", columns.weight),
        ("split.column", experiment.split.column),
    ):
        if name:
            yield where, name
    for key in ("id", "drop", "categorical", "numeric", "dates"):
        for name in getattr(columns, key):
            yield f"columns.{key}", name
    for name in experiment.segments:
        yield "segments", name
