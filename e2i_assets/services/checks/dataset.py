"""The checks of `dataset`: a table as the experiment declares it, of sufficient quality, without target leakage."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from e2i_assets.core.content_hash import frame_hash
from e2i_assets.core.data import target_leaks
from e2i_assets.core.data.column_types import is_number, labels
from e2i_assets.core.data.dataset import Dataset, schema_of
from e2i_assets.core.data.feature_columns import name_violations, roles
from e2i_assets.core.data.quality import MINIMUM_SCORE, WEIGHTS, QualityReport, is_sufficient
from e2i_assets.core.data.table_schema import TableSchemaInvalid
from e2i_assets.core.data.target_column import without_target
from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.figures import against, figure
from e2i_assets.core.leakage import audit
from e2i_assets.services import data_gates
from e2i_assets.services.checks.check import (
    CheckFailed,
    CheckResult,
    Fact,
    Outcome,
    check_result,
    of_asset,
    passed,
    stored,
)
from e2i_assets.services.project import Project

_FEATURE_TYPES = frozenset({"int64", "float64", "category", "datetime64[us]", "datetime64[us, UTC]"})


@of_asset("dataset", answers_for_the_file=True)
def schema_is_valid(project: Project, name: str) -> CheckResult:
    """All columns have the types and values that the experiment's table may have."""
    from pandera.errors import SchemaErrors

    data: Dataset = stored(project, Dataset, "dataset", name)
    types = {column: str(data.frame[column].dtype) for column in data.features}
    mistakes = [f"{column} is {kind}" for column, kind in types.items() if kind not in _FEATURE_TYPES]
    try:
        schema_of(data).validate(data.frame, lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases.drop_duplicates(["column", "check"])
        mistakes += [
            f"{case.column or 'table'} breaks {case.check} with {case.failure_case}" for case in cases.itertuples()
        ]
    return check_result(mistakes, "every column has its type and valid values", columns=len(data.frame.columns))


@of_asset("dataset")
def rows_match_the_data_hash(project: Project, name: str) -> CheckResult:
    """The stored rows have the content hash to which splits, studies and models refer."""
    data: Dataset = stored(project, Dataset, "dataset", name)
    found = frame_hash(data.frame)
    mistakes = [] if found == data.data_hash else [f"the rows have the hash {found[:12]}, not {data.data_hash[:12]}"]
    return check_result(
        mistakes, f"the {len(data.frame)} rows have the hash that everything refers to", rows=len(data.frame)
    )


@of_asset("dataset", blocking=True)
def quality_gate_passes(project: Project, name: str) -> CheckResult:
    """Completeness, validity, consistency, uniqueness and timeliness are sufficient for training."""
    data: Dataset = stored(project, Dataset, "dataset", name)
    try:
        report, decision = data_gates.quality(project.settings, project.experiment(name), data)
    except DataInvalid as mistakes:
        raise CheckFailed(f"blocked: {'; '.join(map(str, mistakes.violations))}") from mistakes
    outcome: Outcome = "passed" if decision.passed else "failed"
    return CheckResult(outcome, data_gates.gate_message(report, decision), _scores(report))


def _scores(report: QualityReport) -> dict[str, Fact]:
    overall = report.overall_score
    met = overall is not None and is_sufficient(overall)
    found: dict[str, Fact] = {"overall": against(overall, "minimum", MINIMUM_SCORE, met=met)}
    for name in WEIGHTS:
        score: float | None = getattr(report, f"{name}_score")
        found[name] = None if score is None else f"{figure(score)} of 1"
    listed = ("failed_expectations", "warnings", "blocking_issues", "remediation_steps")
    found |= {name.replace("_", " "): "; ".join(getattr(report, name)) or None for name in listed}
    return found | {"rows": report.row_count, "columns": report.column_count, "status": report.status}


@of_asset("dataset", blocking=True)
def rows_match_the_schema_file(project: Project, name: str) -> CheckResult:
    """All rows match the schema in experiments/schemas, which is inferred once and which you can edit."""
    data: Dataset = stored(project, Dataset, "dataset", name)
    try:
        mistakes = data_gates.schema_mistakes(project.settings, project.experiment(name), data)
    except TableSchemaInvalid as error:
        raise CheckFailed(str(error)) from error
    if mistakes is None:
        return passed("there is no schema file of these columns yet: the next run of the experiment infers one")
    return check_result(mistakes, f"all {len(data.frame)} rows match experiments/schemas/{name}.yaml")


@of_asset("dataset", blocking=True)
def no_feature_is_the_target_of_another_row(project: Project, name: str) -> CheckResult:
    """No feature equals the target of a previous or following row, ordered by group and time."""
    data: Dataset = stored(project, Dataset, "dataset", name)
    found = audit.shifted(data, project.experiment(name).leakage)
    return check_result(found.mistakes, f"no leak found: {found.looked_at}")


@of_asset("dataset", blocking=True)
def excluded_columns_are_not_features(project: Project, name: str) -> CheckResult:
    """Columns that are dropped, or are id, group or time, are not used as features."""
    data: Dataset = stored(project, Dataset, "dataset", name)
    experiment = project.experiment(name)
    reasons = {column: why for column, why in roles(experiment).items() if column != experiment.target.column}
    mistakes = [
        f"{column} is a feature and should not be: {reasons[column]}" for column in data.features if column in reasons
    ]
    return check_result(mistakes, f"none of {len(reasons)} columns that the experiment excludes is a feature")


@of_asset("dataset", severity="WARN")
def every_row_has_a_target(project: Project, name: str) -> CheckResult:
    """No row of the source is excluded for a missing target."""
    data: Dataset = stored(project, Dataset, "dataset", name)
    missing, complete_rows = data.rows_without_target, len(data.frame)
    complete = f"each of the {complete_rows:,} rows has a value of {data.target}"
    return check_result(
        without_target(missing, complete_rows, data.target), complete, **{"rows without target": missing}
    )


@of_asset("dataset", blocking=True)
def target_is_not_a_feature(project: Project, name: str) -> CheckResult:
    """No feature is the target, the source from which the target was derived, or a disguised copy of it."""
    data: Dataset = stored(project, Dataset, "dataset", name)
    features = {column: data.frame[column] for column in data.features}
    target = data.frame[data.target]
    named = list(name_violations(features, project.experiment(name)))
    equal = list(_equal_to_target(features, target))
    hidden = list(target_leaks.violations(features, target, data.classes))
    reported = {violation.value for violation in named} | {column for column, _ in equal}
    mistakes = [*named, *(why for _, why in equal), *(one for one in hidden if one.value not in reported)]
    return check_result(mistakes, f"none of {len(features)} features equals or determines the target {data.target}")


def _equal_to_target(features: dict[str, pd.Series], target: pd.Series) -> Iterator[tuple[str, str]]:
    for column, values in features.items():
        if is_number(target) and is_number(values):
            equal = bool(np.array_equal(values.to_numpy(float), target.to_numpy(float)))
        else:
            equal = bool((labels(values.astype(object)) == labels(target)).all())
        if equal:
            examples = ", ".join(str(cell) for cell in target.head(3))
            yield column, f"{column} equals the target {target.name} in all {len(target)} rows, for example {examples}"


CHECKS = (
    schema_is_valid,
    rows_match_the_data_hash,
    quality_gate_passes,
    every_row_has_a_target,
    target_is_not_a_feature,
    no_feature_is_the_target_of_another_row,
    rows_match_the_schema_file,
    excluded_columns_are_not_features,
)
