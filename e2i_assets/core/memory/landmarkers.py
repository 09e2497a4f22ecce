"""Landmarkers: the scores of a few small models on a sample of the train rows, as a description of the problem.

Landmarking after Pfahringer, Bensusan and Giraud-Carrier, "Meta-learning by landmarking various learning algorithms"
(ICML 2000): the differences between simple learners say more about a problem than the shape of its columns.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from e2i_assets.core.fitting.date_parts import days, is_date
from e2i_assets.core.metrics import Array, ProblemType
from e2i_assets.core.quick_scores import rank_statistic

NAMES = ("landmark_stump", "landmark_tree", "landmark_neighbour", "landmark_linear")
SAMPLE_ROWS = 2_000
SAMPLE_COLUMNS = 60
_CATEGORIES = 10
_LEAST_ROWS = 20


def landmarkers(X: pd.DataFrame, y: Array, problem_type: ProblemType) -> dict[str, float]:
    """Return the score of each small model, fitted on one half of a sample and evaluated on the other.

    Args:
        X: The features of the train rows.
        y: Class codes or finite values, one for each row.
        problem_type: Decides the models and the score.

    Returns:
        A value in [-1, 1] for each of `NAMES`, 0 for a sample that is too small or constant. Classification: twice the
        mean one-versus-rest ROC AUC, minus one. Regression: the correlation of prediction and target.
    """
    sample = np.random.default_rng(0)
    rows = sample.permutation(len(X))[:SAMPLE_ROWS]
    columns = np.sort(sample.permutation(X.shape[1])[:SAMPLE_COLUMNS])
    if len(rows) < _LEAST_ROWS:
        return dict.fromkeys(NAMES, 0.0)
    matrix = _matrix(X.iloc[np.sort(rows), columns])
    target = np.asarray(y)[np.sort(rows)]
    learnt = np.arange(len(rows)) % 2 == 0
    if len(np.unique(target[learnt])) < 2 or matrix.shape[1] == 0:
        return dict.fromkeys(NAMES, 0.0)
    judge = _correlation if problem_type == "regression" else _gini
    found = {}
    for name, model in zip(NAMES, _models(problem_type), strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a model that does not converge simply gets a lower score
            model.fit(matrix[learnt], target[learnt])
            found[name] = judge(model, matrix[~learnt], target[~learnt])
    return found


def _models(problem_type: ProblemType) -> tuple[Any, ...]:
    """Return unfitted models in the order of `NAMES`."""
    if problem_type == "regression":
        from sklearn.linear_model import Ridge
        from sklearn.neighbors import KNeighborsRegressor
        from sklearn.tree import DecisionTreeRegressor

        tree: Callable[..., Any] = DecisionTreeRegressor
        return tree(max_depth=1), tree(min_samples_leaf=5, random_state=0), KNeighborsRegressor(5), Ridge()
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier
    return (
        tree(max_depth=1),
        tree(min_samples_leaf=5, random_state=0),
        KNeighborsClassifier(5),
        LogisticRegression(max_iter=50),
    )


def _matrix(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Return the ranks of numeric columns, which do not depend on a scale, and a column for each frequent category."""
    parts: list[Any] = []
    for name in frame.columns:
        column = pd.Series(days(frame[name])) if is_date(frame[name]) else frame[name]
        if pd.api.types.is_numeric_dtype(column):
            numbers = column.to_numpy(dtype=float, na_value=np.nan)
            numbers = np.where(np.isinf(numbers), np.nan, numbers)
            parts.append(pd.Series(numbers).rank(pct=True).fillna(0.5).to_numpy())
        else:
            text = column.astype(str)
            parts += [(text == value).to_numpy(dtype=float) for value in text.value_counts().index[:_CATEGORIES]]
    return np.column_stack(parts) if parts else np.empty((len(frame), 0))


def _gini(model: Any, x: Array, y: Array) -> float:
    scores = model.predict_proba(x)
    areas = [rank_statistic(y == code, scores[:, i]) for i, code in enumerate(model.classes_)]
    finite = [area for area in areas if np.isfinite(area)]
    return 2 * float(np.mean(finite)) - 1 if finite else 0.0


def _correlation(model: Any, x: Array, y: Array) -> float:
    predicted = model.predict(x)
    if np.ptp(predicted) == 0 or np.ptp(y) == 0:
        return 0.0
    return float(np.corrcoef(predicted / np.abs(predicted).max(), y / np.abs(y).max())[0, 1])
