"""From a table to the matrix that an algorithm learns from, fitted on the train rows alone.

It holds no tuned parameter, so a study prepares its rows once, and the final model carries the same fitted steps.
"""

from typing import Any

import numpy as np
import pandas as pd

from e2i_assets.core.algorithms.algorithm import Matrix, Preparation

RARE_CATEGORY_SHARE = 0.005


def column_kinds(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the numeric and the categorical columns, each in the order of the table."""
    numeric = [name for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])]
    return numeric, [name for name in frame.columns if name not in set(numeric)]


def preprocessing(frame: pd.DataFrame, preparation: Preparation) -> Any:
    """Return an unfitted ColumnTransformer for the columns of ``frame``.

    ``ordinal``: categories become codes and missing values stay, for boosters that split on both. ``one_hot``: medians
    for missing numbers, an indicator for what was missing, a column a category. ``scaled``: the same, standardised.
    """
    from sklearn.compose import ColumnTransformer

    numeric, categorical = column_kinds(frame)
    return ColumnTransformer(
        [("numeric", _numeric(preparation), numeric), ("categorical", _categorical(preparation), categorical)],
        verbose_feature_names_out=False,
    )


def transformed(preparation: Any, frame: pd.DataFrame) -> Matrix:
    """Apply fitted preprocessing: shape (rows, prepared features), float64."""
    return np.ascontiguousarray(preparation.transform(frame), dtype=np.float64)


def _numeric(preparation: Preparation) -> Any:
    if preparation == "ordinal":
        return "passthrough"
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # A column that is empty in the train rows stays, filled with zeros, so that the widths of two fits agree.
    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    return make_pipeline(imputer, StandardScaler()) if preparation == "scaled" else imputer


def _categorical(preparation: Preparation) -> Any:
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    if preparation == "ordinal":
        return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=RARE_CATEGORY_SHARE, sparse_output=False, dtype=np.float64
    )
