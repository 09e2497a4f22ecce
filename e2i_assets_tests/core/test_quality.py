from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from e2i_assets.core.data.dataset import Dataset, dataset_of
from e2i_assets.core.data.given_quality import decided
from e2i_assets.core.data.quality import WEIGHTS, QualityReport, assess, gate
from e2i_assets.core.data.quality_scores import scores
from e2i_assets.core.experiments.file import experiment_from

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def report(**fields: Any) -> QualityReport:
    return QualityReport(
        **{"report_id": "qc_1", "experiment_id": "visits", "status": "passed", "overall_score": 0.95, **fields}
    )


@pytest.mark.parametrize(
    ("fields", "passed", "reason"),
    [
        ({}, True, "passed with an overall score of 0.9500"),
        ({"status": "warning"}, True, "passed with an overall score of 0.9500"),
        ({"overall_score": 0.80}, True, "passed with an overall score of 0.8000"),
        ({"overall_score": 0.1 + 0.7}, True, "passed with an overall score of 0.8000"),
        ({"overall_score": 0.7999}, False, "blocked: the overall score 0.7999 is below 0.80"),
        ({"overall_score": 0.10}, False, "blocked: the overall score 0.1000 is below 0.80"),
        ({"status": "failed"}, False, "blocked: the status of the quality report is failed"),
        ({"blocking_issues": ("no key", "no rows")}, False, "blocked by no key; no rows"),
        (
            {"status": "skipped"},
            False,
            "blocked: the status of the quality report is skipped, neither passed nor warning",
        ),
        (
            {"status": "unknown"},
            False,
            "blocked: the status of the quality report is unknown, neither passed nor warning",
        ),
        ({"overall_score": None}, False, "blocked: the quality report has no overall score"),
        # If several rules apply, the first one gives the reason.
        (
            {"status": "failed", "blocking_issues": ("no key",), "overall_score": 0.1},
            False,
            "blocked: the status of the quality report is failed",
        ),
        ({"status": "skipped", "blocking_issues": ("no key",), "overall_score": 0.1}, False, "blocked by no key"),
        ({"status": "skipped", "overall_score": 0.1}, False, "blocked: the overall score 0.1000 is below 0.80"),
        (
            {"status": "skipped", "overall_score": None},
            False,
            "blocked: the status of the quality report is skipped, neither",
        ),
    ],
)
def test_the_gate_evaluates_status_issues_and_score_in_this_order(
    fields: dict[str, Any], passed: bool, reason: str
) -> None:
    """A passing status alone is not enough: a score of 0.10 with a blocking issue does not pass."""
    decision = gate(report(**fields))
    assert decision.passed is passed
    assert decision.reason.startswith(reason)


def test_without_a_report_nothing_passes() -> None:
    assert not gate(None).passed


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"status": "failed", "overall_score": 0.5, "warnings": ("a", "b", "c", "d")},
            "blocked: the status of the quality report is failed; "
            "the overall score is 0.5000; issues: a, b, c and 1 more",
        ),
        (
            {"overall_score": 0.5, "failed_expectations": ("a",), "warnings": ("a", "b")},
            "blocked: the overall score 0.5000 is below 0.80; issues: a, b",
        ),
        ({"blocking_issues": ("no key",), "overall_score": 0.9}, "blocked by no key; the overall score is 0.9000"),
        ({"overall_score": None, "warnings": ("a",)}, "blocked: the quality report has no overall score; issues: a"),
    ],
)
def test_a_failure_names_the_score_and_the_first_three_issues(fields: dict[str, Any], message: str) -> None:
    assert gate(report(**fields)).reason == message


@pytest.mark.parametrize(("count", "passes"), [(0, False), (29, False), (30, True), (None, True)])
def test_the_row_count_of_a_report_must_match_the_table(count: int | None, passes: bool) -> None:
    decision = decided(report(row_count=count), 30)
    assert decision.passed is passes
    assert passes or f"counts {count} rows, but the table has 30" in decision.reason


@pytest.mark.parametrize(
    "fields",
    [
        *({"overall_score": score} for score in (float("nan"), 1.2, True, False, "0.9")),
        *({"row_count": count} for count in (-1, True, "12", 1.5)),
        {"validity_score": True},
        {"status": "ok"},
        {"qc_passed": True},
    ],
)
def test_an_invalid_report_is_rejected(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        report(**fields)


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "key": range(40),
            "day": pd.date_range("2026-01-01", periods=40),
            "age": [float(number % 30) for number in range(40)],
            "plan": ["basic", "full"] * 20,
            "cost": [float(number * 7 % 40) for number in range(40)],
        }
    )


def dataset(frame: pd.DataFrame, columns: dict[str, Any]) -> Dataset:
    raw = {
        "name": "visits",
        "owner": "team:a",
        "source": {"csv": "a.csv"},
        "target": "cost",
        "problem_type": "regression",
        "algorithm": "Ridge",
        "columns": columns,
    }
    return dataset_of(frame, experiment_from(raw, "x"))


ALL = {"id": ["key"], "time": "day", "numeric": ["age"]}


def test_a_clean_table_scores_one_everywhere() -> None:
    made = assess(dataset(table(), ALL), "visits", NOW)
    assert scores(dataset(table(), ALL), NOW) == dict.fromkeys(WEIGHTS, 1.0)
    assert (made.status, made.overall_score, made.warnings, made.row_count) == ("passed", 1.0, (), 40)
    assert made.validated_at == NOW
    assert gate(made).passed


def first(frame: pd.DataFrame, column: str, cells: list[Any]) -> pd.DataFrame:
    return frame.assign(**{column: [*cells, *frame[column].tolist()[len(cells) :]]})


@pytest.mark.parametrize(
    ("dimension", "frame", "columns", "score"),
    [
        ("completeness", first(table(), "age", [None] * 12), ALL, 1 - 12 / 120),
        ("completeness", first(table(), "cost", [None] * 8), ALL, (32 * 3) / (32 * 3 + 8)),
        # "N/A" and the empty cell are words for a missing value, so they count for completeness.
        ("validity", first(table(), "plan", ["?", " N/A ", "", "-"]), ALL, 1 - 2 / 118),
        ("consistency", first(table(), "plan", ["Basic", "FULL ", "basic ", "full"]), ALL, 1 - 3 / 40),
        ("uniqueness", first(table(), "key", [5] * 5), ALL, 1 - 5 / 40),
        ("uniqueness", pd.concat([table(), table()[:10]]), {}, 1 - 10 / 50),
        ("timeliness", first(table(), "day", [pd.Timestamp("2026-06-02")] * 4), ALL, 0.9),
        ("timeliness", first(table(), "day", [pd.Timestamp("2026-06-01 12:00")] * 4), ALL, 1.0),
        ("timeliness", table().assign(day=pd.date_range("2026-05-01", periods=40, tz="Asia/Tokyo")), ALL, 0.8),
        ("timeliness", table().assign(day=range(40)), ALL, 1.0),
        ("timeliness", table(), {"id": ["key"]}, 1.0),
    ],
)
def test_each_dimension_is_the_documented_share(
    dimension: str, frame: pd.DataFrame, columns: dict[str, Any], score: float
) -> None:
    made = assess(dataset(frame, columns), "visits", NOW)
    assert getattr(made, f"{dimension}_score") == pytest.approx(score)
    overall = sum(weight * getattr(made, f"{name}_score") for name, weight in WEIGHTS.items())
    assert made.overall_score == pytest.approx(overall)


def test_a_low_dimension_warns_with_a_fix() -> None:
    made = assess(dataset(first(table(), "key", [5] * 12), ALL), "visits", NOW)
    assert made.status == "warning"
    assert made.failed_expectations == ("uniqueness at least 0.80",)
    assert made.warnings == ("uniqueness is 0.7250",)
    assert len(made.remediation_steps) == 1
    assert [one.name for one in made.expectation_results if not one.passed] == ["uniqueness at least 0.80"]
    assert gate(made).passed


def test_a_dimension_below_one_half_blocks_at_any_score() -> None:
    made = assess(dataset(first(table(), "key", [5] * 30), ALL), "visits", NOW)
    assert (made.status, made.blocking_issues) == ("failed", ("uniqueness 0.2750 < 0.50",))
    assert made.overall_score is not None
    assert made.overall_score > 0.80
    assert not gate(made).passed


def test_a_report_survives_being_stored() -> None:
    made = assess(dataset(table(), ALL), "visits", NOW)
    assert QualityReport.model_validate_json(made.model_dump_json()) == made
    assert assess(dataset(table(), ALL), "visits", NOW).report_id == made.report_id
