"""The database rows of a training: its run, model version, segments, and test-set access."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from e2i_assets.adapters.mlflow.tracked_run import TrackingResult
from e2i_assets.adapters.repositories.model_locations import uri_of
from e2i_assets.adapters.repositories.models import ModelVersionRow, write_version
from e2i_assets.adapters.repositories.test_access import SegmentRow, record_test_access, write_segments
from e2i_assets.adapters.repositories.training_runs import RowWriter
from e2i_assets.core.evaluation.intervals import Interval
from e2i_assets.core.evaluation.segments import SegmentEvaluation
from e2i_assets.core.training import Training
from e2i_assets.core.training_record import TrainingRecord

REASON = "trained_model was materialised"
_WITHOUT_MLFLOW = "development"


def run_columns(record: TrainingRecord, tracked: TrackingResult) -> dict[str, Any]:
    """Return the columns of ``ml_training_runs`` of a finished training."""
    training, report = record.training, record.training.report
    return {
        "hyperparameters": training.parameters,
        "mlflow_run_id": tracked.run_id,
        "model_uri": tracked.model_uri or uri_of(record.model_location),
        "train_metrics": report.splits["train"].metrics,
        "validation_metrics": report.splits["validation"].metrics,
        "test_metrics": report.splits["test"].metrics,
        "default_test_metrics": training.default_metrics,
        "decision_threshold": report.threshold,
        "success_criteria_met": training.criteria_met,
        "success_criteria_results": {one.criterion.name: one.met for one in training.criterion_results},
        "duration_seconds": training.seconds,
        "model_key": record.model_key,
        "test_intervals": interval_documents(report.intervals),
        "baseline_test_metrics": training.baseline_metrics,
        "test_confusion": confusion_document(training),
        "expected_costs": expected_costs(record),
    }


def row_writers(record: TrainingRecord, tracked: TrackingResult, user: str) -> tuple[RowWriter, ...]:
    """Return the writers of the rows in other tables, which belong to the transaction of the training.

    Args:
        record: The training.
        tracked: What MLflow has of it.
        user: The user who is recorded with the test-set access.
    """
    version = _version(record, tracked)
    segments = [_segment(one) for one in record.training.segments]
    return (
        lambda connection, run_id: write_version(connection, run_id, version),
        lambda connection, run_id: write_segments(connection, run_id, segments),
        partial(
            record_test_access,
            model_key=record.model_key,
            looked_by=user,
            reason=REASON,
            dagster_run_id=record.start.dagster_run_id or None,
        ),
    )


def confusion_document(training: Training) -> dict[str, Any] | None:
    """Return the confusion matrix on test in its stored form: labels, and counts by true and predicted label.

    None for a regression.
    """
    counts, classes = training.report.splits["test"].confusion, training.model.classes_
    if counts is None or classes is None:
        return None
    return {"labels": [str(label) for label in classes], "counts": counts}


def expected_costs(record: TrainingRecord) -> dict[str, Any] | None:
    """Return the costs that the experiment names and the expected cost of each decision; None without costs."""
    costs, decisions = record.experiment.costs, record.training.decisions
    if costs is None:
        return None
    return {
        "costs": costs.model_dump(),
        "per_1000_rows": [asdict(one) for one in decisions.costs] if decisions else [],
    }


def interval_documents(intervals: Mapping[str, Interval]) -> dict[str, Any]:
    """Return intervals in their stored form."""
    return {name: interval.model_dump() for name, interval in intervals.items()}


def _version(record: TrainingRecord, tracked: TrackingResult) -> ModelVersionRow:
    test = record.training.report.splits["test"].metrics
    return ModelVersionRow(
        model_key=record.model_key,
        model_name=tracked.registered_model_name or f"e2i_{record.experiment.name}",
        model_version=str(tracked.version) if tracked.version is not None else record.model_key[:12],
        mlflow_run_id=tracked.run_id,
        mlflow_model_uri=tracked.model_uri,
        algorithm=record.experiment.algorithm,
        hyperparameters=record.training.parameters,
        feature_count=len(record.facts.features),
        training_samples=record.training.samples,
        auc=test.get("roc_auc"),
        pr_auc=test.get("pr_auc"),
        brier_score=test.get("brier_score"),
        calibration_slope=record.training.slope,
        fairness_metrics={f"{gap.metric}_gap_{gap.column}": gap.size for gap in record.gaps},
        stage=(tracked.stage or _WITHOUT_MLFLOW).lower(),
        artifact_path=uri_of(record.model_location),
    )


def _segment(one: SegmentEvaluation) -> SegmentRow:
    return SegmentRow(
        column_name=one.column,
        segment=one.segment,
        test_rows=one.n_rows,
        is_small=one.is_small,
        test_metrics=one.metrics,
        test_intervals=interval_documents(one.intervals),
    )
