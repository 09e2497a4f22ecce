"""Encoding of categories with many values: each value becomes the mean target of its train rows.

A column for each value would make a matrix of thousands of columns. Boosters, which can split on the values themselves,
are better with the mean as well (`benchmarks/results/many_categories.md`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from e2i_assets.core.algorithms.target_unit import target_unit
from e2i_assets.core.fitting.rows import RowSource
from e2i_assets.core.metrics import Array

# A column with more values than this has many.
FEW_VALUES = 50
# Values with fewer train rows share one code with the values that the train rows do not have.
FEWEST_ROWS = 3
# The mean target of all rows counts as much as this number of rows in the mean of a value.
PRIOR_ROWS = 5.0
FOLDS = 5
_SEED = 42


@dataclass(frozen=True, slots=True)
class CrossFitted:
    """The encodings of the train rows, each without the targets of its own fold.

    Attributes:
        columns: The encoded columns.
        values: Shape (train rows, k).
        place: Their columns in the prepared matrix.
    """

    columns: tuple[str, ...]
    values: Array
    place: slice


def many_valued(rows: RowSource, categorical: list[str]) -> list[str]:
    """Return the categorical columns that have many values in these rows."""
    return [name for name in categorical if rows.columns([name])[name].nunique() > FEW_VALUES]


def encoded(columns: pd.DataFrame, target: Array, entities: Array | None, scaled: bool) -> tuple[Any, Array]:
    """Return a fitted encoder of categories with many values, and the encodings of the train rows.

    The encodings are cross-fitted: the mean of a train row's value is that of the other folds. Otherwise the encoding
    of a value with few rows would reveal their target, and a model would rely on it. For the same reason all rows of an
    entity are in one fold. The mean is smoothed towards that of all rows (Micci-Barreca, 2001).

    Args:
        columns: The train rows of these columns.
        target: Their target from `encoded_target`; more than two classes make a column for each.
        entities: Their entities, see `RowSource`.
        scaled: Whether to standardise the result.

    Returns:
        A pipeline, and shape (rows, k).
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler, TargetEncoder

    kind = "continuous" if target.dtype.kind == "f" else "multiclass" if len(np.unique(target)) > 2 else "binary"
    means = TargetEncoder(target_type=kind, smooth=PRIOR_ROWS, cv=_folds(len(columns), entities))
    encoder = make_pipeline(_codes(columns), means, *([StandardScaler()] if scaled else []))
    values = encoder.fit_transform(columns, target)
    means.set_params(cv=FOLDS)  # the fold of each train row is not part of a stored model
    return encoder, values


def _folds(rows: int, entities: Array | None) -> Any:
    from sklearn.model_selection import PredefinedSplit

    codes = np.arange(rows) if entities is None else pd.factorize(entities)[0]
    if codes.max() + 1 < FOLDS:
        codes = np.arange(rows)
    of_entity = np.random.default_rng(_SEED).permutation(codes.max() + 1) % FOLDS
    return PredefinedSplit(of_entity[codes])


def encoded_target(codes: Array, classes: tuple[Any, ...]) -> Array:
    """Return the target for the encoder: labels, which name its columns, or values in a unit that suits every scale."""
    if classes:
        return np.asarray(classes, dtype=object)[codes]
    return target_unit(codes).learnt(codes)


def _codes(columns: pd.DataFrame) -> Any:
    """Return an encoder that gives all rare and unknown values of a column one code."""
    from sklearn.preprocessing import OrdinalEncoder

    frequent = []
    for name in columns:
        counts = columns[name].value_counts()
        # With a missing value in each list, a missing cell is never an unknown value.
        frequent.append(np.array([*sorted(counts.index[counts >= FEWEST_ROWS]), np.nan], dtype=object))
    return OrdinalEncoder(
        categories=frequent,
        handle_unknown="use_encoded_value",
        unknown_value=max(map(len, frequent)),
        encoded_missing_value=np.nan,
    )
