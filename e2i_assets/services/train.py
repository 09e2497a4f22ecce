"""The final training as it is kept: a row in our tables, a run in MLflow, the model on disk, all by one identity."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from e2i_assets.adapters.mlflow.model_folder import save_mlflow_model
from e2i_assets.adapters.mlflow.outbox import Outbox
from e2i_assets.adapters.repositories.experiments import ExperimentRepository
from e2i_assets.adapters.repositories.splits import SplitRepository
from e2i_assets.adapters.repositories.studies import StudyRepository
from e2i_assets.adapters.repositories.training_runs import TrainingRunRepository, TrainingRunRow
from e2i_assets.core.contracts.contract import HpoOutput, TrainingOutput
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.evaluation.segments import Gap
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.plots.training import model_pictures, validation_importance
from e2i_assets.core.training import ROLES, Training, trained
from e2i_assets.services import track_runs
from e2i_assets.services.project import Project
from e2i_assets.services.report import WrittenReport, study_pictures_of, training_places, written_report
from e2i_assets.services.training_as_tracked_run import failed_training, tracked_training
from e2i_assets.services.training_output import training_output
from e2i_assets.services.training_records import interval_documents, training_gaps, training_records

_EXAMPLE_ROWS = 5


@dataclass(frozen=True, slots=True)
class KeptTraining:
    """A training with everywhere it was kept."""

    training_run_id: str
    training: Training
    output: TrainingOutput
    tracking_reason: str
    mlflow_url: str | None
    pictures: Mapping[str, bytes]
    gaps: Sequence[Gap]
    report: WrittenReport

    def metric_rows(self) -> list[dict[str, Any]]:
        """Return a row for each metric with its value on each role and its interval on test."""
        report = self.training.report
        names = {name: None for role in ROLES for name in report.splits[role].metrics}
        intervals = report.intervals
        return [
            {
                "metric": name,
                **{role: report.splits[role].metrics.get(name) for role in ROLES},
                "95 % on test": f"{intervals[name].low:.4f} to {intervals[name].high:.4f}"
                if name in intervals
                else None,
                "defaults on test": self.training.default_metrics.get(name),
                "dummy on test": self.training.baseline_metrics.get(name),
            }
            for name in names
        ]

    def segment_rows(self, metric: str) -> list[dict[str, Any]]:
        """Return a row for each segment with its metric on test; small ones are marked and not to be compared."""
        return [
            {
                "column": one.column,
                "segment": one.segment,
                "test rows": one.n_rows,
                metric: one.metrics.get(metric),
                "95 %": f"{one.intervals[metric].low:.4f} to {one.intervals[metric].high:.4f}"
                if metric in one.intervals
                else None,
                "note": "too small to compare" if one.is_small else one.not_computable.get(metric),
            }
            for one in self.training.segments
        ]

    def criteria_rows(self) -> list[dict[str, Any]]:
        """Return a row for each success criterion."""
        return [
            {"criterion": one.criterion.name, "met": one.met, "measured": one.value, "why": one.reason}
            for one in self.training.judgements
        ]


def train(
    project: Project, experiment: Experiment, rows: TrainingRows, hpo: HpoOutput, dagster_run_id: str
) -> KeptTraining:
    """Train from the contract and keep the result; the same study again brings the same row and run up to date.

    MLflow is best effort: without it the training is kept all the same and says what is missing.
    """
    started = datetime.now(UTC)
    identity = str(hpo.hpo_spec_hash)
    store = TrainingRunRepository(project.database)
    row = _started(project, experiment, rows, hpo, identity, dagster_run_id, started)
    run_id = store.start(row)
    with _failure_recorded(project, experiment, rows, hpo, run_id, dagster_run_id, started):
        training = trained(experiment, rows, hpo)
        folder = project.model_folder(experiment.name, identity)
        # What waits to be sent of this study is another model, which is about to be replaced.
        Outbox(project.settings.outbox).drop(experiment.name, identity)
        save_mlflow_model(training.model, folder, rows.train.features.head(_EXAMPLE_ROWS))
        lost = validation_importance(experiment, rows, training)
        drawn = model_pictures(experiment, rows, hpo, training, lost) if project.settings.pictures else {}
        every = {**drawn, **study_pictures_of(project, experiment, hpo)}
        shown = tracked_training(
            project.settings,
            experiment,
            rows.facts,
            hpo,
            training,
            StudyRepository(project.database).trials(row.study_id) if row.study_id else (),
            training_run_id=run_id,
            dagster_run_id=dagster_run_id,
            model_folder=folder,
            started=started,
            figures=every,
        )
        tracked = track_runs.log(project, experiment.name, identity, shown)
        output = training_output(experiment, len(rows.train.target), hpo, training, tracked)
        report = training.report
        model_key = shown.run_key
        store.finish(
            run_id,
            *training_records(experiment, rows, training, tracked, model_key, dagster_run_id, folder),
            hyperparameters=training.parameters,
            mlflow_run_id=tracked.run_id,
            model_uri=tracked.model_uri or folder.as_uri(),
            train_metrics=report.splits["train"].metrics,
            validation_metrics=report.splits["validation"].metrics,
            test_metrics=report.splits["test"].metrics,
            default_test_metrics=training.default_metrics,
            decision_threshold=report.threshold,
            success_criteria_met=training.criteria_met,
            success_criteria_results={one.criterion.name: one.met for one in training.judgements},
            duration_seconds=training.seconds,
            model_key=model_key,
            test_intervals=interval_documents(report.intervals),
            baseline_test_metrics=training.baseline_metrics,
        )
    gaps, url = training_gaps(experiment, training), track_runs.mlflow_url(project, tracked)
    places = training_places(project.settings, hpo, tracked, url, run_id, dagster_run_id, folder)
    written = written_report(project, experiment, rows, hpo, training, gaps, lost, every, tracked, places)
    track_runs.attach(project, experiment.name, identity, {written.path.name: written.path.read_bytes()})
    return KeptTraining(str(run_id), training, output, tracked.reason or "logged", url, drawn, gaps, written)


@contextmanager
def _failure_recorded(
    project: Project,
    experiment: Experiment,
    rows: TrainingRows,
    hpo: HpoOutput,
    run_id: str,
    dagster_run_id: str,
    started: datetime,
) -> Iterator[None]:
    """The row must not say "running" of a training that died, and MLflow shows what was tried."""
    try:
        yield
    except BaseException as error:
        failure = f"{type(error).__name__}: {error}"
        TrainingRunRepository(project.database).fail(run_id, failure)
        if isinstance(error, Exception):  # what interrupts a process has no time for a log
            shown = failed_training(
                project.settings, experiment, rows.facts, hpo, failure,
                training_run_id=run_id, dagster_run_id=dagster_run_id, started=started,
            )  # fmt: skip
            project.tracker().log(shown)
        raise


def _started(
    project: Project,
    experiment: Experiment,
    rows: TrainingRows,
    hpo: HpoOutput,
    identity: str,
    dagster_run_id: str,
    started: datetime,
) -> TrainingRunRow:
    experiment_id = ExperimentRepository(project.database).id_of(experiment.name)
    study = StudyRepository(project.database).by_spec_hash(identity) if hpo.hpo_study_name else None
    return TrainingRunRow(
        spec_hash=identity,
        experiment_id=experiment_id,
        run_name=f"{experiment.algorithm}_{started:%Y%m%d_%H%M%S}",
        dagster_run_id=dagster_run_id,
        algorithm=experiment.algorithm,
        hyperparameters=dict(hpo.best_hyperparameters),
        split_id=SplitRepository(project.database).id_of(experiment_id, rows.facts.split_hash),
        data_hash=rows.facts.data_hash,
        training_samples=len(rows.train.target),
        validation_samples=len(rows.validation.target),
        test_samples=len(rows.test.target),
        feature_names=list(rows.facts.features),
        study_id=study.id if study else None,
        optuna_study_name=hpo.hpo_study_name,
        optuna_trial_number=hpo.hpo_best_trial,
        is_best_trial=hpo.hpo_completed,
        started_at=started,
    )
