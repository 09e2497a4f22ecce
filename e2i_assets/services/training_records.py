"""What is written beside a finished training, in its transaction: version, segments, and the look at the test rows."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from e2i_assets.adapters.current_user import who
from e2i_assets.adapters.mlflow.tracked_run import TrackingResult
from e2i_assets.adapters.repositories.model_versions import ModelVersionRow, write_version
from e2i_assets.adapters.repositories.segments import SegmentRow, write_segments
from e2i_assets.adapters.repositories.test_access import record_test_access
from e2i_assets.adapters.repositories.training_runs import Alongside
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.evaluation.intervals import Interval
from e2i_assets.core.evaluation.segments import Gap, SegmentEvaluation, gaps
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.training import Training

REASON = "trained_model was materialised"
_WITHOUT_MLFLOW = "development"


def training_records(
    experiment: Experiment,
    rows: TrainingRows,
    training: Training,
    tracked: TrackingResult,
    model_key: str,
    dagster_run_id: str,
    folder: Path,
) -> tuple[Alongside, ...]:
    """Return what writes everything that belongs to a training and stands in tables of its own."""
    version = _version(experiment, rows, training, tracked, model_key, folder)
    segments = [_segment(one) for one in training.segments]
    return (
        lambda connection, run_id: write_version(connection, run_id, version),
        lambda connection, run_id: write_segments(connection, run_id, segments),
        partial(
            record_test_access,
            model_key=model_key,
            looked_by=who(os.environ),
            reason=REASON,
            dagster_run_id=dagster_run_id or None,
        ),
    )


def interval_documents(intervals: Mapping[str, Interval]) -> dict[str, Any]:
    """Return intervals as they are stored."""
    return {name: interval.model_dump() for name, interval in intervals.items()}


def training_gaps(experiment: Experiment, training: Training) -> list[Gap]:
    """Return how far apart the segments of a training lie, in the metric that its study optimised."""
    return gaps(training.segments, experiment.metric, experiment.problem_type)


def _version(
    experiment: Experiment,
    rows: TrainingRows,
    training: Training,
    tracked: TrackingResult,
    model_key: str,
    folder: Path,
) -> ModelVersionRow:
    test = training.report.splits["test"].metrics
    return ModelVersionRow(
        model_key=model_key,
        model_name=tracked.registered_model_name or f"e2i_{experiment.name}",
        model_version=str(tracked.version) if tracked.version is not None else model_key[:12],
        mlflow_run_id=tracked.run_id,
        mlflow_model_uri=tracked.model_uri,
        algorithm=experiment.algorithm,
        hyperparameters=training.parameters,
        feature_count=len(rows.facts.features),
        training_samples=rows.facts.counts["train"],
        auc=test.get("roc_auc"),
        pr_auc=test.get("pr_auc"),
        brier_score=test.get("brier_score"),
        calibration_slope=training.slope,
        fairness_metrics={f"{gap.metric}_gap_{gap.column}": gap.size for gap in training_gaps(experiment, training)},
        stage=(tracked.stage or _WITHOUT_MLFLOW).lower(),
        artifact_path=folder.as_uri(),
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
