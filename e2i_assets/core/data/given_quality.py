"""A quality report from the user: read as strictly as an experiment file, and checked against the table."""

from collections.abc import Iterator

from pydantic import ValidationError

from e2i_assets.core.data.quality import MINIMUM_SCORE, WEIGHTS, GateDecision, QualityReport, blocked, gate
from e2i_assets.core.errors import DataInvalid, ExperimentInvalid, Violation
from e2i_assets.core.experiments.yaml_documents import read_mapping

# A score is usually reported with two or three digits.
_ROUNDED = 0.005


def parsed(text: str, where: str) -> QualityReport:
    """Read a report, JSON or YAML.

    Raises:
        DataInvalid: With everything in it that is not what the contract says.
    """
    try:
        return QualityReport.model_validate(read_mapping(text, where))
    except ExperimentInvalid as error:
        raise DataInvalid(f"quality report {where}", error.violations) from error
    except ValidationError as error:
        found = [
            Violation(".".join(map(str, one["loc"])), one["input"], f"is wrong: {one['msg']}")
            for one in error.errors(include_url=False)
        ]
        raise DataInvalid(f"quality report {where}", found) from error


def decided(report: QualityReport, rows: int) -> GateDecision:
    """Return the decision by a user's report: it must pass the gate and agree with the table.

    A declared row count or overall score that can be recomputed is not trusted.
    """
    decision = gate(report)
    wrong = "; ".join(_contradictions(report, rows))
    if not decision.passed or not wrong:
        return decision
    return blocked(report, f"blocked: {wrong}")


def _contradictions(report: QualityReport, rows: int) -> Iterator[str]:
    if report.row_count is not None and report.row_count != rows:
        yield f"the quality report counts {report.row_count} rows, but the table has {rows}: it is for another table"
    scores = {name: getattr(report, f"{name}_score") for name in WEIGHTS}
    if report.overall_score is None or any(score is None for score in scores.values()):
        return
    weighted = sum(WEIGHTS[name] * score for name, score in scores.items())
    if abs(weighted - report.overall_score) > _ROUNDED and weighted < MINIMUM_SCORE:
        yield f"the five scores of the report give {weighted:.4f}, not its overall score {report.overall_score:.4f}"
