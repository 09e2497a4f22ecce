"""The evaluation records of a run, and the independence of all its outputs from the holdout."""

import json
import re
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from e2i_assets.adapters.mlflow.client import mlflow_client
from e2i_assets.core.plots.captions import CAPTIONS
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
    """Add a column of two large hospitals and a small one."""
    names = np.array(["north", "south", "north", "south", "north", "island"])
    return frame.assign(site=names[(np.arange(len(frame)) // 2) % 6])


def metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    (found,) = [event for event in result.get_asset_materialization_events() if event.asset_key == dg.AssetKey(asset)]
    return dict(found.materialization.metadata)


def files_of(project: Any, run_id: str) -> dict[str, bytes]:
    """Return every artifact of an MLflow run by its path."""
    run = _client(project).get_run(run_id)
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _client(project: Any) -> Any:
    return mlflow_client(project.project.database.url_for("mlflow"))


@pytest.mark.usefixtures("pictures")
def test_a_run_records_pictures_segments_model_version_and_test_set_access(project: Any) -> None:
    """The tables, MLflow and the metadata of the asset each contain the records under their names."""
    project.write_rows(with_sites(project.rows()))
    result = project.run(WITH_SEGMENTS)
    assert result.success, project.failure(result)

    shown = metadata_of(result, "trained_model")
    assert {name.removesuffix(".png") for name in PICTURES} <= shown.keys()
    for name in PICTURES:
        title, caption = CAPTIONS[name]
        picture = str(shown[name.removesuffix(".png")].value)
        assert picture.startswith(f"**{title}.** {caption}\n\n![{title}](data:image/png;base64,")
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
    assert metrics["primary_metric"] == metrics["test_roc_auc"] == metrics["main/test_roc_auc"]
    assert sorted(name for name in metrics if "/" in name) == [
        "main/success_criteria_met",
        *(f"main/test_roc_auc{of}" for of in ("", "_of_defaults", "_of_dummy")),
        *("main/train_roc_auc", "main/validation_roc_auc"),
    ]
    opened = _client(project).get_experiment_by_name("e2i_cells")
    assert opened.tags["mlflow.experimentKind"] == "custom_model_development"
    view = json.loads(opened.tags["mlflow.sharedViewState.roc_auc"])
    state = json.loads(view["state"])
    assert view["name"] == "roc_auc on test, best first"
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`main/test_roc_auc`", False)
    assert {name for name in metrics if "/" in name} == {
        one.removeprefix("metrics.`").removesuffix("`") for one in state["selectedColumns"] if "metrics" in one
    }
    runs = f"/#/experiments/{opened.experiment_id}/runs?viewStateShareKey=roc_auc"
    assert str(shown["mlflow_runs"].value).endswith(runs)
    assert str(shown["mlflow_run"].value).endswith(f"/#/runs/{mlflow_run}")

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

    # Training again yields the same model, and a second access to its test rows.
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


def test_a_model_gets_a_version_without_mlflow(project: Any, monkeypatch: Any) -> None:
    """The row is written while MLflow is unavailable, and gets its version number later."""
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


# Values that differ between any two runs: ids, hashes, timestamps and durations.
_IDENTIFIERS = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{12,64}|model_\w+_[0-9a-f]{8}"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d.+:Z]*|\d{8}_\d{6}|\b\d+(\.\d+)?(ms| ?s)\b|pid: \d+"
    r"|/\S*pytest\S*|test_[0-9a-f]{8}\S*"
)
_CLOCK = re.compile(
    r"seconds|duration|datetime|_at$|_time$|^created|^updated|worker|timestamp|prediction_time", re.IGNORECASE
)


def normalised(value: Any) -> Any:
    """Return a value without ids, hashes, timestamps and durations."""
    if isinstance(value, dict):
        return {key: normalised(one) for key, one in value.items() if not _CLOCK.search(str(key))}
    if isinstance(value, list | tuple):
        return [normalised(one) for one in value]
    return _IDENTIFIERS.sub("*", value) if isinstance(value, str) else value


def outputs_of(project: Any, result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """Return every visible output of a run: tables, files, MLflow, metadata, checks and log lines."""
    found: dict[str, Any] = {}
    tables = project.all("SELECT tablename FROM pg_tables WHERE schemaname = 'e2i' AND tablename NOT LIKE 'schema%%'")
    newest = "(SELECT id FROM ml_split_registry ORDER BY created_at DESC LIMIT 1)"
    only = {"ml_split_registry": f"WHERE id = {newest}", "ml_split_assignments": f"WHERE split_id = {newest}"}
    audit = "(SELECT split_hash FROM ml_split_registry ORDER BY created_at DESC LIMIT 1)"
    only["ml_leakage_audit"] = f"WHERE split_hash = {audit}"
    for (name,) in tables:
        rows = project.all(f"SELECT row_to_json(one) FROM {name} AS one {only.get(name, '')}")
        found[f"table {name}"] = sorted(json.dumps(normalised(row[0]), sort_keys=True) for row in rows)
    for file in sorted(path for path in project.project.settings.assets.rglob("*") if path.is_file()):
        asset, *_, name = file.relative_to(project.project.settings.assets).parts
        if name == "value.json":
            found[f"file {asset}"] = normalised(json.loads(file.read_text()))
        elif asset != "dataset" and name != "holdout.parquet":
            found[f"file {asset}/{name}"] = pd.read_parquet(file).to_csv()
    ((run_id,),) = project.all("SELECT mlflow_run_id FROM ml_training_runs")
    run = _client(project).get_run(run_id)
    found["mlflow values"] = normalised([run.data.metrics, run.data.params, run.data.tags])
    for name, content in files_of(project, run_id).items():
        if name.endswith(".json"):
            found[f"mlflow {name}"] = normalised(without_clock(json.loads(content)))
        elif name.endswith(".html"):
            found[f"mlflow {name}"] = report_text(content.decode())
        elif not name.endswith("MLmodel"):
            found[f"mlflow {name}"] = content
    for event in result.get_asset_materialization_events():
        for key, value in event.materialization.metadata.items():
            if not _CLOCK.search(key):
                found[f"metadata {event.asset_key.path[-1]} {key}"] = normalised(shown(value))
    for one in result.get_asset_check_evaluations():
        facts = {key: str(value.value) for key, value in one.metadata.items()}
        found[f"check {one.check_name}"] = normalised([one.passed, one.description, facts])
    lines = [record.user_message for record in project.instance.all_logs(result.run_id)]
    found["log"] = sorted(normalised(line) for line in lines)
    return found


def without_clock(document: Any) -> Any:
    """Return a table in MLflow's format without its columns of time; return any other document unchanged."""
    if not isinstance(document, dict) or document.keys() != {"columns", "data"}:
        return document
    kept = [place for place, name in enumerate(document["columns"]) if not _CLOCK.search(name)]
    return {"columns": document["columns"], "data": [[row[place] for place in kept] for row in document["data"]]}


def report_text(page: str) -> str:
    """Return a report without its pictures and numbers: these are compared elsewhere, or depend on time."""
    return re.sub(r"[\d.,]+", "#", normalised(re.sub(r"data:image/png;base64,[^\"]+", "picture", page)))


def shown(value: Any) -> Any:
    return [dict(one.data) for one in value.records] if isinstance(value, dg.TableMetadataValue) else str(value.value)


def other_holdout(frame: pd.DataFrame, placed: dict[str, str]) -> pd.DataFrame:
    """Shuffle the values and invert the label of every holdout row."""
    frame, in_holdout = frame.copy(), frame.patient.map(placed) == "holdout"
    assert 0.02 < in_holdout.mean() < 0.08
    draws = np.random.default_rng(7)
    for column in frame.columns.drop(["patient", "target"]):
        frame.loc[in_holdout, column] = draws.permutation(frame.loc[in_holdout, column].to_numpy())
    frame.loc[in_holdout, "target"] = 1 - frame.loc[in_holdout, "target"]
    return frame


@pytest.mark.usefixtures("pictures")
def test_no_output_of_a_run_depends_on_the_holdout(project: Any, other_project: Any) -> None:
    """Two projects that differ only in the holdout have equal tables, files, MLflow runs, metadata, checks and logs."""
    outputs = []
    for one, change in ((project, False), (other_project, True)):
        frame = with_sites(one.rows())
        one.write_rows(frame)
        assert one.run(WITH_SEGMENTS, selection=["dataset", "validation_splits"]).success
        placed = dict(one.all("SELECT entity_key, role FROM ml_split_assignments"))
        # Only cell values differ: another order of columns would be another table.
        one.write_rows(other_holdout(frame, placed) if change else frame)
        result = one.run(WITH_SEGMENTS)
        assert result.success, one.failure(result)
        outputs.append(outputs_of(one, result))
    first, second = outputs
    assert len(project.all("SELECT DISTINCT data_hash FROM ml_hpo_studies")) == 1
    assert first["file dataset"] == second["file dataset"]
    assert first.keys() == second.keys()
    different = [name for name in first if first[name] != second[name]]
    assert [(name, first[name], second[name]) for name in different] == []


def test_one_job_evaluates_every_check_and_is_scheduled_nightly(project: Any) -> None:
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
    evaluated = {one.check_name for one in result.get_asset_check_evaluations()}
    # This experiment scores no new rows.
    every = definitions.resolve_asset_graph().asset_check_keys
    assert evaluated == {key.name for key in every if key.asset_key.path[-1] != "predictions"}
    file = project.project.asset_folder("best_hyperparameters", "cells") / "value.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "hpo_trials_run": -1}))
    failed = job.execute_in_process(instance=project.instance, raise_on_error=False)
    assert not failed.success
    assert [one.check_name for one in failed.get_asset_check_evaluations() if not one.passed] == [
        "output_contract_is_valid"
    ]
