"""Writes the report of a training as a file."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from e2i_assets.adapters.files.asset_values import AssetMissing
from e2i_assets.adapters.files.json_files import json_of
from e2i_assets.adapters.files.report_files import (
    MODEL,
    REPORT,
    STUDY,
    ReportMissing,
    report_key,
    store_pictures,
    stored_pictures,
)
from e2i_assets.adapters.library_versions import library_version
from e2i_assets.adapters.mlflow.models import MANIFEST, library_versions
from e2i_assets.adapters.mlflow.tracked_run import TrackingResult
from e2i_assets.adapters.settings import Settings
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.dataset import DatasetFacts
from e2i_assets.core.data.feature_columns import unused
from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.report.facts import Access, Place, ReportFacts
from e2i_assets.core.report.findings import verdict
from e2i_assets.core.report.page import report_page
from e2i_assets.core.training_record import TrainingRecord, TrainingStart
from e2i_assets.services.project import Project, stored_value
from e2i_assets.services.stored_model import ARCHIVE
from e2i_assets.services.track_runs import mlflow_url


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """A written report: where it is, its HTML, and its summary."""

    location: str
    content: bytes
    verdict: Sequence[str]


def study_pictures_of(project: Project, start: TrainingStart) -> dict[str, bytes]:
    """Return the plots of the training's study, by file name."""
    return stored_pictures(project.store, f"{report_key(start.experiment.name, start.study_key)}/{STUDY}")


def written_report(project: Project, record: TrainingRecord, tracked: TrackingResult) -> WrittenReport:
    """Write the report of a training and the plots of its model as files."""
    key = report_key(record.experiment.name, record.start.study_key)
    missing = [] if tracked.status == "logged" else [f"the log in MLflow is {tracked.status}: {tracked.reason}"]
    report = ReportFacts(
        record,
        _places(project, record, tracked),
        missing,
        made_at=datetime.now(UTC),
        versions=_versions(),
        accesses=_accesses(project, record),
    )
    store_pictures(project.store, f"{key}/{MODEL}", record.model_pictures)
    content = report_page(report).encode()
    project.store.write(f"{key}/{REPORT}", content)
    return WrittenReport(project.store.location(f"{key}/{REPORT}"), content, verdict(report))


def unused_columns(project: Project, experiment: Experiment) -> dict[str, str]:
    """Return the columns that were excluded automatically from the features, with the reasons."""
    try:
        known: DatasetFacts = project.read(DatasetFacts, "dataset", experiment.name)
    except AssetMissing:
        return {}
    return unused(known.left_out, experiment)


def pointed_out(project: Project, experiment: Experiment) -> tuple[str, ...]:
    """Return notes about the rows of an experiment, one sentence each."""
    try:
        facts: SplitFacts = project.read(SplitFacts, "validation_splits", experiment.name)
    except AssetMissing:
        return ()
    return facts.pointed_out


def _versions() -> dict[str, str]:
    """Return the versions of this program, of Python, and of the libraries that search, fit and store."""
    own = {name: library_version(name) for name in ("e2i_assets", "optuna", "mlflow", "dagster")}
    return {"Python": platform.python_version(), **own, **library_versions()}


def _accesses(project: Project, record: TrainingRecord) -> list[Access]:
    """Return the uses of the test rows by the model, and of the holdout rows by its experiment."""
    store = project.test_access
    of_test = [
        Access("test", one.looked_at.astimezone(UTC), one.looked_by, one.reason)
        for one in store.accesses(record.model_key)
    ]
    of_holdout = [
        Access("holdout", one.opened_at.astimezone(UTC), one.opened_by, one.reason)
        for one in store.openings(record.experiment.name)
    ]
    return sorted([*of_test, *of_holdout], key=lambda one: one.at)


def _places(project: Project, record: TrainingRecord, tracked: TrackingResult) -> list[Place]:
    """Return the locations of the parts of a training."""
    start, hpo = record.start, record.hpo
    version = f"{tracked.registered_model_name}, version {tracked.version}" if tracked.version is not None else "none"
    dagster = f"{project.settings.dagster_url}/runs/{start.dagster_run_id}"
    return [
        Place("Study", hpo.hpo_study_name or "none"),
        Place("Best trial", "none" if hpo.hpo_best_trial is None else str(hpo.hpo_best_trial)),
        Place("Study key (spec hash)", start.study_key),
        Place("Experiment file (hash of its content)", content_hash(record.experiment.model_dump(mode="json"))),
        Place("Model key", record.model_key),
        Place("Model archive (SHA-256)", _archive_hash(record.model_folder / ARCHIVE)),
        Place("Training run (ml_training_runs.id)", start.training_run_id),
        Place("MLflow run", tracked.run_id or f"{tracked.status}: {tracked.reason}", mlflow_url(project, tracked)),
        Place("Registered model", version),
        Place("Dagster run", start.dagster_run_id or "none", dagster),
        Place("Model in the state", record.model_location),
        Place("Everything in SQL", "e2i db psql -- -c 'SELECT * FROM training_run_links'"),
    ]


def _archive_hash(folder: Path) -> str:
    return str(json_of(folder / MANIFEST)["sha256"])


def latest_report(settings: Settings, experiment: str) -> Path:
    """Return the path of the report of an experiment's latest training, or of a copy of it. Needs no database.

    Raises:
        ReportMissing: The experiment has not been trained, or its training has no report.
    """
    try:
        hpo: HpoOutput = stored_value(settings, HpoOutput, "best_hyperparameters", experiment)
    except AssetMissing:
        raise ReportMissing(
            f"{experiment} has not been trained yet, so there is no report: e2i run {experiment}"
        ) from None
    key = f"{report_key(experiment, str(hpo.hpo_spec_hash))}/{REPORT}"
    path = settings.store.file(key)
    if not path.is_file():
        raise ReportMissing(
            f"the latest training of {experiment} has no report {settings.store.location(key)}: materialise "
            f"trained_model of the partition {experiment} in Dagster (e2i up), which writes it"
        )
    return path
