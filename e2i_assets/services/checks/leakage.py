"""Checks of `validation_splits` against leakage: no target leakage, no rows in two splits, and a complete audit."""

from e2i_assets.core.data.split_tables import SearchRows, SplitFacts, TrainingRows
from e2i_assets.core.data.splits import Role
from e2i_assets.core.fitting.rows import RowSource
from e2i_assets.core.leakage import audit
from e2i_assets.core.leakage.finding import Finding
from e2i_assets.core.leakage.one_feature import Part
from e2i_assets.services.checks.check import CheckResult, NotEvaluated, check_result, of_asset, passed, stored
from e2i_assets.services.project import Project

# Excluded rows are lost for training: a larger share needs a decision by the user.
MOST_LEFT_OUT = 0.25


@of_asset("validation_splits", blocking=True)
def no_feature_reveals_the_target(project: Project, name: str) -> CheckResult:
    """No single feature almost predicts the target on the validation rows, except those that the experiment accepts."""
    rows: SearchRows = stored(project, SearchRows, "validation_splits", name)
    train, validation = (Part(of.features, of.target) for of in (rows.train, rows.validation))
    found = audit.one_feature_model(train, validation, rows.facts.classes, project.experiment(name).leakage)
    return check_result(found.mistakes, found.looked_at)


def _copies(project: Project, name: str) -> Finding:
    rows: TrainingRows = stored(project, TrainingRows, "validation_splits", name)
    splits: dict[Role, RowSource] = {"train": rows.train, "validation": rows.validation, "test": rows.test}
    tables = {split: of.features.assign(**{rows.facts.target: of.target}) for split, of in splits.items()}
    return audit.copied(tables, project.experiment(name).leakage)


@of_asset("validation_splits", blocking=True)
def no_duplicate_rows_across_splits(project: Project, name: str) -> CheckResult:
    """At most a fifth of a split's rows are also in another split, beyond what chance explains."""
    found = _copies(project, name)
    return check_result(found.mistakes if found.severity == "critical" else (), found.looked_at)


@of_asset("validation_splits", severity="WARN")
def few_similar_rows_across_splits(project: Project, name: str) -> CheckResult:
    """At most 1 % of the rows have a near-duplicate in another split, which would make scores too optimistic."""
    found = _copies(project, name)
    return check_result(found.mistakes if found.severity == "warning" else (), found.looked_at)


@of_asset("validation_splits")
def leakage_audit_is_recorded(project: Project, name: str) -> CheckResult:
    """These rows were examined for each kind of leakage, and ml_leakage_audit has the results."""
    facts: SplitFacts = stored(project, SplitFacts, "validation_splits", name)
    experiment_id = project.experiments.id_of(name)
    lines = {one.check_type: one for one in project.leakage_audit.of_split(experiment_id, facts.split_hash)}
    missing = [check for check in audit.CHECK_TYPES if check not in lines]
    if len(missing) == len(audit.CHECK_TYPES):
        raise NotEvaluated(f"the split of {name} is older than the leakage audit: materialise it again")
    mistakes = [f"{check} is not in ml_leakage_audit" for check in missing]
    mistakes += [
        f"{check} in ml_leakage_audit is about other rows ({one.data_hash[:12]}, not {facts.data_hash[:12]})"
        for check, one in lines.items()
        if one.data_hash != facts.data_hash
    ]
    failed = [f"{check}: {one.details}" for check, one in lines.items() if one.severity == "critical"]
    why = f"{len(lines)} kinds of leakage were checked, and no blocking one was found"
    return check_result([*mistakes, *failed], why)


@of_asset("validation_splits", severity="WARN")
def few_rows_are_unassigned(project: Project, name: str) -> CheckResult:
    """At most a quarter of the rows have no split: rows in a gap, after the end of the split or outside its period."""
    facts: SplitFacts = stored(project, SplitFacts, "validation_splits", name)
    total = facts.left_out + sum(facts.counts.values())
    if not facts.left_out:
        return passed("each row is in a split")
    why = ", ".join(f"{count} {reason}" for reason, count in facts.why_left_out.items())
    sentence = f"{facts.left_out} of {total} rows are in no split: {why}"
    return check_result([sentence] if facts.left_out > MOST_LEFT_OUT * total else [], sentence)


CHECKS = (
    no_feature_reveals_the_target,
    no_duplicate_rows_across_splits,
    few_similar_rows_across_splits,
    few_rows_are_unassigned,
    leakage_audit_is_recorded,
)
