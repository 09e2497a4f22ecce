"""The leakage checks that run before a search: one finding for each kind of leakage."""

from collections.abc import Mapping

import pandas as pd

from e2i_assets.core.data import target_leaks
from e2i_assets.core.data.dataset import Dataset
from e2i_assets.core.data.split_rules import out_of_order, torn
from e2i_assets.core.data.splits import Assignment, Role
from e2i_assets.core.errors import Violation
from e2i_assets.core.experiments.sections import Leakage
from e2i_assets.core.leakage import copied_rows, one_feature, shifted_target
from e2i_assets.core.leakage.finding import Finding, columns_found

CHECK_TYPES = (
    "entity_in_two_roles", "time_backwards", "target_among_features", "shifted_target", "one_feature_model",
    "copied_rows",
)  # fmt: skip
EVALUATED: tuple[Role, ...] = ("train", "validation", "test")


def findings(data: Dataset, assignment: Assignment, leakage: Leakage) -> list[Finding]:
    """Return a finding for each kind of leakage; of the holdout rows, only entities and times are used."""
    features = list(data.features)
    rows = {role: data.frame.loc[assignment.roles == role, [*features, data.target]] for role in EVALUATED}
    columns = {name: data.frame[name] for name in features}
    leaks = list(target_leaks.violations(columns, data.frame[data.target], data.classes))
    train, validation = (one_feature.Part(rows[role][features], rows[role][data.target]) for role in EVALUATED[:2])
    times = data.frame[data.time] if data.time else None
    return [
        _of_rows("entity_in_two_roles", torn(assignment), f"{assignment.entities.nunique()} entities"),
        _of_rows("time_backwards", out_of_order(assignment, times), _order_looked_at(data.time)),
        columns_found("target_among_features", leaks, f"{len(features)} features against the target"),
        shifted(data, leakage),
        one_feature_model(train, validation, data.classes, leakage),
        copied(rows, leakage),
    ]


def shifted(data: Dataset, leakage: Leakage) -> Finding:
    """Check whether a feature contains the target of an earlier or later row."""
    found = list(shifted_target.violations(data, leakage.accepted))
    steps = ", ".join(map(str, shifted_target.SHIFTS))
    return columns_found("shifted_target", found, f"{len(data.features)} features against the target {steps} rows away")


def one_feature_model(
    train: one_feature.Part, validation: one_feature.Part, classes: tuple[str, ...], leakage: Leakage
) -> Finding:
    """Check whether a single feature predicts the target almost perfectly."""
    scores = one_feature.scores(train, validation, classes)
    if not scores:
        return Finding("one_feature_model", looked_at="too few rows to evaluate a single feature")
    best = max(scores, key=lambda name: scores[name])
    what = "ROC AUC" if classes else "R²"
    looked_at = f"the best of {len(scores)} features alone is {best} with {what} {scores[best]:.4f}"
    return columns_found("one_feature_model", one_feature.violations(scores, leakage, bool(classes)), looked_at)


def copied(rows: Mapping[Role, pd.DataFrame], leakage: Leakage) -> Finding:
    """Check whether train, validation and test have equal rows."""
    return copied_rows.finding(copied_rows.pairs(rows), leakage.accepted_copies)


def _of_rows(check_type: str, violations: list[Violation], looked_at: str) -> Finding:
    if not violations:
        return Finding(check_type, looked_at=looked_at)
    affected = sum(one.value if isinstance(one.value, int) else 1 for one in violations)
    sentences = tuple(map(str, violations))
    return Finding(check_type, sentences, affected, sentences[:3], "critical", looked_at)


def _order_looked_at(time: str | None) -> str:
    return f"the order of the splits by {time}" if time else "there is no time column, so there is no order to check"
