"""Segment columns: the model is evaluated on the rows of each of their values. They need not be features."""

from collections.abc import Collection

import pandas as pd

from e2i_assets.core.data.column_types import labels
from e2i_assets.core.data.keys import exact
from e2i_assets.core.errors import Violation
from e2i_assets.core.experiments.experiment import Experiment

MISSING = "(missing)"
# The report has a row for each value.
MOST_SEGMENTS = 50


def segment_columns(
    table: pd.DataFrame, experiment: Experiment, present: Collection[str]
) -> tuple[dict[str, pd.Series], list[Violation]]:
    """Return the segment columns that the dataset does not have yet, and the violations of all segment columns.

    Args:
        table: The rows that have a target.
        experiment: The experiment, which names the segment columns.
        present: The columns that the dataset already has.
    """
    added, mistakes = {}, []
    for name in experiment.segments:
        column = labels(exact(table[name]))
        if (distinct := column.nunique()) > MOST_SEGMENTS:
            rule = f"has {distinct} values: a segment column has at most {MOST_SEGMENTS}; choose another one"
            mistakes.append(Violation("segments", name, rule))
        if name not in present:
            added[name] = column
    return added, mistakes


def segment_labels(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Return each column as text; missing cells form a separate segment."""
    return {str(name): labels(exact(table[name])).fillna(MISSING).astype(str) for name in table.columns}
