"""Without pictures, a training is complete otherwise, and no picture of an earlier training stays."""

from dataclasses import replace
from pathlib import Path

import pytest
from finished_project import PLAIN, made, registered
from mlflow import MlflowClient

from e2i_assets.adapters.mlflow.client import mlflow_client
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.memory.warm_start import WarmStart
from e2i_assets.core.search.tuning import Tuned
from e2i_assets.services.project import Project
from e2i_assets.services.study_plots import drawn_study
from e2i_assets.services.write_report import latest_report

SEARCHED = PLAIN.replace("hpo: {enabled: false}", "hpo: {trials: 4, workers: 1}")


@pytest.fixture
def drawing(database: Database, tmp_path: Path) -> Project:
    return Project(Settings(tmp_path, tmp_path / "state"), database)


@pytest.fixture
def project(drawing: Project) -> Project:
    return replace(drawing, settings=replace(drawing.settings, pictures=False))


def drawn(project: Project) -> dict[str, bytes]:
    """Draw the plots of the stored study, as its asset does."""
    tuned: Tuned = project.read(Tuned, "hpo_study", "plain")
    start: WarmStart = project.read(WarmStart, "warm_start", "plain")
    return drawn_study(project, registered(project, SEARCHED), tuned, start)


def test_neither_the_study_nor_the_model_is_drawn_and_the_report_is_whole(project: Project, drawing: Project) -> None:
    made(project, SEARCHED)
    assert drawn(project) == {}
    report = latest_report(project.settings, "plain")
    assert "data:image/png" not in report.read_text(encoding="utf-8")
    assert list(report.parent.rglob("*.png")) == []
    hpo: HpoOutput = project.read(HpoOutput, "best_hyperparameters", "plain")
    run = project.training_runs.by_spec_hash(str(hpo.hpo_spec_hash))
    assert run is not None
    client: MlflowClient = mlflow_client(project.database.url_for("mlflow"))
    names = [one.path for one in client.list_artifacts(str(run.mlflow_run_id))]
    assert report.name in names
    assert not [name for name in names if name.endswith(".png")]
    assert "optimisation_history.png" in drawn(drawing)


def test_a_picture_of_an_earlier_state_of_the_study_does_not_stay(project: Project, drawing: Project) -> None:
    made(project, SEARCHED)
    assert drawn(drawing)
    folder = latest_report(project.settings, "plain").parent / "study"
    assert list(folder.glob("*.png"))
    drawn(project)
    assert list(folder.glob("*.png")) == []
