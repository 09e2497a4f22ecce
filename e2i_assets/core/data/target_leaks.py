"""Features that determine the target, detected by their values, because such a column rarely has the target's name.

Only certain cases are reported, and each stops the run: the feature determines the target in every row.
"""

from collections.abc import Iterator, Mapping

import pandas as pd

from e2i_assets.core.data.column_types import is_number
from e2i_assets.core.errors import Violation

# The minimum average number of rows per value; with fewer, small tables would be reported by chance.
ROWS_PER_VALUE = 20
_MANY_VALUES = 10


def violations(features: Mapping[str, pd.Series], target: pd.Series, classes: tuple[str, ...]) -> Iterator[Violation]:
    """Find every feature that determines the target.

    Args:
        features: The feature columns, each of shape (rows,).
        target: Shape (rows,): labels, or the numbers of a regression (``classes`` is then empty).
        classes: The labels.
    """
    by_target = target.sort_values(kind="stable").index
    for name, column in features.items():
        rule = None
        if classes:
            rule = _determining_values(column, target) or _determining_gaps(column, target)
        elif is_number(column) and _rises_with_target(column.loc[by_target]):
            rule = "rises or falls exactly with the target"
        if rule:
            yield Violation("columns", name, f"{rule}, so it reveals the target: drop it under columns.drop")


def _determining_values(column: pd.Series, target: pd.Series) -> str | None:
    distinct = column.nunique(dropna=False)
    if not 2 <= distinct <= len(column) / ROWS_PER_VALUE or not _determines(column, target):
        return None
    return f"has {distinct} values, each of which occurs with one class only"


def _determining_gaps(column: pd.Series, target: pd.Series) -> str | None:
    gaps = column.isna()
    if len(column) < 2 * ROWS_PER_VALUE or gaps.nunique() < 2 or not _determines(gaps, target):
        return None
    return "is always missing in some classes and never in the others"


def _determines(column: pd.Series, target: pd.Series) -> bool:
    values = pd.factorize(column, use_na_sentinel=False)[0]
    classes_per_value = pd.Series(pd.factorize(target)[0]).groupby(values).nunique()
    return bool((classes_per_value == 1).all())


def _rises_with_target(in_target_order: pd.Series) -> bool:
    present = in_target_order.dropna()
    if present.nunique() <= _MANY_VALUES:
        return False
    return present.is_monotonic_increasing or present.is_monotonic_decreasing
