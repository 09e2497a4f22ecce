"""The MLflow run of a training, and its later synchronisation if MLflow was unavailable."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from finished_project import PLAIN, made
from mlflow import MlflowClient

from e2i_assets.adapters.mlflow.client import mlflow_client
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.models import version_of
from e2i_assets.adapters.repositories.training_runs import StoredRun
from e2i_assets.adapters.settings import Settings
from e2i_assets.core.contracts.contract import HpoOutput, TrainingOutput
from e2i_assets.core.data.dataset import DatasetFacts
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.errors import E2iError
from e2i_assets.core.search.tuning import Tuned
from e2i_assets.services import track_runs, train
from e2i_assets.services.checks.model_links import linked, run_is_in_mlflow
from e2i_assets.services.freshness import is_complete
from e2i_assets.services.project import Project

SEARCHED = PLAIN.replace("hpo: {enabled: false}", "hpo: {trials: 4, workers: 1}")
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def project(database: Database, tmp_path: Path) -> Project:
    return Project(Settings(tmp_path, tmp_path / "state", pictures=False), database)


@pytest.fixture
def drawing(project: Project) -> Project:
    """The same project with pictures."""
    return replace(project, settings=replace(project.settings, pictures=True))


@pytest.fixture
def offline(project: Project) -> Project:
    """The same project with an MLflow server that does not answer."""
    return Project(replace(project.settings, mlflow_tracking_uri=NOBODY), project.database)


@pytest.fixture
def client(project: Project) -> MlflowClient:
    return mlflow_client(project.database.url_for("mlflow"))


def study_key(project: Project) -> str:
    hpo: HpoOutput = project.read(HpoOutput, "best_hyperparameters", "plain")
    return str(hpo.hpo_spec_hash)


def row(project: Project) -> StoredRun:
    found = project.training_runs.by_spec_hash(study_key(project))
    assert found is not None
    return found


def artifacts(client: MlflowClient, run_id: str | None) -> dict[str, Path]:
    folder = Path(client.get_run(str(run_id)).info.artifact_uri.removeprefix("file://"))
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def test_a_run_links_its_records_and_summarises_the_search(
    project: Project, drawing: Project, client: MlflowClient
) -> None:
    """The run has every link, in both directions, and no wrong value."""
    made(drawing, SEARCHED)
    stored = row(project)
    run = client.get_run(str(stored.mlflow_run_id))
    assert run.info.status == "FINISHED"
    assert run.data.tags.items() >= {
        ("e2i.training_run_id", stored.id),
        ("e2i.spec_hash", stored.spec_hash),
        ("e2i.data_hash", stored.data_hash),
        ("e2i.study_name", stored.optuna_study_name),
        ("e2i.best_trial", str(stored.optuna_trial_number)),
        ("e2i.learnt_from", "train and validation rows"),
        ("e2i.training_samples", str(stored.training_samples)),
        ("dagster_run_id", stored.dagster_run_id),
    }
    assert f"/runs/{stored.dagster_run_id}" in run.data.tags["mlflow.note.content"]
    assert {key for key in run.data.params if key.startswith("hp_")} == {f"hp_{key}" for key in stored.hyperparameters}
    for split in ("train", "validation", "test"):
        metrics = getattr(stored, f"{split}_metrics")
        assert metrics
        assert {name: run.data.metrics[f"{split}_{name}"] for name in metrics} == metrics
    assert run.data.metrics["success_criteria_met"] == 1.0
    (dataset,) = run.inputs.dataset_inputs
    assert stored.data_hash.startswith(dataset.dataset.digest)

    values = client.get_metric_history(run.info.run_id, "trial_roc_auc")
    best = client.get_metric_history(run.info.run_id, "trial_best_roc_auc")
    assert len(values) == len(best) == run.data.metrics["hpo_trials_run"]
    assert max(one.value for one in values) == max(best, key=lambda one: one.step).value
    assert {"trials.json", "metrics.json", "success_criteria.json", "feature_importance.json", "roc_curve.png"} <= set(
        artifacts(client, stored.mlflow_run_id)
    )
    assert not list((project.settings.state / "mlflow-outbox").rglob("*"))


def test_logging_a_training_twice_adds_no_metric_steps(project: Project, client: MlflowClient) -> None:
    made(project, SEARCHED)
    before = client.get_metric_history(str(row(project).mlflow_run_id), "trial_seconds")
    made(project, SEARCHED)
    after = client.get_metric_history(str(row(project).mlflow_run_id), "trial_seconds")
    assert len(after) == len(before) == 4


def test_equal_experiments_have_separate_studies_and_models(project: Project, client: MlflowClient) -> None:
    """With a shared row, the budget of the second counted as spent, and the second waited forever."""
    made(project, SEARCHED)
    made(project, SEARCHED.replace("name: plain", "name: twin"))
    with project.database.connect() as connection:
        trials = "SELECT study_name, count(*) FROM ml_hpo_studies AS s JOIN ml_hpo_trials ON study_id = s.id GROUP BY 1"
        assert [row.count for row in connection.exec_driver_sql(trials)] == [4, 4]
        for table in ("ml_hpo_studies", "ml_training_runs"):
            owners = connection.exec_driver_sql(f"SELECT count(DISTINCT experiment_id) FROM {table}")
            assert owners.scalar_one() == 2, table
        patterns = "SELECT count(*) FROM ml_hpo_patterns WHERE source = 'study'"
        assert connection.exec_driver_sql(patterns).scalar_one() == 2
    names = {model.name for model in client.search_registered_models()}
    assert {"e2i_plain", "e2i_twin"} <= names


def test_a_failed_training_is_a_failed_run_and_the_next_one_is_a_new_run(
    finished: Project,
) -> None:
    """MLflow, and not only Dagster, shows the failed training and its error."""
    client = mlflow_client(finished.database.url_for("mlflow"))
    hpo: HpoOutput = finished.read(HpoOutput, "best_hyperparameters", "plain")
    impossible = hpo.model_copy(update={"best_hyperparameters": {**hpo.best_hyperparameters, "C": -1.0}})
    rows: TrainingRows = finished.read(TrainingRows, "validation_splits", "plain")
    data: DatasetFacts = finished.read(DatasetFacts, "dataset", "plain")
    study: Tuned = finished.read(Tuned, "hpo_study", "plain")
    for _ in range(2):  # tried again, it is the same run
        with pytest.raises(ValueError, match="'C' parameter"):
            train.train(finished, finished.experiment("plain"), data, rows, study, impossible, "the-dagster-run")
    experiment = client.get_experiment_by_name("e2i_plain")
    assert experiment is not None
    runs = {run.info.status: run for run in client.search_runs([experiment.experiment_id])}
    assert len(client.search_runs([experiment.experiment_id])) == len(runs) == 2
    assert runs["FAILED"].data.params["hp_C"] == "-1.0"
    assert "'C' parameter" in runs["FAILED"].data.tags["e2i.failure"]
    assert runs["FAILED"].data.tags["dagster_run_id"] == "the-dagster-run"
    assert "e2i.failure" not in runs["FINISHED"].data.tags


@pytest.mark.parametrize("place", ["validation_importance", "model_pictures", "row_writers"])
def test_a_training_interrupted_after_the_fit_does_not_stay_running(
    project: Project, drawing: Project, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """A training that a user stopped while it drew pictures stayed "running" forever."""

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train, place, stopped)
    with pytest.raises(KeyboardInterrupt):
        made(drawing)
    monkeypatch.undo()
    assert (row(project).status, row(project).error_message) == ("failed", "KeyboardInterrupt: ")
    made(project)
    assert (row(project).status, row(project).error_message) == ("finished", None)


def test_a_model_is_trained_and_stored_without_mlflow(offline: Project) -> None:
    """No id is invented, nothing is discarded, and nothing is trained again."""
    made(offline)
    stored = row(offline)
    assert (stored.status, stored.mlflow_run_id) == ("finished", None)
    output: TrainingOutput = offline.read(TrainingOutput, "trained_model", "plain")
    assert (output.mlflow_info.mlflow_status, output.mlflow_info.run_id) == ("unavailable", None)
    (pending,) = track_runs.waiting(offline)
    assert (pending.experiment, pending.identity) == ("plain", study_key(offline))
    assert "no MLflow server answers" in pending.reason
    assert is_complete(offline, offline.experiment("plain"))


def test_an_unsynced_training_is_sent_once_and_every_link_is_completed(
    offline: Project, project: Project, client: MlflowClient
) -> None:
    made(offline, SEARCHED)
    value = offline.asset_folder("trained_model", "plain") / "value.json"
    materialised = value.read_bytes()
    assert (
        track_runs.attach(offline, "plain", study_key(offline), {"report.html": b"<p>later</p>"}).status
        == "unavailable"
    )
    assert [one.result.status for one in track_runs.catch_up(offline)] == ["unavailable"]

    (caught,) = track_runs.catch_up(project)
    assert (caught.experiment, caught.result.status) == ("plain", "logged")
    assert value.read_bytes() == materialised, "Dagster alone writes what an asset stores"
    assert list(track_runs.catch_up(project)) == []
    assert not list((project.settings.state / "mlflow-outbox").glob("*"))

    stored = row(project)
    run = client.get_run(str(stored.mlflow_run_id))
    assert run.info.status == "FINISHED"
    assert run.data.metrics["test_roc_auc"] == stored.test_metrics["roc_auc"]
    assert artifacts(client, stored.mlflow_run_id)["report.html"].read_bytes() == b"<p>later</p>"
    assert "model/MLmodel" in artifacts(client, stored.mlflow_run_id)
    version = version_of(project.database, stored.id)
    assert version is not None
    assert (version.model_version, version.mlflow_run_id) == ("1", stored.mlflow_run_id)
    assert client.get_model_version_by_alias("e2i_plain", "staging").run_id == stored.mlflow_run_id
    for check_spec in (linked, run_is_in_mlflow):
        check_result = check_spec(project, "plain")
        assert check_result.outcome == "passed", check_result.why


def test_a_late_model_does_not_take_the_alias_from_a_newer_one(
    offline: Project, project: Project, client: MlflowClient
) -> None:
    made(offline)
    made(project, PLAIN.replace("hpo: {enabled", "fixed: {C: 0.5}\nhpo: {enabled"))
    newer = client.get_model_version_by_alias("e2i_plain", "staging").run_id
    assert [one.result.status for one in track_runs.catch_up(project)] == ["logged"]
    assert len(client.search_model_versions("name = 'e2i_plain'")) == 2
    assert client.get_model_version_by_alias("e2i_plain", "staging").run_id == newer


def test_a_replaced_training_is_not_sent(offline: Project, project: Project, client: MlflowClient) -> None:
    made(offline)
    (pending,) = track_runs.waiting(offline)
    made(project)
    assert track_runs.waiting(project) == []
    project.outbox.put("plain", pending.identity, replace(pending.run, run_key="another"), "unavailable")
    (caught,) = track_runs.catch_up(project)
    assert caught.result.status == "refused"
    assert track_runs.waiting(project) == []
    assert len(client.search_runs([client.get_experiment_by_name("e2i_plain").experiment_id])) == 1


def test_a_file_is_added_to_the_run_of_a_finished_training(project: Project, client: MlflowClient) -> None:
    made(project)
    assert track_runs.attach(project, "plain", study_key(project), {"report.html": b"<p>"}).status == "logged"
    assert "report.html" in artifacts(client, row(project).mlflow_run_id)
    assert track_runs.attach(project, "plain", "unknown", {"report.html": b"<p>"}).status == "refused"


def damage_json(place: Path) -> None:
    (place / "run.json").write_text("{")


def damage_fields(place: Path) -> None:
    (place / "run.json").write_text('{"since": "2026-01-01", "reason": "", "run": {}}')


@pytest.mark.parametrize("damage", [damage_json, damage_fields])
def test_a_damaged_folder_is_an_error_that_says_what_to_do(offline: Project, damage: Callable[[Path], None]) -> None:
    made(offline)
    (found,) = (offline.settings.state / "mlflow-outbox").glob("plain/*")
    damage(found)
    with pytest.raises(E2iError, match=r"remove the folder and run `e2i run plain`"):
        track_runs.waiting(offline)


def test_an_incomplete_folder_of_a_killed_process_blocks_no_run(offline: Project) -> None:
    """An incomplete folder counted as damaged, and every later run of the experiment failed until it was removed."""
    made(offline)
    (pending,) = track_runs.waiting(offline)
    half = (offline.settings.state / "mlflow-outbox") / "plain" / f".{pending.identity[:12]}-killed" / "new"
    half.mkdir(parents=True)
    (half / "run.json").write_text('{"since": ')
    os.utime(half.parent, (0, 0))
    assert [one.identity for one in track_runs.waiting(offline)] == [pending.identity]
    offline.outbox.put("plain", pending.identity, pending.run, "still unavailable")
    assert not half.exists()
    offline.outbox.drop("plain", pending.identity)
    assert not ((offline.settings.state / "mlflow-outbox") / "plain").exists()
