"""Features that know the target: found by their values, because a leak seldom bears the target's name.

Only certainties are found, each a reason to stop: the values settle the target in every row of the table.
"""

from collections.abc import Iterator, Mapping

import pandas as pd

from e2i_assets.core.data.column_types import is_number
from e2i_assets.core.errors import Violation

# A value must be backed by so many rows on average, or small tables would be accused by chance.
ROWS_PER_VALUE = 20
_MANY_VALUES = 10


def violations(features: Mapping[str, pd.Series], target: pd.Series, classes: tuple[str, ...]) -> Iterator[Violation]:
    """Find every feature that settles the target.

    Args:
        features: Columns, aligned with the target.
        target: Labels, or the numbers of a regression (``classes`` is then empty).
        classes: The labels.
    """
    by_target = target.sort_values(kind="stable").index
    for name, column in features.items():
        rule = None
        if classes:
            rule = _settling_values(column, target) or _settling_gaps(column, target)
        elif is_number(column) and _rises_with_target(column.loc[by_target]):
            rule = "rises or falls exactly with the target"
        if rule:
            yield Violation("columns", name, f"{rule}: it is the target in disguise, drop it under columns.drop")


def _settling_values(column: pd.Series, target: pd.Series) -> str | None:
    distinct = column.nunique(dropna=False)
    if not 2 <= distinct <= len(column) / ROWS_PER_VALUE or not _settles(column, target):
        return None
    return f"has {distinct} values, and each goes with one class only"


def _settling_gaps(column: pd.Series, target: pd.Series) -> str | None:
    gaps = column.isna()
    if len(column) < 2 * ROWS_PER_VALUE or gaps.nunique() < 2 or not _settles(gaps, target):
        return None
    return "is missing in some classes always and in the others never"


def _settles(column: pd.Series, target: pd.Series) -> bool:
    values = pd.factorize(column, use_na_sentinel=False)[0]
    classes_per_value = pd.Series(pd.factorize(target)[0]).groupby(values).nunique()
    return bool((classes_per_value == 1).all())


def _rises_with_target(in_target_order: pd.Series) -> bool:
    present = in_target_order.dropna()
    if present.nunique() <= _MANY_VALUES:
        return False
    return present.is_monotonic_increasing or present.is_monotonic_decreasing
