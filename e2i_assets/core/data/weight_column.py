"""The column with the sample weights: finite numbers, 0 or more."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from e2i_assets.core.data.column_types import is_number, plain
from e2i_assets.core.data.row_places import RowPlaces, places_of
from e2i_assets.core.data.splits import LEFT_OUT, ROLES, Assignment
from e2i_assets.core.errors import Violation


def weights_of(table: pd.DataFrame, name: str, counted: pd.Series) -> tuple[pd.Series, list[Violation]]:
    """Return the weights of all rows, and the violations of the rows that count.

    Args:
        table: The rows, in the order of the source.
        name: The weight column.
        counted: Shape (rows,): whether a row is used; the others may have any weight.
    """
    weights = plain(table[name])
    if not is_number(weights):
        example = next(iter(weights.dropna()), "nothing")
        return weights, [Violation("columns.weight", name, f"contains {str(example)[:40]!r}, but weights are numbers")]
    weights = weights.astype("float64")
    return weights, list(_violations(name, weights[counted], places_of(table)))


def effective_rows(weights: pd.Series) -> str:
    """Return how many equally weighted rows carry as much information (Kish, 1965), as a sentence."""
    values = weights.to_numpy()
    effective = values.sum() ** 2 / (values**2).sum()
    return (
        f"the rows are weighted by {weights.name}: {len(values):,} rows carry as much information as {effective:,.0f} "
        "equally weighted ones"
    )


def without_weightless(assignment: Assignment, weights: pd.Series) -> tuple[pd.Series, list[Violation]]:
    """Return the split of each row with a weight above 0, `LEFT_OUT` for the others, and the splits without any."""
    roles = assignment.roles.where(weights > 0, LEFT_OUT)
    found = []
    for role in ROLES:
        rows = int((assignment.roles == role).sum())
        if rows and not (roles == role).any():
            rule = f"is 0 in all {rows} rows of {role}: give some of them a weight, or choose another split.seed"
            found.append(Violation("columns.weight", weights.name, rule))
    return roles, found


def _violations(name: str, weights: pd.Series, places: RowPlaces) -> Iterator[Violation]:
    wrong = {
        "missing": weights.isna(),
        "negative": weights < 0,
        "infinite": weights.isin([np.inf]),
    }
    for what, rows in wrong.items():
        if count := int(rows.sum()):
            where = places.shown(weights.index[rows])
            rule = f"is {what} in {count:,} rows ({where}): correct them in the source; a weight of 0 leaves a row out"
            yield Violation("columns.weight", name, rule)
    if not any(rows.any() for rows in wrong.values()) and not weights.any():
        yield Violation("columns.weight", name, "is 0 in all rows")
