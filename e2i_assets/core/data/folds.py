"""Cross-validation folds of the train and validation rows: stratified, grouped, and deterministic for a seed.

`SearchRows` contains no test and no holdout rows. Folds mix the train and validation rows, so they cannot be used with
a time column; the rules of an experiment refuse that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from e2i_assets.core.data.split_tables import SearchRows, SplitFacts
from e2i_assets.core.data.splits import entity_keys
from e2i_assets.core.errors import DataInvalid, Violation
from e2i_assets.core.fitting.fit_context import Rows, target_codes
from e2i_assets.core.metrics import Array

TARGET_BINS = 10
Part = tuple[Array, Array]
_OTHERWISE = "set hpo.objective: validation"


@dataclass(frozen=True, slots=True)
class Fold:
    """One fold: the model is fitted on ``train`` and scored on ``held_out``.

    Attributes:
        train, held_out: The rows.
        learnt, unseen: Their positions among all rows, in an order that all folds share.
    """

    train: Rows
    held_out: Rows
    learnt: Array
    unseen: Array


def folds(rows: SearchRows, count: int, repeats: int, seed: int, otherwise: str = _OTHERWISE) -> Iterator[Fold]:
    """Split the train and validation rows together, ``repeats`` times into ``count`` folds each.

    Folds are stratified by class, or for a regression by `TARGET_BINS` ranges of the target with equal numbers of rows.
    Rows of one entity stay in one fold (scikit-learn's StratifiedGroupKFold, else StratifiedKFold). The rows are first
    sorted by the hash of their content, so the folds do not depend on the order of the rows in the files.

    Args:
        rows: The rows.
        count: The number of folds of a repetition.
        repeats: The number of repetitions.
        seed: Seed of the folds.
        otherwise: What a user may set instead of fewer folds, for the message of an error.

    Raises:
        DataInvalid: A class or the groups have too few members for this number of folds.
    """
    table = _joined(rows)
    strata = _strata(table.target, rows.facts, count)
    subject = f"folds of experiment {rows.facts.experiment}"
    if broken := _too_few(strata, table.groups, count, rows.facts.classes, otherwise):
        raise DataInvalid(subject, broken)
    parts = _parts(strata, table.groups, count, repeats, seed)
    if broken := _uneven(strata, parts, count, rows.facts.classes, table.weights, otherwise):
        raise DataInvalid(subject, broken)
    for train, held_out in parts:
        yield Fold(table.rows(train), table.rows(held_out), train, held_out)


def are_possible(rows: SearchRows, count: int, repeats: int, seed: int) -> bool:
    """Return whether `folds` divides the rows without an error."""
    try:
        next(folds(rows, count, repeats, seed))
    except DataInvalid:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Table:
    """All rows of a search, sorted by content; ``groups`` has shape (rows,), None if no two rows share one."""

    features: pd.DataFrame
    target: pd.Series
    groups: Array | None
    weights: Array | None

    def rows(self, positions: Array) -> Rows:
        entities = None if self.groups is None else self.groups[positions]
        weights = None if self.weights is None else self.weights[positions]
        return Rows(self.features.iloc[positions], self.target.iloc[positions], entities, weights)


def _joined(rows: SearchRows) -> _Table:
    first, second = rows.train.features, rows.validation.features
    features = pd.concat([first, second], ignore_index=True)
    # Two category columns with different categories are concatenated to plain objects.
    categories = [name for name, dtype in first.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)]
    features = features.astype(dict.fromkeys(categories, "category"))
    target = pd.concat([rows.train.target, rows.validation.target], ignore_index=True)
    keys = None if rows.groups is None else entity_keys(rows.groups, None, list(rows.groups.columns))
    if keys is not None and not keys.duplicated().any():
        keys = None
    content = [pd.util.hash_pandas_object(features, index=False), pd.util.hash_pandas_object(target, index=False)]
    if keys is not None:
        content.append(pd.util.hash_pandas_object(keys, index=False))
    weights = None
    if rows.train.weights is not None and rows.validation.weights is not None:
        weights = np.concatenate([rows.train.weights, rows.validation.weights])
        content.append(pd.Series(weights))
    order = np.lexsort([column.to_numpy() for column in content])
    groups = None if keys is None else pd.factorize(keys, sort=True)[0][order]
    return _Table(features.iloc[order], target.iloc[order], groups, None if weights is None else weights[order])


def _strata(target: pd.Series, facts: SplitFacts, count: int) -> Array:
    """Return the class code of each row, or the number of the range that contains its value: shape (rows,)."""
    if facts.classes:
        return target_codes(target, facts.classes)
    bins = min(TARGET_BINS, max(len(target) // count, 1))
    ranks = target.rank(method="first").to_numpy() - 1
    strata: Array = (ranks * bins // len(target)).astype(np.int64)
    return strata


def _parts(strata: Array, groups: Array | None, count: int, repeats: int, seed: int) -> list[Part]:
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    found: list[Part] = []
    for repeat in range(repeats):
        draw = int(np.random.SeedSequence([seed, repeat]).generate_state(1)[0])
        found += kind(n_splits=count, shuffle=True, random_state=draw).split(strata, strata, groups)
    return found


def _too_few(
    strata: Array, groups: Array | None, count: int, classes: Sequence[object], otherwise: str
) -> list[Violation]:
    """Find classes with fewer rows, or groups if there are groups, than folds; also for all classes together."""
    what = "rows" if groups is None else "groups"
    members = np.arange(len(strata)) if groups is None else groups
    counts = {"train and validation have": len(np.unique(members))}
    counts |= {f"class {label!r} has": len(np.unique(members[strata == code])) for code, label in enumerate(classes)}
    found = []
    for subject, number in counts.items():
        if number < count:
            fewer = f"set hpo.folds: {number} or fewer, or " if number > 1 else ""
            rule = f"is too many: {subject} only {number} {what}; {fewer}{otherwise}"
            found.append(Violation("hpo.folds", count, rule))
    return found


def _uneven(
    strata: Array,
    parts: Sequence[Part],
    count: int,
    classes: Sequence[object],
    weights: Array | None,
    otherwise: str,
) -> list[Violation]:
    """Find classes that are missing in a fold, and repetitions that are equal because there are too few groups."""
    found = []
    present = np.ones(len(strata), dtype=bool) if weights is None else weights > 0
    if any(not present[rows].any() for part in parts for rows in part):
        rule = f"is too many: all rows of a fold have the weight 0; set fewer folds, or {otherwise}"
        found.append(Violation("hpo.folds", count, rule))
    for code, label in enumerate(classes):
        if any(not (strata[rows[present[rows]]] == code).any() for part in parts for rows in part):
            rule = f"is too many: a fold has no row of class {label!r}, whose groups are too large or too few"
            found.append(Violation("hpo.folds", count, f"{rule}; set fewer folds, or {otherwise}"))
    held_out = [held_out.tobytes() for _, held_out in parts]
    repetitions = [frozenset(held_out[start : start + count]) for start in range(0, len(parts), count)]
    different = len(set(repetitions))
    if different < len(repetitions):
        rule = f"is too many: the groups allow {different} different repetitions; set {different}, or change hpo.folds"
        found.append(Violation("hpo.repeats", len(repetitions), rule))
    return found
