"""The quality report of a dataset, and the gate that training does not pass without it.

What each of the five scores counts is in `quality_scores`; their weights are those of the contract.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.data.dataset import Dataset
from e2i_assets.core.data.quality_scores import scores

MINIMUM_SCORE = 0.80
# A dimension below this blocks by itself: the weighted score of the five could still look fine.
BLOCKING_SCORE = 0.50
WEIGHTS = {"completeness": 0.25, "validity": 0.25, "consistency": 0.20, "uniqueness": 0.15, "timeliness": 0.15}
_ROUNDING = 1e-9
_ISSUES = 3
_REMEDIES = {
    "completeness": "fill the missing cells in the source, or drop the emptiest columns under columns.drop",
    "validity": "write stand-ins for missing values as empty cells in the source",
    "consistency": "spell each category in one way in the source",
    "uniqueness": "take repeated rows out of the source, or name the columns that identify a row under columns.id",
    "timeliness": "correct the times in the future, or the column under columns.time",
}

# Strict: true and the text "0.9" are no numbers.
Score = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)]
Count = Annotated[int, Field(ge=0, strict=True)]
Status = Literal["passed", "failed", "warning", "skipped", "unknown"]


class Expectation(BaseModel):
    """One thing that was expected of the table, and what was found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    passed: bool
    observed: Score


class QualityReport(BaseModel):
    """What is known of the quality of a dataset; the fields are those of the contract.

    A report that was not made has the status ``skipped``; ``unknown`` is for one whose maker could not tell.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    report_id: str
    experiment_id: str
    status: Status
    overall_score: Score | None = None
    completeness_score: Score | None = None
    validity_score: Score | None = None
    consistency_score: Score | None = None
    uniqueness_score: Score | None = None
    timeliness_score: Score | None = None
    expectation_results: tuple[Expectation | dict[str, Any], ...] = ()
    failed_expectations: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    remediation_steps: tuple[str, ...] = ()
    blocking_issues: tuple[str, ...] = ()
    row_count: Count | None = None
    column_count: Count | None = None
    validated_at: datetime | None = None


class GateDecision(BaseModel):
    """Whether training may start, and the first rule that decided it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    passed: bool
    reason: str


def gate(report: QualityReport | None) -> GateDecision:
    """Decide whether training may start; the first rule that applies gives the reason.

    A failed status blocks, then any blocking issue, then a score below 0.80 (0.80 itself passes), then every status
    but passed and warning, then a missing score. No report blocks too. The reason carries the
    score and the first issues.
    """
    if report is None:
        return GateDecision(passed=False, reason="blocked: there is no quality report")
    score = report.overall_score
    if report.status == "failed":
        reason = "blocked: the status of the quality report is failed"
    elif report.blocking_issues:
        reason = f"blocked by {'; '.join(report.blocking_issues)}"
    elif score is not None and not is_sufficient(score):
        reason = f"blocked: the overall score {score:.4f} is below {MINIMUM_SCORE:.2f}"
    elif report.status not in ("passed", "warning"):
        reason = f"blocked: the status of the quality report is {report.status}, neither passed nor warning"
    elif score is None:
        reason = "blocked: the quality report has no overall score"
    else:
        return GateDecision(passed=True, reason=f"passed with an overall score of {score:.4f}")
    return blocked(report, reason)


def is_sufficient(score: float) -> bool:
    """Return whether a score is at least 0.80, apart from rounding."""
    return score >= MINIMUM_SCORE - _ROUNDING


def blocked(report: QualityReport, reason: str) -> GateDecision:
    """Return that training may not start, with the score and the first three issues unless the reason has them."""
    parts = [reason]
    if report.overall_score is not None and "overall score" not in reason:
        parts.append(f"the overall score is {report.overall_score:.4f}")
    issues = dict.fromkeys((*report.blocking_issues, *report.failed_expectations, *report.warnings))
    left = [issue for issue in issues if issue not in report.blocking_issues or issue not in reason]
    if left:
        more = f" and {len(left) - _ISSUES} more" if len(left) > _ISSUES else ""
        parts.append(f"issues: {', '.join(left[:_ISSUES])}{more}")
    return GateDecision(passed=False, reason="; ".join(parts))


def assess(data: Dataset, experiment_id: str, now: datetime) -> QualityReport:
    """Measure a dataset.

    A dimension below 0.80 is a failed expectation and a warning, one below 0.50 a blocking issue.

    Args:
        data: The typed table.
        experiment_id: Whose data it is.
        now: The time of the assessment, with a time zone.
    """
    found = scores(data, now)
    low = {name: score for name, score in found.items() if not is_sufficient(score)}
    blocking = tuple(
        f"{name} {score:.4f} < {BLOCKING_SCORE:.2f}" for name, score in low.items() if score < BLOCKING_SCORE
    )
    expected = {name: f"{name} at least {MINIMUM_SCORE:.2f}" for name in found}
    return QualityReport(
        report_id=f"qc_{content_hash([experiment_id, data.data_hash, now.isoformat()])[:12]}",
        experiment_id=experiment_id,
        status="failed" if blocking else "warning" if low else "passed",
        overall_score=min(1.0, sum(WEIGHTS[name] * score for name, score in found.items())),
        **{f"{name}_score": score for name, score in found.items()},
        expectation_results=tuple(
            Expectation(name=expected[name], passed=name not in low, observed=score) for name, score in found.items()
        ),
        failed_expectations=tuple(expected[name] for name in low),
        warnings=tuple(f"{name} is {score:.4f}" for name, score in low.items()),
        remediation_steps=tuple(_REMEDIES[name] for name in low),
        blocking_issues=blocking,
        row_count=len(data.frame),
        column_count=len(data.frame.columns),
        validated_at=now,
    )
