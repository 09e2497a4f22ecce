"""The target of a dataset: its column, or classes cut from it, and its checks against the problem type."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from e2i_assets.core.data.column_types import in_order, is_number, label, labels, plain
from e2i_assets.core.data.keys import exact
from e2i_assets.core.data.missing_words import WORDS
from e2i_assets.core.data.row_places import RowPlaces, places_of
from e2i_assets.core.data.spellings import class_violations
from e2i_assets.core.errors import Violation
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.losses import domain, refuses_zero
from e2i_assets.core.suggestions import not_one_of

# Above this share, the rows that have a target are a biased sample of all rows.
MAX_SHARE_WITHOUT_TARGET = 0.20
MAX_CLASSES = 100
MOST_UNKNOWN = 5


def target_values(table: pd.DataFrame, experiment: Experiment) -> pd.Series:
    """Return the target of every row: labels as text for classes, plain values for a regression."""
    target = experiment.target
    if target.bins is None and experiment.problem_type != "regression":
        return labels(exact(table[target.column]))
    values = plain(table[target.column])
    if target.bins is None or target.labels is None:
        return values
    if not is_number(values):
        return values
    edges = [-np.inf, *target.bins, np.inf]
    return pd.cut(values, edges, labels=list(target.labels)).astype(object)


def classes_of(values: pd.Series, experiment: Experiment) -> tuple[str, ...]:
    """Return the labels in the order of their codes, a binary target's positive label last; () for a regression."""
    if experiment.problem_type == "regression":
        return ()
    ordered = experiment.target.labels or _declared_order(experiment) or in_order(values)
    if experiment.positive_label is None or experiment.problem_type != "binary_classification":
        return ordered
    positive = label(experiment.positive_label)
    return (*(one for one in ordered if one != positive), positive)


def violations(table: pd.DataFrame, values: pd.Series, experiment: Experiment) -> Iterator[Violation]:
    """Check the target values of all rows, including the rows without a target."""
    name = experiment.target_name
    if experiment.target.bins and not is_number(plain(table[experiment.target.column])):
        rule = f"contains text ({_example(values)}), but only numbers can be cut into bins"
        yield Violation("target.column", experiment.target.column, rule)
        return
    missing = int(values.isna().sum())
    if missing > MAX_SHARE_WITHOUT_TARGET * len(values):
        rule = f"is missing in {missing} of {len(values)} rows: at most {MAX_SHARE_WITHOUT_TARGET:.0%} may be missing"
        yield Violation("target", name, rule)
    present = values.dropna()
    if present.nunique() == 1:
        yield Violation("target", name, f"has only one value ({label(present.iloc[0])}): there is nothing to predict")
    elif len(present) and experiment.problem_type == "regression":
        yield from _number_violations(name, present, experiment)
    elif len(present) and experiment.target.order is not None:
        yield from _order_violations(present, experiment, places_of(table))
    elif len(present):
        yield from class_violations(name, present)
        yield from _class_violations(name, present, experiment)


def without_target(missing: int, present: int, target: str) -> tuple[str, ...]:
    """Return a note on the rows that are left out because they have no target; empty if all rows have one."""
    return (f"{missing:,} of {missing + present:,} rows have no {target} and are left out",) if missing else ()


def _number_violations(name: str, present: pd.Series, experiment: Experiment) -> Iterator[Violation]:
    if not is_number(present):
        yield Violation("target", name, f"contains {_example(present)}, but a regression needs numbers")
    elif infinite := int(np.isinf(present.to_numpy(dtype=np.float64)).sum()):
        yield Violation("target", name, f"is infinite in {infinite} rows: correct them in the source")
    elif limited := domain(experiment.used_loss, experiment.loss_metrics):
        strictest, lowest = limited[0], present.min()
        refused = present <= 0 if refuses_zero(strictest) else present < 0
        if count := int(refused.sum()):
            at, needs = ("0 or less", "above 0") if refuses_zero(strictest) else ("below 0", "of at least 0")
            rule = f"is {at} in {count:,} of {len(present):,} rows (the lowest is {lowest:g}), but {strictest} needs "
            yield Violation("target", name, f"{rule}values {needs}: choose another loss, or leave these rows out")


def _declared_order(experiment: Experiment) -> tuple[str, ...]:
    return tuple(label(one) for one in experiment.target.order or ())


def _order_violations(present: pd.Series, experiment: Experiment, places: RowPlaces) -> Iterator[Violation]:
    order = _declared_order(experiment)
    unknown = present[~present.isin(order)]
    for found, count in unknown.value_counts().head(MOST_UNKNOWN).items():
        where = places.shown(unknown.index[unknown == found])
        rule = f"is not in the list, and {count:,} rows have it ({where}): add it in its place"
        yield Violation("target.order", found, f"{rule}, or list it under columns.missing if it means a missing value")
    for one in order:
        if one not in set(present):
            yield Violation("target.order", one, "has no row: remove it, or correct it")


def _class_violations(name: str, present: pd.Series, experiment: Experiment) -> Iterator[Violation]:
    found = in_order(present)
    for one in experiment.target.labels or ():
        if one not in found:
            yield Violation("target.labels", one, "has no row: change target.bins")
    some = ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
    if experiment.problem_type == "binary_classification" and len(found) > 2:
        rule = f"has {len(found)} values ({some}), but binary_classification needs two: cut it with bins and labels"
        if words := [one for one in found if one in WORDS]:
            rule += f", or, if {words[0]!r} means a missing value, write columns: {{missing: {{{name}: {words}}}}}"
        yield Violation("target", name, rule)
    elif experiment.problem_type == "multiclass_classification" and not (
        3 <= len(found) <= MAX_CLASSES or experiment.target.labels
    ):
        rule = f"has {len(found)} values ({some}), but multiclass_classification needs 3 to {MAX_CLASSES}"
        yield Violation("target", name, rule)
    if experiment.positive_label is not None and label(experiment.positive_label) not in found:
        yield Violation(
            "positive_label", experiment.positive_label, not_one_of(label(experiment.positive_label), found)
        )


def _example(values: pd.Series) -> str:
    present = values.dropna()
    return f"{str(present.iloc[0])[:40]!r}" if len(present) else "nothing"
