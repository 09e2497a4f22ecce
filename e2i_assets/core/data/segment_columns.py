"""The columns by whose values a model is judged: features, or columns that are kept for this alone."""

from collections.abc import Collection

import pandas as pd

from e2i_assets.core.data.column_types import labels
from e2i_assets.core.data.feature_columns import MAX_CATEGORIES
from e2i_assets.core.data.keys import exact
from e2i_assets.core.errors import Violation
from e2i_assets.core.experiments.experiment import Experiment

MISSING = "(missing)"


def kept_for_segments(
    table: pd.DataFrame, experiment: Experiment, present: Collection[str]
) -> tuple[dict[str, pd.Series], list[Violation]]:
    """Return the segment columns that the dataset has to keep besides its others, and what is wrong with any of them.

    Args:
        table: Only rows that have a target.
        experiment: Names the segments.
        present: The columns that the dataset has anyway.
    """
    kept, mistakes = {}, []
    for name in experiment.segments:
        column = labels(exact(table[name]))
        if (distinct := column.nunique()) > MAX_CATEGORIES:
            rule = f"has {distinct} values: a model is judged for up to {MAX_CATEGORIES} segments of a column"
            mistakes.append(Violation("segments", name, rule))
        if name not in present:
            kept[name] = column
    return kept, mistakes


def segment_labels(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Return each column as text, what is missing as a segment of its own."""
    return {str(name): labels(exact(table[name])).fillna(MISSING).astype(str) for name in table.columns}
