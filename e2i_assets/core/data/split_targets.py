"""Checks that the target of each split can be learnt and evaluated; they run before a study starts."""

from collections.abc import Collection, Iterator

import pandas as pd

from e2i_assets.core.data.splits import Assignment, Role
from e2i_assets.core.errors import Violation

EVALUATED: tuple[Role, ...] = ("train", "validation", "test")
# Metrics that compare rows of each class with the others have no value where a class has no row.
_NEED_EVERY_CLASS = frozenset({"roc_auc"})


def target_violations(
    assignment: Assignment, target: pd.Series, classes: tuple[str, ...], metrics: Collection[str] = ()
) -> Iterator[Violation]:
    """Find splits with one class or one value only, and classes that are missing where they are needed.

    Args:
        assignment: The split of each row.
        target: Shape (rows,): labels, or the values of a regression (``classes`` is then empty).
        classes: The labels.
        metrics: Names of what a study optimises or limits.
    """
    for role in EVALUATED:
        values = target[assignment.roles == role]
        present = values.unique()
        if len(values) and len(present) == 1:
            what = "class" if classes else "value"
            yield Violation(
                role,
                str(present[0]),
                f"is the only {what} in its {len(values)} rows: {_WHY[role]}{_advice(assignment)}",
            )
            continue
        absent = [one for one in classes if one not in set(present)]
        if not len(values) or not absent:
            continue
        if role == "train":
            yield Violation(role, absent, f"have no row here, and no model can learn them{_advice(assignment)}")
        elif role == "validation" and _NEED_EVERY_CLASS & set(metrics):
            needed = ", ".join(sorted(_NEED_EVERY_CLASS & set(metrics)))
            yield Violation(
                role, absent, f"have no row here, and {needed} needs rows of each class{_advice(assignment)}"
            )


_WHY: dict[Role, str] = {
    "train": "there is nothing to learn",
    "validation": "no trial can be compared with another",
    "test": "no model can be evaluated",
}


def _advice(assignment: Assignment) -> str:
    if assignment.strategy in ("time", "group_time"):
        return ". Leave out the rows whose label is not known yet, or split without columns.time"
    if assignment.strategy == "column":
        return ". Correct the column that split.column names"
    return ". Add rows, merge rare classes, or choose another split.seed"
