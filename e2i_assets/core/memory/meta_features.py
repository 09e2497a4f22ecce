"""Meta-features: a few finite numbers that describe a dataset, by which the memory finds similar past problems.

They are computed from the train rows alone. `VERSION` changes whenever the definition of a number changes, because
patterns of different versions are not comparable.

| name | meaning |
|---|---|
| n_samples, n_features | rows and feature columns |
| log_n_samples, log_n_features | their decimal logarithms |
| log_samples_per_feature | decimal logarithm of rows over columns |
| share_categorical | columns that are not numbers, as a share of all columns; true/false and dates count as numbers |
| share_missing | empty cells, as a share of all cells; an infinite number counts as empty |
| mean_cardinality, max_cardinality | distinct values of the categorical columns; 0 without any |
| mean_abs_skew, sd_abs_skew | skewness of each numeric column, without its sign; a constant has 0 |
| mean_abs_kurtosis, sd_abs_kurtosis | excess kurtosis of each numeric column, without its sign; a constant has 0 |
| n_classes | classification: classes among the rows |
| class_balance | classification: share of the rarest class |
| class_entropy | classification: Shannon entropy of the shares divided by its maximum; 1 means balanced |
| target_skew, target_kurtosis | regression: moments of the target, with their sign; 0 for a constant |
| target_spread | regression: sd / (sd + absolute mean), which is cv / (1 + cv) and finite with a mean of 0 |
| landmark_stump, landmark_tree, landmark_neighbour, landmark_linear | scores of small models, see `landmarkers` |
"""

import math

import numpy as np
import pandas as pd

from e2i_assets.core.errors import DataInvalid, Violation
from e2i_assets.core.fitting.date_parts import days, is_date
from e2i_assets.core.memory.landmarkers import landmarkers
from e2i_assets.core.metrics import Array, ProblemType

VERSION = 2


def meta_features(X: pd.DataFrame, y: Array, problem_type: ProblemType) -> dict[str, float]:
    """Return the numbers of the table above; their names depend on the problem type alone.

    Args:
        X: The features, at least one row and one column.
        y: Class codes or finite values, one for each row.
        problem_type: Decides which numbers describe the target.

    Raises:
        DataInvalid: There is no row or no column.
    """
    if X.empty:
        raise DataInvalid("train rows", [Violation("features", X.shape, "must have at least one row and one column")])
    dates = {name: days(X[name]) for name in X.columns if is_date(X[name])}
    X = X.assign(**dates)
    numeric = [name for name in X.columns if pd.api.types.is_numeric_dtype(X[name])]
    numbers = X[numeric].to_numpy(dtype=float, na_value=np.nan)
    numbers = np.where(np.isinf(numbers), np.nan, numbers)
    categorical = X.drop(columns=numeric)
    n_missing = int(np.isnan(numbers).sum()) + int(categorical.isna().to_numpy().sum())
    n_rows, n_columns = X.shape
    return {
        "n_samples": float(n_rows),
        "n_features": float(n_columns),
        "log_n_samples": math.log10(n_rows),
        "log_n_features": math.log10(n_columns),
        "log_samples_per_feature": math.log10(n_rows / n_columns),
        "share_categorical": 1 - len(numeric) / n_columns,
        "share_missing": n_missing / X.size,
        **_cardinality(categorical),
        **_shape(numbers),
        **(_target(np.asarray(y, dtype=float)) if problem_type == "regression" else _classes(np.asarray(y))),
        **landmarkers(X, y, problem_type),
    }


def _cardinality(categorical: pd.DataFrame) -> dict[str, float]:
    distinct = [int(categorical[name].nunique()) for name in categorical.columns] or [0]
    return {"mean_cardinality": float(np.mean(distinct)), "max_cardinality": float(max(distinct))}


def _shape(numbers: Array) -> dict[str, float]:
    skew, kurtosis = (np.abs(moment) for moment in _moments(numbers))
    if not skew.size:
        skew = kurtosis = np.zeros(1)
    return {
        "mean_abs_skew": float(skew.mean()),
        "sd_abs_skew": float(skew.std()),
        "mean_abs_kurtosis": float(kurtosis.mean()),
        "sd_abs_kurtosis": float(kurtosis.std()),
    }


def _classes(codes: Array) -> dict[str, float]:
    shares = np.unique(codes, return_counts=True)[1] / len(codes)
    entropy = -float(np.sum(shares * np.log(shares))) / math.log(len(shares)) if len(shares) > 1 else 0.0
    return {"n_classes": float(len(shares)), "class_balance": float(shares.min()), "class_entropy": entropy}


def _target(values: Array) -> dict[str, float]:
    skew, kurtosis = _moments(values[:, None])
    scaled = values / (np.abs(values).max() or 1.0)
    spread, centre = float(scaled.std()), abs(float(scaled.mean()))
    return {
        "target_skew": float(skew[0]),
        "target_kurtosis": float(kurtosis[0]),
        "target_spread": spread / (spread + centre) if spread + centre else 0.0,
    }


def _moments(columns: Array) -> tuple[Array, Array]:
    """Return skewness and excess kurtosis of each column, over its cells that are not NaN."""
    there = ~np.isnan(columns)
    n = np.maximum(there.sum(axis=0), 1)
    values = np.where(there, columns, 0.0)
    # Scaled first: the fourth power of a large number is infinite, and the moments do not depend on the scale.
    largest = np.abs(values).max(axis=0)
    values = values / np.where(largest > 0, largest, 1.0)
    centred = np.where(there, values - values.sum(axis=0) / n, 0.0)
    variance = (centred**2).sum(axis=0) / n
    varies = variance > 0
    sd = np.sqrt(np.where(varies, variance, 1.0))
    third, fourth = ((centred**power).sum(axis=0) / n / sd**power for power in (3, 4))
    return np.where(varies, third, 0.0), np.where(varies, fourth - 3, 0.0)
