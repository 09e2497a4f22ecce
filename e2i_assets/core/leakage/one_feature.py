"""Features that reveal the target: a small tree on one feature, fitted on train, is almost perfect on validation.

It detects what comparing values does not: a copy with noise, a threshold of the column that the target is cut from, or
a number that is known only after the outcome.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from e2i_assets.core.data.column_types import is_number
from e2i_assets.core.errors import Violation
from e2i_assets.core.experiments.sections import Leakage
from e2i_assets.core.fitting.date_parts import days, is_date
from e2i_assets.core.fitting.tree_precision import EXACT, is_fine
from e2i_assets.core.metrics import Array

# More rows than this only make the check slower: legitimate features are far below the limit of 0.99.
MOST_ROWS = 10_000
# With fewer rows of a class, or of a regression, a feature can reach the limit by chance.
FEWEST_ROWS = 10
_DEPTH = 6
_LEAF = 5


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one split.

    Attributes:
        features: Shape (rows, features).
        target: Shape (rows,): labels, or numbers.
    """

    features: pd.DataFrame
    target: pd.Series

    def at_most(self, rows: int) -> "Part":
        """Return all rows, or a fixed random sample of ``rows`` rows."""
        if len(self.target) <= rows:
            return self
        chosen = np.sort(np.random.default_rng(0).choice(len(self.target), rows, replace=False))
        return Part(self.features.iloc[chosen], self.target.iloc[chosen])


def scores(train: Part, validation: Part, classes: tuple[str, ...]) -> dict[str, float]:
    """Return the validation score of each feature alone: macro ROC AUC, or R².

    For a regression, it is the larger of the R² of the target and the R² of its ranks, which is robust to outliers.
    Empty if there are too few rows.
    """
    train, validation = train.at_most(MOST_ROWS), validation.at_most(MOST_ROWS)
    known: Array
    wanted: Array
    if classes:
        order = {label: code for code, label in enumerate(classes)}
        codes, wanted = (part.target.map(order).to_numpy(dtype=np.int64) for part in (train, validation))
        if min(np.bincount(of, minlength=len(classes)).min() for of in (codes, wanted)) < FEWEST_ROWS:
            return {}
        indicators: Array = np.eye(len(classes))[codes]
        known = indicators[:, 1:] if len(classes) == 2 else indicators
    else:
        wanted = validation.target.to_numpy(dtype=np.float64)
        if min(len(wanted), len(train.target)) < 2 * FEWEST_ROWS:
            return {}
        known = train.target.to_numpy(dtype=np.float64)
        known, wanted = (_with_ranks(values, known) for values in (known, wanted))
    found = {}
    for name in train.features.columns:
        inputs = _as_numbers(train.features[name], validation.features[name], known)
        found[name] = _score(*inputs, known, wanted, bool(classes))
    return found


def violations(found: Mapping[str, float], leakage: Leakage, classification: bool) -> list[Violation]:
    """Return a violation for each feature whose score reaches the limit, except for accepted features."""
    limit, what = (leakage.maximum_auc, "ROC AUC") if classification else (leakage.maximum_r2, "R²")
    return [
        Violation(
            "columns",
            name,
            f"reveals the target: alone it reaches {what} {score:.4f} on the validation rows (limit {limit:g}). "
            "Drop it under columns.drop, or give under leakage.accepted the reason why it is known in time",
        )
        for name, score in found.items()
        if score >= limit and name not in leakage.accepted
    ]


def _as_numbers(first: pd.Series, second: pd.Series, known: Array) -> tuple[Array, Array]:
    """Return two columns as numbers; categories in the order of their mean target on the train rows.

    Numbers that trees would merge, such as codes of more than seven digits, become their places among the train values.
    """
    if is_date(first):
        first, second = pd.Series(days(first)), pd.Series(days(second))
    if is_number(first):
        train, validation = (column.to_numpy(np.float64, na_value=np.nan) for column in (first, second))
        largest = max(float(np.abs(part[~np.isnan(part)]).max(initial=0.0)) for part in (train, validation))
        if largest <= EXACT and not is_fine(train, pd.api.types.is_integer_dtype(first)):
            return train, validation
        values = np.sort(first.dropna().unique())
        return _places(values, first), _places(values, second)
    means = pd.Series(known[:, -1]).groupby(first.astype(object).to_numpy()).mean()
    ranks = means.rank(method="first")
    train, validation = (column.astype(object).map(ranks).to_numpy(dtype=np.float64) for column in (first, second))
    return train, validation


def _places(values: Array, column: pd.Series) -> Array:
    numbers = column.to_numpy()
    places = (np.searchsorted(values, numbers, "left") + np.searchsorted(values, numbers, "right")) / 2
    return np.where(pd.isna(numbers), np.nan, places)


def _score(train: Array, validation: Array, known: Array, wanted: Array, classes: bool) -> float:
    from sklearn.tree import DecisionTreeRegressor

    tree = DecisionTreeRegressor(max_depth=_DEPTH, min_samples_leaf=_LEAF, random_state=0)
    predicted = tree.fit(train[:, None], known).predict(validation[:, None]).reshape(len(validation), -1)
    if not classes:
        squares = ((wanted - wanted.mean(axis=0)) ** 2).sum(axis=0)
        return float((1 - ((wanted - predicted) ** 2).sum(axis=0) / np.where(squares > 0, squares, np.inf)).max())
    first = 1 if predicted.shape[1] == 1 else 0
    return float(np.mean([_auc(wanted == first + code, column) for code, column in enumerate(predicted.T)]))


def _auc(positive: Array, score: Array) -> float:
    """Return the ROC AUC; a small tree has few distinct scores, so counting them is faster than sorting rows."""
    places = np.unique(score, return_inverse=True)[1]
    hits, misses = np.bincount(places, positive), np.bincount(places, ~positive)
    return float((hits * (np.cumsum(misses) - misses / 2)).sum() / (hits.sum() * misses.sum()))


def _with_ranks(values: Array, known: Array) -> Array:
    """Return shape (rows, 2): the standardised values, and their ranks among the train values from 0 to 1."""
    ordered = np.sort(known)
    ranks = (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / (2 * len(ordered))
    spread = float(known.std()) or 1.0
    return np.column_stack([(values - known.mean()) / spread, ranks])
