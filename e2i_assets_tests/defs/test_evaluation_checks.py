"""What a run keeps of how its model was judged, and that the holdout has no part in any of it."""

import json
import re
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from e2i_assets.adapters.mlflow.client import mlflow_client
from e2i_assets.definitions import defs

WITH_SEGMENTS = """
name: cells
owner: team:tests
source: {csv: cells.csv}
target: {name: kind, column: target, bins: [0], labels: [malignant, benign]}
problem_type: binary_classification
columns: {group: patient, drop: [site]}
algorithm: XGBoost
search_space: {max_depth: {low: 2, high: 3}}
hpo: {trials: 3, workers: 1}
segments: [site]
success_criteria: {roc_auc: 0.6}
"""
PICTURES = ("roc_curve.png", "precision_recall_curve.png", "calibration_curve.png", "confusion_matrix.png")


def with_sites(frame: pd.DataFrame) -> pd.DataFrame:
    """Two hospitals, and a third that few patients come from."""
    names = np.array(["north", "south", "north", "south", "north", "island"])
    return frame.assign(site=names[(np.arange(len(frame)) // 2) % 6])


def metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    (found,) = [event for event in result.get_asset_materialization_events() if event.asset_key == dg.AssetKey(asset)]
    return dict(found.materialization.metadata)


def files_of(project: Any, run_id: str) -> dict[str, bytes]:
    """Every artifact of an MLflow run by its path."""
    run = _client(project).get_run(run_id)
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _client(project: Any) -> Any:
    return mlflow_client(project.project.database.url_for("mlflow"))


@pytest.mark.usefixtures("pictures")
def test_a_run_keeps_pictures_segments_its_version_and_its_look_at_the_test_rows(project: Any) -> None:
    """T27, T30: everything under its own name, in the tables, in MLflow and in the asset's metadata."""
    project.write_rows(with_sites(project.rows()))
    result = project.run(WITH_SEGMENTS)
    assert result.success, project.failure(result)

    shown = metadata_of(result, "trained_model")
    assert {name.removesuffix(".png") for name in PICTURES} <= shown.keys()
    assert all("data:image/png;base64," in shown[name.removesuffix(".png")].value for name in PICTURES)
    assert [record.data["column"] for record in shown["segments"].records] == ["site"] * 3

    ((run_id, mlflow_run, test_samples, features),) = project.all(
        "SELECT id, mlflow_run_id, test_samples, feature_names FROM ml_training_runs"
    )
    assert "site" not in features
    stored = project.all("SELECT segment, test_rows, is_small, test_intervals <> '{}' FROM ml_segment_metrics")
    assert {name for name, *_ in stored} == {"north", "south", "island"}
    assert sum(count for _, count, *_ in stored) == test_samples
    assert all(small is not with_interval for *_, small, with_interval in stored)

    files = files_of(project, mlflow_run)
    assert {"evaluation_summary.json", "confusion_matrix.json", "segments.json", *PICTURES} <= files.keys()
    assert all(files[name].startswith(b"\x89PNG") for name in PICTURES)
    assert {one["segment"] for one in json.loads(files["segments.json"])} == {"north", "south", "island"}
    metrics = _client(project).get_run(mlflow_run).data.metrics
    assert metrics["primary_metric"] == metrics["test_roc_auc"]

    ((linked, name, version, uri, auc, slope, stage),) = project.all(
        "SELECT run.id, model_name, model_version, mlflow_model_uri, auc, calibration_slope, stage "
        "FROM ml_model_registry AS model JOIN ml_training_runs AS run ON run.model_registry_id = model.id"
    )
    assert (linked, name, version, uri) == (run_id, "e2i_cells", "1", f"runs:/{mlflow_run}/model")
    assert auc == metrics["test_roc_auc"]
    assert slope is None or slope == metrics["test_calibration_slope"]
    assert stage == "staging"

    assert project.all("SELECT look, reason, dagster_run_id FROM ml_test_looks") == [
        (1, "trained_model was materialised", result.run_id)
    ]

    # The same model once more is no other model, and a second look at its test rows.
    again = project.run(WITH_SEGMENTS, selection=["trained_model"])
    assert again.success, project.failure(again)
    assert project.all("SELECT look, reason FROM ml_test_looks ORDER BY look")[1:] == [
        (2, "trained_model was materialised again")
    ]
    assert project.all("SELECT count(*) FROM ml_model_registry") == [(1,)]
    (warned,) = [one for one in again.get_asset_check_evaluations() if one.check_name == "test_set_was_accessed_once"]
    assert (warned.passed, warned.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert f"{again.run_id}" not in str(warned.description)
    assert "look 2 by" in str(warned.description)


def test_without_mlflow_the_model_has_a_version_all_the_same(project: Any, monkeypatch: Any) -> None:
    """T30: an MLflow that is away costs no row, and its number is put in when it is back."""
    monkeypatch.setenv("E2I_MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    off = project.experiment.replace("{trials: 6}", "{enabled: false}")
    assert project.run(off).success
    ((version, key, uri, stage),) = project.all(
        "SELECT model_version, model_key, mlflow_model_uri, stage FROM ml_model_registry"
    )
    assert (version, uri, stage) == (key[:12], None, "development")
    monkeypatch.delenv("E2I_MLFLOW_TRACKING_URI")
    assert project.run(off, selection=["trained_model"]).success
    assert project.all("SELECT model_version, model_key FROM ml_model_registry") == [("1", key)]


# What differs between any two runs: ids, hashes, moments, and how long something took.
_NAMES_OF_DATA = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{12,64}|model_\w+_[0-9a-f]{8}"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d.+:Z]*|\d{8}_\d{6}|\b\d+(\.\d+)?(ms| ?s)\b|pid: \d+"
    r"|/\S*pytest\S*|test_[0-9a-f]{8}\S*"
)
_CLOCK = re.compile(
    r"seconds|duration|datetime|_at$|_time$|^created|^updated|worker|timestamp|prediction_time", re.IGNORECASE
)


def plain(value: Any) -> Any:
    """Return a value without ids, hashes, moments and durations."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items() if not _CLOCK.search(str(key))}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return _NAMES_OF_DATA.sub("*", value) if isinstance(value, str) else value


def seen(project: Any, result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """Everything that a run left behind where anybody could look at it: tables, files, MLflow, metadata, log lines."""
    found: dict[str, Any] = {}
    tables = project.all("SELECT tablename FROM pg_tables WHERE schemaname = 'e2i' AND tablename NOT LIKE 'schema%%'")
    newest = "(SELECT id FROM ml_split_registry ORDER BY created_at DESC LIMIT 1)"
    only = {"ml_split_registry": f"WHERE id = {newest}", "ml_split_assignments": f"WHERE split_id = {newest}"}
    audit = "(SELECT split_hash FROM ml_split_registry ORDER BY created_at DESC LIMIT 1)"
    only["ml_leakage_audit"] = f"WHERE split_hash = {audit}"
    for (name,) in tables:
        rows = project.all(f"SELECT row_to_json(one) FROM {name} AS one {only.get(name, '')}")
        found[f"table {name}"] = sorted(json.dumps(plain(row[0]), sort_keys=True) for row in rows)
    for file in sorted(path for path in project.project.settings.assets.rglob("*") if path.is_file()):
        asset, *_, name = file.relative_to(project.project.settings.assets).parts
        if name == "value.json":
            found[f"file {asset}"] = plain(json.loads(file.read_text()))
        elif asset != "dataset" and name != "holdout.parquet":
            found[f"file {asset}/{name}"] = pd.read_parquet(file).to_csv()
    ((run_id,),) = project.all("SELECT mlflow_run_id FROM ml_training_runs")
    run = _client(project).get_run(run_id)
    found["mlflow values"] = plain([run.data.metrics, run.data.params, run.data.tags])
    for name, content in files_of(project, run_id).items():
        if name.endswith(".json"):
            found[f"mlflow {name}"] = plain(without_clock(json.loads(content)))
        elif name.endswith(".html"):
            found[f"mlflow {name}"] = words(content.decode())
        elif not name.endswith("MLmodel"):
            found[f"mlflow {name}"] = content
    for event in result.get_asset_materialization_events():
        for key, value in event.materialization.metadata.items():
            if not _CLOCK.search(key):
                found[f"metadata {event.asset_key.path[-1]} {key}"] = plain(shown(value))
    for one in result.get_asset_check_evaluations():
        facts = {key: str(value.value) for key, value in one.metadata.items()}
        found[f"check {one.check_name}"] = plain([one.passed, one.description, facts])
    lines = [record.user_message for record in project.instance.all_logs(result.run_id)]
    found["log"] = sorted(plain(line) for line in lines)
    return found


def without_clock(document: Any) -> Any:
    """Return a table, as MLflow keeps it, without the columns that a clock measures; anything else as it is."""
    if not isinstance(document, dict) or document.keys() != {"columns", "data"}:
        return document
    kept = [place for place, name in enumerate(document["columns"]) if not _CLOCK.search(name)]
    return {"columns": document["columns"], "data": [[row[place] for place in kept] for row in document["data"]]}


def words(page: str) -> str:
    """Return a report without its pictures and numbers: they are of what is compared elsewhere, and of clocks."""
    return re.sub(r"[\d.,]+", "#", plain(re.sub(r"data:image/png;base64,[^\"]+", "picture", page)))


def shown(value: Any) -> Any:
    return [dict(one.data) for one in value.records] if isinstance(value, dg.TableMetadataValue) else str(value.value)


def other_holdout(frame: pd.DataFrame, placed: dict[str, str]) -> pd.DataFrame:
    """Other values and the opposite label in every holdout row."""
    frame, sealed = frame.copy(), frame.patient.map(placed) == "holdout"
    assert 0.02 < sealed.mean() < 0.08
    draws = np.random.default_rng(7)
    for column in frame.columns.drop(["patient", "target"]):
        frame.loc[sealed, column] = draws.permutation(frame.loc[sealed, column].to_numpy())
    frame.loc[sealed, "target"] = 1 - frame.loc[sealed, "target"]
    return frame


@pytest.mark.usefixtures("pictures")
def test_nothing_that_a_run_leaves_behind_depends_on_the_holdout(project: Any, other_project: Any) -> None:
    """Two projects that differ in the holdout alone: their tables, files, MLflow, metadata, checks and logs agree."""
    left = []
    for one, change in ((project, False), (other_project, True)):
        frame = with_sites(one.rows())
        one.write_rows(frame)
        assert one.run(WITH_SEGMENTS, selection=["dataset", "validation_splits"]).success
        placed = dict(one.all("SELECT entity_key, role FROM ml_split_assignments"))
        # The same number of rows in another order of columns would be another table: only cells differ.
        one.write_rows(other_holdout(frame, placed) if change else frame)
        result = one.run(WITH_SEGMENTS)
        assert result.success, one.failure(result)
        left.append(seen(one, result))
    first, second = left
    assert len(project.all("SELECT DISTINCT data_hash FROM ml_hpo_studies")) == 1
    assert first["file dataset"] == second["file dataset"]
    assert first.keys() == second.keys()
    different = [name for name in first if first[name] != second[name]]
    assert [(name, first[name], second[name]) for name in different] == []


def test_every_promise_is_judged_by_one_job_and_every_night(project: Any) -> None:
    definitions = defs()
    schedule = definitions.resolve_schedule_def("nightly_checks")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 3 * * *", "UTC")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert schedule.job_name == "check_everything"
    off = project.experiment.replace("{trials: 6}", "{enabled: false}")
    assert project.run(off).success
    job = definitions.resolve_job_def("check_everything")
    result = job.execute_in_process(instance=project.instance, raise_on_error=False)
    assert result.success, project.failure(result)
    judged = {one.check_name for one in result.get_asset_check_evaluations()}
    assert judged == {key.name for key in definitions.resolve_asset_graph().asset_check_keys}
    file = project.project.asset_folder("best_hyperparameters", "cells") / "value.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "hpo_trials_run": -1}))
    broken = job.execute_in_process(instance=project.instance, raise_on_error=False)
    assert not broken.success
    assert [one.check_name for one in broken.get_asset_check_evaluations() if not one.passed] == [
        "output_contract_is_valid"
    ]
