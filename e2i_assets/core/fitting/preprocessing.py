"""Preprocessing of a table into the feature matrix of an algorithm, fitted on the train rows alone.

It has no tuned parameter, so a study prepares its rows once, and the final model contains the same fitted steps.
"""

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from e2i_assets.core.algorithms.algorithm import Preparation
from e2i_assets.core.fitting.fitted_model import Precision
from e2i_assets.core.fitting.rows import RowSource
from e2i_assets.core.fitting.tree_precision import fine_columns

RARE_CATEGORY_SHARE = 0.005
MOST_PLACES = 10_000


def column_kinds(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the numeric and the categorical columns, each in the order of the table."""
    numeric = [name for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])]
    return numeric, [name for name in frame.columns if name not in set(numeric)]


def preprocessing(frame: pd.DataFrame, preparation: Preparation, fine: Collection[str] = ()) -> Any:
    """Return an unfitted ColumnTransformer for the columns of ``frame``.

    ``ordinal``: categories become codes and missing values stay, for boosters that split on both. ``one_hot``: medians
    replace missing numbers, with an indicator column, and each category becomes a column. ``scaled``: the same,
    standardised. Numbers that trees cannot distinguish are replaced by their quantiles in the train rows.

    Args:
        frame: A table with these columns; of its rows only the number is used, as a limit of the quantiles.
        preparation: The preparation of the algorithm.
        fine: The columns that `tree_precision.fine_columns` found.
    """
    from sklearn.compose import ColumnTransformer

    numeric, categorical = column_kinds(frame)
    coarse = [name for name in numeric if name not in set(fine)]
    parts = [("numeric", _numeric(preparation), coarse)]
    if fine:
        parts.append(("fine", _placed(preparation, len(frame)), [name for name in numeric if name in set(fine)]))
    return ColumnTransformer(
        [*parts, ("categorical", _categorical(preparation), categorical)], verbose_feature_names_out=False
    )


def category_positions(preparation: Preparation, frame: pd.DataFrame) -> tuple[int, ...]:
    """Return the positions of category codes in the prepared matrix, for an algorithm that splits on categories."""
    if preparation != "ordinal":
        return ()
    numeric, categorical = column_kinds(frame)
    return tuple(range(len(numeric), len(numeric) + len(categorical)))


def precision(preparation: Preparation) -> Precision:
    """Return the precision of the matrix: single for trees, which read it, double for the solvers of linear models."""
    return "float64" if preparation == "scaled" else "float32"


def fitted(preparation: Preparation, rows: RowSource) -> Any:
    """Return the ColumnTransformer fitted on rows; when only categories must be fitted, no numeric column is read."""
    fine = () if preparation == "scaled" else fine_columns(rows.pieces)
    if preparation != "ordinal" or fine:
        features = rows.features
        return preprocessing(features, preparation, fine).fit(features)
    blank = rows.blank()
    _, categorical = column_kinds(blank)
    shown = pd.concat([_first_of_each_value(piece) for piece in rows.pieces(categorical)], ignore_index=True)
    return preprocessing(blank, preparation).fit(shown.reindex(columns=blank.columns))


def _first_of_each_value(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the first occurrence of any value of a column, at least one row."""
    first = np.arange(len(frame)) == 0
    for name in frame:
        first |= ~frame[name].duplicated().to_numpy()
    shown: pd.DataFrame = frame[first]
    return shown


def _numeric(preparation: Preparation) -> Any:
    if preparation == "ordinal":
        return "passthrough"
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # A column that is empty in the train rows is kept and filled with zeros, so that all fits have the same width.
    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    return make_pipeline(imputer, StandardScaler()) if preparation == "scaled" else imputer


def _placed(preparation: Preparation, rows: int) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import QuantileTransformer

    places = QuantileTransformer(n_quantiles=min(rows, MOST_PLACES), subsample=None)
    return places if preparation == "ordinal" else make_pipeline(places, _numeric(preparation))


def _categorical(preparation: Preparation) -> Any:
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    if preparation == "ordinal":
        return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=RARE_CATEGORY_SHARE, sparse_output=False, dtype=np.float64
    )
