"""The final training: fit from the contract, then store the result in our tables, in MLflow and as a report."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from e2i_assets.adapters.current_user import current_user
from e2i_assets.adapters.files.report_files import REPORT
from e2i_assets.adapters.mlflow.model_folder import save_mlflow_model
from e2i_assets.adapters.mlflow.tracked_run import TrackingResult
from e2i_assets.adapters.repositories.training_runs import TrainingRunRow
from e2i_assets.core.contracts.contract import HpoOutput, TrainingOutput
from e2i_assets.core.data.column_profile import with_encodings
from e2i_assets.core.data.dataset import DatasetFacts
from e2i_assets.core.data.feature_columns import unused
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.figures import figure, span
from e2i_assets.core.final_fit import final_rows
from e2i_assets.core.learning_curve import learning_curve
from e2i_assets.core.plots.learning import learning_pictures
from e2i_assets.core.plots.training import model_pictures, validation_importance
from e2i_assets.core.search.final_model_choice import used_final_model
from e2i_assets.core.search.tuning import Tuned
from e2i_assets.core.training import trained
from e2i_assets.core.training_record import TrainingRecord, TrainingStart
from e2i_assets.services import track_runs
from e2i_assets.services.project import MODEL_MODE, Project
from e2i_assets.services.training_as_tracked_run import failed_training, tracked_training
from e2i_assets.services.training_output import training_output
from e2i_assets.services.training_rows import row_writers, run_columns
from e2i_assets.services.write_report import WrittenReport, study_pictures_of, written_report

_EXAMPLE_ROWS = 5


@dataclass(frozen=True, slots=True)
class StoredTraining:
    """A training and where it is stored.

    Attributes:
        record: The training.
        output: Its output contract.
        tracked: What MLflow has of it.
        mlflow_url: Where MLflow shows the run, None without one.
        mlflow_runs_url: Where MLflow lists all runs of the experiment with the main metrics, None without one.
        report: The written report.
    """

    record: TrainingRecord
    output: TrainingOutput
    tracked: TrackingResult
    mlflow_url: str | None
    mlflow_runs_url: str | None
    report: WrittenReport

    def metric_rows(self) -> list[dict[str, Any]]:
        """Return a row for each metric, few columns for Dagster's page; the defaults are on test."""
        return [
            {
                "metric": row.name,
                "test": figure(row.splits["test"]),
                "95 %": span(row.interval.low, row.interval.high) if row.interval else None,
                "validation": figure(row.splits["validation"]),
                "train": figure(row.splits["train"]),
                "defaults": figure(row.defaults),
            }
            for row in self.record.metric_rows()
        ]

    def segment_rows(self, metric: str) -> list[dict[str, Any]]:
        """Return a row for each segment with its metric on test; a small segment carries a note."""
        return [
            {
                "column": one.column,
                "segment": one.segment,
                "test rows": one.n_rows,
                metric: one.metrics.get(metric),
                "95 %": span(one.intervals[metric].low, one.intervals[metric].high)
                if metric in one.intervals
                else None,
                "note": "too small to compare" if one.is_small else one.not_computable.get(metric),
            }
            for one in self.record.training.segments
        ]


def train(
    project: Project,
    experiment: Experiment,
    data: DatasetFacts,
    rows: TrainingRows,
    study: Tuned,
    hpo: HpoOutput,
    dagster_run_id: str,
) -> StoredTraining:
    """Train from the contract and store the result. The same study again updates the same row and MLflow run.

    MLflow is best effort: without it the training is stored all the same, and the result says what is missing.
    """
    start = TrainingStart(experiment, rows.facts, hpo, "", dagster_run_id, datetime.now(UTC))
    runs = project.training_runs
    start = replace(start, training_run_id=runs.start(_row(project, start, rows)))
    with _failure_recorded(project, start):
        # What the outbox has of this study is an older model, which this one replaces.
        project.outbox.drop(experiment.name, start.study_key)
        record = _fitted(project, start, data, rows, study)
        run = tracked_training(record, project.settings.dagster_url)
        tracked = track_runs.log(project, experiment.name, start.study_key, run)
        output = training_output(record, tracked)
        user = current_user(project.settings.environment)
        writers = row_writers(record, tracked, user)
        runs.finish(start.training_run_id, *writers, **run_columns(record, tracked))
    written = written_report(project, record, tracked)
    track_runs.attach(project, experiment.name, start.study_key, {REPORT: written.content})
    urls = track_runs.mlflow_url(project, tracked), track_runs.mlflow_runs_url(project, experiment, tracked)
    return StoredTraining(record, output, tracked, *urls, written)


def _fitted(
    project: Project, start: TrainingStart, data: DatasetFacts, rows: TrainingRows, study: Tuned
) -> TrainingRecord:
    """Fit the model, save it and draw its plots."""
    experiment, hpo = start.experiment, start.hpo
    training = trained(experiment, rows, hpo)
    training.model.accept_date_forms(data.date_forms)
    key = project.model_key(experiment.name, start.study_key)
    with project.store.replacing(key, MODEL_MODE) as fresh:
        save_mlflow_model(training.model, fresh, rows.train.features.head(_EXAMPLE_ROWS))
    importance = validation_importance(experiment, rows, training)
    drawn: dict[str, bytes] = {}
    curve = None
    if project.settings.pictures:
        curve = learning_curve(experiment, rows, training)
        drawn = model_pictures(experiment, rows, hpo, training, importance) | learning_pictures(experiment, curve)
    return TrainingRecord(
        start=start,
        training=training,
        study=study.result,
        validation_importance=importance,
        model_pictures=drawn,
        study_pictures=study_pictures_of(project, start),
        unused=unused(data.left_out, experiment),
        learning_curve=curve,
        profile=with_encodings(data.profile, training.model.encodings),
        model_folder=project.store.folder(key),
        model_location=project.store.location(key),
    )


@contextmanager
def _failure_recorded(project: Project, start: TrainingStart) -> Iterator[None]:
    """Mark the row of a failed training, and log the failed run in MLflow."""
    try:
        yield
    except BaseException as error:
        failure = f"{type(error).__name__}: {error}"
        project.training_runs.fail(start.training_run_id, failure)
        if isinstance(error, Exception):  # an interrupt leaves no time for logging
            project.tracker().log(failed_training(start, failure, project.settings.dagster_url))
        raise


def _row(project: Project, start: TrainingStart, rows: TrainingRows) -> TrainingRunRow:
    experiment, hpo = start.experiment, start.hpo
    experiment_id = project.experiments.id_of(experiment.name)
    study = project.studies.by_spec_hash(start.study_key) if hpo.hpo_study_name else None
    return TrainingRunRow(
        spec_hash=start.study_key,
        experiment_id=experiment_id,
        run_name=start.run_name,
        dagster_run_id=start.dagster_run_id,
        algorithm=experiment.algorithm,
        hyperparameters=dict(hpo.best_hyperparameters),
        split_id=project.splits.id_of(experiment_id, rows.facts.split_hash),
        data_hash=rows.facts.data_hash,
        training_samples=len(final_rows(experiment, rows).target),
        final_model=used_final_model(experiment, rows.facts),
        validation_samples=len(rows.validation.target),
        test_samples=len(rows.test.target),
        feature_names=list(rows.facts.features),
        study_id=study.id if study else None,
        optuna_study_name=hpo.hpo_study_name,
        optuna_trial_number=hpo.hpo_best_trial,
        is_best_trial=hpo.hpo_completed,
        started_at=start.started_at,
    )
