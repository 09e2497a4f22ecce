"""Newer rows than those a model was trained on, with the types of the train rows; their labels may be missing."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from e2i_assets.core.data.column_types import is_number, labels, plain, readable
from e2i_assets.core.data.instants import instants
from e2i_assets.core.data.keys import exact
from e2i_assets.core.data.settled_columns import settled
from e2i_assets.core.data.target_column import target_values
from e2i_assets.core.errors import DataInvalid, Violation
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.date_parts import is_date
from e2i_assets.core.metrics import Array
from e2i_assets.core.suggestions import did_you_mean


@dataclass(frozen=True, slots=True, eq=False)
class RecentRows:
    """Newer rows.

    Attributes:
        features: The features in the types of the model; a cell that should be a number and is not is missing.
        target: The target of each row; missing if it is unknown or a label that the model does not know.
        weights: Shape (n,): sample weights, 0 for a cell that is no weight; None without a weight column.
    """

    features: pd.DataFrame
    target: pd.Series
    weights: Array | None = None


def recent_rows(raw: pd.DataFrame, blank: pd.DataFrame, classes: tuple[str, ...], experiment: Experiment) -> RecentRows:
    """Return newer rows in the types of the train rows.

    Args:
        raw: The rows as they were read.
        blank: A table without rows, with the features in their types.
        classes: The labels that the model knows; empty for a regression.
        experiment: The experiment, which declares the target.

    Raises:
        DataInvalid: A feature is missing.
    """
    table = readable(raw)[0].reset_index(drop=True)
    missing = [
        Violation("watch.recent", name, f"is a feature that these rows lack{did_you_mean(str(name), table.columns)}")
        for name in blank.columns
        if name not in table.columns
    ]
    weight = experiment.columns.weight
    if weight and weight not in table.columns:
        missing.append(Violation("watch.recent", weight, "is columns.weight, and these rows lack it"))
    if missing:
        raise DataInvalid(f"newer rows of experiment {experiment.name}", missing)
    table = settled(table, experiment, experiment.watch.recent or experiment.source).table
    features = {name: _like(table[name], blank[name]) for name in blank.columns}
    if experiment.target.column not in table.columns:
        target = pd.Series([None] * len(table), dtype=object)
    else:
        target = target_values(table, experiment)
    known = target.isin(classes) if classes else pd.to_numeric(target, errors="coerce").notna()
    weights = None
    if weight:
        numbers = pd.to_numeric(plain(table[weight]), errors="coerce").to_numpy(dtype=np.float64)
        weights = np.where(np.isfinite(numbers) & (numbers > 0), numbers, 0.0)
    return RecentRows(pd.DataFrame(features, index=table.index), target.where(known), weights)


def _like(column: pd.Series, blank: pd.Series) -> pd.Series:
    if is_number(blank):
        return pd.to_numeric(plain(column), errors="coerce").astype("float64")
    if is_date(blank):
        dates = instants(column)
        # Dates of newer rows cannot be compared if only some of the train rows, or of these, have an offset.
        alike = (dates.dt.tz is None) == (blank.dt.tz is None)
        return dates.dt.as_unit("us") if alike else pd.Series(pd.NaT, index=column.index, dtype=blank.dtype)
    return labels(exact(column)).astype("category")
