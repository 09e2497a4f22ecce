"""Limits of MLflow: long texts are truncated and marked, deleted experiments are restored, taken names are reported."""

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Ridge

from e2i_assets.adapters.mlflow import tracked_run
from e2i_assets.adapters.mlflow.client import mlflow_client
from e2i_assets.adapters.mlflow.model_folder import save_mlflow_model
from e2i_assets.adapters.mlflow.tracked_run import TrackedRun, cut
from e2i_assets.adapters.mlflow.tracker import Tracker
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.core.fitting.fitted_model import FittedModel

LONG = "Größe 🙂 " * 4000


@pytest.fixture
def uri(database: Database) -> str:
    return database.url_for("mlflow")


@pytest.fixture
def tracker(uri: str, database: Database, tmp_path: Path) -> Tracker:
    return Tracker(uri, (tmp_path / "artifacts").as_uri(), database.advisory_lock)


@pytest.fixture
def run() -> TrackedRun:
    key = uuid4().hex
    return TrackedRun(experiment_name=f"e2i_{key[:8]}", run_key=key, run_name="Ridge", metrics={"test_rmse": 1.0})


@pytest.fixture
def model(tmp_path: Path) -> Path:
    import pandas as pd

    rows = pd.DataFrame({"visits": [1.0, 2.0, 4.0]})
    preparation = ColumnTransformer([("all", "passthrough", ["visits"])]).fit(rows)
    fitted = FittedModel(preparation, Ridge().fit(preparation.transform(rows), [1.0, 2.0, 3.0]))
    save_mlflow_model(fitted, tmp_path / "model-folder", rows)
    return tmp_path / "model-folder"


def test_our_limits_are_those_of_the_installed_mlflow() -> None:
    from mlflow.store.model_registry.dbmodels.models import SqlModelVersion, SqlRegisteredModelTag
    from mlflow.store.tracking.dbmodels.models import SqlRun
    from mlflow.utils import validation

    assert tracked_run.LONGEST_PARAM == validation.MAX_PARAM_VAL_LENGTH
    assert tracked_run.LONGEST_TAG == validation.MAX_TAG_VAL_LENGTH
    assert tracked_run.LONGEST_EXPERIMENT_TAG == validation.MAX_EXPERIMENT_TAG_VAL_LENGTH
    assert SqlModelVersion.__table__.c.description.type.length == tracked_run.LONGEST_REGISTERED
    assert SqlRegisteredModelTag.__table__.c.value.type.length == tracked_run.LONGEST_REGISTERED
    assert SqlRun.__table__.c.name.type.length == tracked_run.LONGEST_NAME


def test_every_long_text_is_logged_cut_and_marked_and_the_second_time_is_no_other(
    uri: str, tracker: Tracker, run: TrackedRun, model: Path
) -> None:
    long = replace(
        run,
        run_name=LONG,
        description=LONG,
        experiment_tags={"mlflow.note.content": LONG},
        tags={"algorithm": LONG},
        params={"hp_text": LONG, "hp_list": list(range(5000))},
        model_folder=model,
        registered_model_name=run.experiment_name,
    )
    result = tracker.log(long)
    assert (result.status, result.reason) == ("logged", None)
    assert tracker.log(long) == result
    client = mlflow_client(uri)
    stored = client.get_run(result.run_id)
    kept = {
        "run name": (stored.info.run_name, 250),
        "description": (stored.data.tags["mlflow.note.content"], 8000),
        "tag": (stored.data.tags["algorithm"], 8000),
        "parameter": (stored.data.params["hp_text"], 6000),
        "experiment": (client.get_experiment(result.experiment_id).tags["mlflow.note.content"], 20_000),
        "registered tag": (client.get_registered_model(run.experiment_name).tags["algorithm"], 5000),
        "version": (client.get_model_version(run.experiment_name, "1").description, 5000),
    }
    for what, (text, limit) in kept.items():
        assert text == cut(LONG, limit), what
        assert len(text) == limit, what
        assert text.endswith("[cut from 32,000 characters]"), what
    assert stored.data.params["hp_list"].endswith("[cut from 28,890 characters]")


def test_a_long_failure_is_logged_cut_and_marked(uri: str, tracker: Tracker, run: TrackedRun) -> None:
    result = tracker.log(replace(run, failure=LONG))
    assert result.status == "logged"
    stored = mlflow_client(uri).get_run(result.run_id)
    assert stored.data.tags["e2i.failure"] == cut(LONG, 2000)


def test_a_deleted_experiment_is_restored_with_its_runs(uri: str, tracker: Tracker, run: TrackedRun) -> None:
    client, first = mlflow_client(uri), tracker.log(run)
    client.delete_experiment(first.experiment_id)
    assert tracker.log(run) == first
    other = tracker.log(replace(run, run_key=uuid4().hex))
    assert (other.status, other.experiment_id) == ("logged", first.experiment_id)
    assert client.get_experiment(first.experiment_id).lifecycle_stage == "active"


def test_a_deleted_run_is_logged_again_as_another(uri: str, tracker: Tracker, run: TrackedRun) -> None:
    first = tracker.log(run)
    mlflow_client(uri).delete_run(first.run_id)
    second = tracker.log(run)
    assert second.status == "logged"
    assert second.run_id != first.run_id


def test_a_name_that_a_prompt_has_is_refused_with_what_to_do(
    uri: str, tracker: Tracker, run: TrackedRun, model: Path
) -> None:
    name = f"taken_{run.run_key}"
    mlflow_client(uri).register_prompt(name, "a prompt")
    result = tracker.log(replace(run, model_folder=model, registered_model_name=name))
    assert result.status == "refused"
    assert f"a prompt with the name {name}" in str(result.reason)


def test_a_model_that_somebody_else_registered_gets_our_version_beside_theirs(
    uri: str, tracker: Tracker, run: TrackedRun, model: Path
) -> None:
    client, name = mlflow_client(uri), f"theirs_{run.run_key}"
    client.create_registered_model(name)
    theirs = client.create_model_version(name, source="s3://elsewhere/model", await_creation_for=0)
    result = tracker.log(replace(run, model_folder=model, registered_model_name=name))
    assert (result.status, result.version) == ("logged", int(theirs.version) + 1)
