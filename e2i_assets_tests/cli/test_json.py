"""`--json`: the standard output is one document."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from click.testing import Result
from finished_project import made

from e2i_assets.cli.dagster_home import dagster_instance
from e2i_assets.services.project import Project

RunCli = Callable[..., Result]
Written = Callable[..., Path]


def test_validate_lists_each_error_with_its_place_and_value(run_cli: RunCli, written: Written) -> None:
    written("good")
    written("bad", "name: bad\nowner: team:tests\nalgorithm: XGBost\n")
    answer = run_cli("experiment", "validate", "--json")
    assert answer.exit_code == 1
    good, bad = json.loads(answer.stdout)
    assert good == {"name": "good", "valid": True, "unused": {}, "notes": [], "error": None, "mistakes": []}
    assert (bad["name"], bad["valid"]) == ("bad", False)
    assert ("algorithm", "XGBost") in [(one["where"], one["value"]) for one in bad["mistakes"]]


def test_validate_of_an_empty_folder_is_an_empty_document(run_cli: RunCli) -> None:
    assert json.loads(run_cli("experiment", "validate", "--json").stdout) == []


def test_list_describes_each_experiment_and_its_state(run_cli: RunCli, finished: Project, written: Written) -> None:
    written("fresh")
    written("bad", "name: bad")
    found = {one["name"]: one for one in json.loads(run_cli("experiment", "list", "--json").stdout)}
    assert found["fresh"]["state"] == "new"
    assert (found["fresh"]["algorithm"], found["fresh"]["trained_at"]) == ("XGBoost", None)
    plain = found["plain"]
    assert (plain["state"], plain["trained_at"] is None, plain["owner"]) == ("file gone", False, "team:tests")
    low, high = plain["test_interval"]
    assert (plain["test_metric"], 0.9 < low < plain["test_value"] < high <= 1) == ("roc_auc", True)
    assert (plain["model_in_use"], plain["in_use_since"] is None, plain["retired_at"]) == ("1", False, None)
    # Dagster has evaluated no check of it.
    assert plain["checks"] is None
    assert found["bad"]["state"] == "not valid"


def test_migrate_lists_its_changes(run_cli: RunCli, project: Project) -> None:
    with project.database.begin() as connection:
        connection.execute(sa.text("UPDATE e2i.schema_owners SET library_version = '0' WHERE owner = 'optuna'"))
    assert json.loads(run_cli("db", "migrate", "--json").stdout) == {"applied": [], "prepared": ["optuna"]}


def test_holdout_returns_its_metrics_and_its_record(run_cli: RunCli, finished: Project) -> None:
    run_cli("holdout", "plain", "--why", "first")
    found = json.loads(run_cli("holdout", "plain", "--why", "second", "--json").stdout)
    assert (found["opening"], found["reason"]) == (2, "second")
    assert found["metrics"]["roc_auc"] > 0.9
    assert [one["reason"] for one in found["earlier"]] == ["first"]


def test_track_lists_synced_and_waiting_trainings(
    run_cli: RunCli, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2I_MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    made(Project(replace(project.settings, mlflow_tracking_uri="http://127.0.0.1:9"), project.database))
    before = run_cli("track", "--catch-up", "--json")
    assert before.exit_code == 1
    (waits,) = json.loads(before.stdout)["trainings"]
    assert (waits["experiment"], waits["mlflow_run_id"]) == ("plain", None)
    assert "no MLflow server answers" in waits["waiting"]

    shown = run_cli("track", "plain")
    assert shown.exit_code == 0
    assert "waits: unavailable" in shown.stdout
    assert "`e2i track --catch-up` sends the waiting trainings" in shown.stdout

    monkeypatch.delenv("E2I_MLFLOW_TRACKING_URI")
    after = run_cli("track", "--catch-up", "--json")
    assert after.exit_code == 0
    found = json.loads(after.stdout)
    assert [one["status"] for one in found["tried"]] == ["logged"]
    assert (found["trainings"][0]["waiting"], found["closed"]) == (None, [])
    with dagster_instance(project.settings) as instance:
        (told_dagster,) = instance.fetch_observations(dg.AssetKey("trained_model"), limit=5).records
    observation = told_dagster.asset_observation
    assert observation is not None
    assert (observation.partition, observation.metadata["mlflow"].value) == ("plain", found["tried"][0]["run_id"])
    again = run_cli("track", "--catch-up")
    assert (again.exit_code, found["trainings"][0]["mlflow_run_id"] in again.stdout) == (0, True)
    assert run_cli("track", "nobody").exit_code == 1
