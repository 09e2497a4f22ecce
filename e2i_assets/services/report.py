"""The report of a training: gathered from what the graph has made, written beside it, and given to MLflow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from e2i_assets.adapters.files import asset_values
from e2i_assets.adapters.files.asset_values import AssetDamaged, AssetMissing
from e2i_assets.adapters.files.report_files import (
    MODEL,
    REPORT,
    STUDY,
    ReportMissing,
    keep_pictures,
    kept_pictures,
    replace,
    report_folder,
)
from e2i_assets.adapters.mlflow.tracked_run import TrackingResult
from e2i_assets.adapters.settings import Settings
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.dataset import DatasetFacts
from e2i_assets.core.data.feature_columns import unused
from e2i_assets.core.data.split_tables import SplitFacts, TrainingRows
from e2i_assets.core.evaluation.segments import Gap
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.permutation import FeatureImportance
from e2i_assets.core.report.facts import Place, ReportFacts
from e2i_assets.core.report.findings import verdict
from e2i_assets.core.report.page import report_page
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search.tuning import Tuned
from e2i_assets.core.training import Training
from e2i_assets.services.project import Project


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """A report as it stands on disk, and what it says at its top."""

    path: Path
    verdict: Sequence[str]


def study_pictures_of(project: Project, experiment: Experiment, hpo: HpoOutput) -> dict[str, bytes]:
    """Return the pictures that the study of this training left, by file name."""
    return kept_pictures(report_folder(project.settings, experiment.name, str(hpo.hpo_spec_hash)) / STUDY)


def written_report(
    project: Project,
    experiment: Experiment,
    rows: TrainingRows,
    hpo: HpoOutput,
    training: Training,
    gaps: Sequence[Gap],
    validation_importance: Sequence[FeatureImportance],
    pictures: Mapping[str, bytes],
    tracked: TrackingResult,
    places: Sequence[Place],
) -> WrittenReport:
    """Write the report and the pictures of a training as files.

    Args:
        workspace: The project.
        experiment, rows, hpo, training, gaps, validation_importance: See `ReportFacts`.
        pictures: Of the model and of its study, by file name.
        tracked: What became of the log in MLflow.
        places: Where everything else is kept.
    """
    identity = str(hpo.hpo_spec_hash)
    folder = report_folder(project.settings, experiment.name, identity)
    study = kept_study(project, experiment.name, identity)
    report = ReportFacts(
        experiment=experiment,
        facts=rows.facts,
        hpo=hpo,
        study=study,
        training=training,
        gaps=gaps,
        validation_importance=validation_importance,
        pictures=pictures,
        places=places,
        missing=[] if tracked.status == "logged" else [f"the log in MLflow is {tracked.status}: {tracked.reason}"],
        made_at=datetime.now(UTC),
        unused=unused_columns(project, experiment),
    )
    of_study = kept_pictures(folder / STUDY)
    keep_pictures(folder / MODEL, {name: png for name, png in pictures.items() if name not in of_study})
    replace(folder / REPORT, report_page(report).encode())
    return WrittenReport(folder / REPORT, verdict(report))


def unused_columns(project: Project, experiment: Experiment) -> dict[str, str]:
    """Return the columns that nobody asked to keep out of the features and that are none, with the reason."""
    try:
        known: DatasetFacts = project.read(DatasetFacts, "dataset", experiment.name)
    except AssetMissing:
        return {}
    return unused(known.left_out, experiment)


def pointed_out(project: Project, experiment: Experiment) -> tuple[str, ...]:
    """Return what a person should know of the rows of an experiment, each a sentence."""
    try:
        facts: SplitFacts = project.read(SplitFacts, "validation_splits", experiment.name)
    except AssetMissing:
        return ()
    return facts.pointed_out


def training_places(
    settings: Settings,
    hpo: HpoOutput,
    tracked: TrackingResult,
    mlflow_url: str | None,
    training_run_id: str,
    dagster_run_id: str,
    folder: Path,
) -> list[Place]:
    """Return where a person finds everything of a training again."""
    version = f"{tracked.registered_model_name}, version {tracked.version}" if tracked.version is not None else "none"
    return [
        Place("Study", hpo.hpo_study_name or "none"),
        Place("Best trial", "none" if hpo.hpo_best_trial is None else str(hpo.hpo_best_trial)),
        Place("Identity of the study (spec hash)", str(hpo.hpo_spec_hash)),
        Place("Training run (ml_training_runs.id)", training_run_id),
        Place("MLflow run", tracked.run_id or f"{tracked.status}: {tracked.reason}", mlflow_url),
        Place("Registered model", version),
        Place("Dagster run", dagster_run_id or "none", f"{settings.dagster_url}/runs/{dagster_run_id}"),
        Place("Model on disk", str(folder)),
        Place("Everything in SQL", "e2i db psql -- -c 'SELECT * FROM training_run_links'"),
    ]


def kept_study(project: Project, experiment: str, identity: str) -> StudyResult | None:
    """Return the study of this identity as the graph keeps it; None without a search, or where it has moved on."""
    try:
        tuned: Tuned = project.read(Tuned, "hpo_study", experiment)
    except (AssetMissing, AssetDamaged):
        return None
    return tuned.result if tuned.identity == identity else None


def latest_report(settings: Settings, experiment: str) -> Path:
    """Return where the report of an experiment's latest training is; this needs no database.

    Raises:
        ReportMissing: It was not trained yet, or before there were reports.
    """
    folder = settings.assets / "best_hyperparameters" / experiment
    try:
        hpo: HpoOutput = asset_values.read(HpoOutput, folder)
    except AssetMissing:
        raise ReportMissing(f"{experiment} was not trained yet, so there is no report: e2i run {experiment}") from None
    path = report_folder(settings, experiment, str(hpo.hpo_spec_hash)) / REPORT
    if not path.is_file():
        raise ReportMissing(
            f"the latest training of {experiment} has no report in {path.parent}: materialise trained_model of the "
            f"partition {experiment} in Dagster (e2i up), which writes it"
        )
    return path
