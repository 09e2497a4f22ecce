import json
import socket
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Ridge
from troubled_server import Trouble, troubled

from e2i_assets.adapters.mlflow.client import mlflow_client
from e2i_assets.adapters.mlflow.model_folder import save_mlflow_model
from e2i_assets.adapters.mlflow.run import ended, found_run
from e2i_assets.adapters.mlflow.tracked_run import TrackedRun, hyperparameters, param_text
from e2i_assets.adapters.mlflow.tracker import Tracker
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.core.errors import E2iError
from e2i_assets.core.fitting.fitted_model import FittedModel

ROWS = pd.DataFrame({"visits": [1.0, 2.0, 4.0], "share": [0.5, 0.1, 0.2]})


@pytest.fixture
def uri(database: Database) -> str:
    return database.url_for("mlflow")


@pytest.fixture
def tracker(uri: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tracker:
    # Anything that MLflow writes to its default address appears in this folder.
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return Tracker(uri, (tmp_path / "artifacts").as_uri(), database.advisory_lock)


@pytest.fixture
def run() -> TrackedRun:
    key = uuid4().hex
    return TrackedRun(
        experiment_name=f"e2i_{key[:8]}",
        run_key=key,
        run_name="Ridge_20260101_120000",
        description="as asked",
        dagster_run_id=f"dagster-{key}",
        tags={"algorithm": "Ridge"},
        params={**hyperparameters({"alpha": 0.25, "_private": 1}), "algorithm_name": "Ridge"},
        metrics={"validation_rmse": 1.5, "test_rmse": 1.75},
        documents={"evaluation_summary.json": {"rows": 3}, "tables/trials.json": [1, 2]},
        figures={"roc.png": b"\x89PNG"},
        started_at=datetime(2026, 1, 1, 12, tzinfo=UTC),
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    preparation = ColumnTransformer([("all", "passthrough", ["visits", "share"])]).fit(ROWS)
    estimator = Ridge(alpha=0.25).fit(preparation.transform(ROWS), [1.0, 2.0, 3.0])
    save_mlflow_model(FittedModel(preparation, estimator), tmp_path / "model-folder", ROWS)
    return tmp_path / "model-folder"


def artifact_names(client: Any, run_id: str) -> set[str]:
    folder = Path(client.get_run(run_id).info.artifact_uri.removeprefix("file://"))
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def run_id_of(uri: str, run_key: str) -> str:
    client = mlflow_client(uri)
    found = found_run(client, [one.experiment_id for one in client.search_experiments()], run_key)
    assert found is not None
    return str(found.info.run_id)


def test_an_experiment_that_a_trace_has_created_gets_the_tags_and_keeps_those_of_a_user(
    tracker: Tracker, uri: str, run: TrackedRun
) -> None:
    client = mlflow_client(uri)
    made = client.create_experiment(run.experiment_name, tags={"mlflow.note.content": "of a user"})
    tags = {"mlflow.experimentKind": "custom_model_development", "mlflow.note.content": "ours"}
    assert tracker.log(replace(run, experiment_tags=tags)).status == "logged"
    assert client.get_experiment(made).tags == {**tags, "mlflow.note.content": "of a user"}


def test_every_value_arrives_under_its_name_and_the_run_is_finished(
    uri: str, tracker: Tracker, run: TrackedRun
) -> None:
    """Metrics arrive, files are stored as files, and every id comes from MLflow."""
    result = tracker.log(run)
    assert (result.status, result.reason, result.model_uri, result.version) == ("logged", None, None, None)
    client = mlflow_client(uri)
    stored = client.get_run(result.run_id)
    assert stored.info.status == "FINISHED"
    assert stored.info.experiment_id == result.experiment_id
    assert client.get_experiment(result.experiment_id).name == run.experiment_name
    assert stored.info.run_name == run.run_name
    assert stored.info.start_time == 1767268800000
    assert stored.data.metrics == run.metrics
    assert stored.data.params == {"hp_alpha": "0.25", "algorithm_name": "Ridge"}
    assert stored.data.tags["algorithm"] == "Ridge"
    assert stored.data.tags["mlflow.note.content"] == "as asked"
    assert artifact_names(client, result.run_id) == {"evaluation_summary.json", "tables/trials.json", "roc.png"}
    assert run_id_of(uri, run.run_key) == result.run_id
    assert tracker.run_params(result.run_id) == {name: param_text(value) for name, value in run.params.items()}


def test_a_table_is_readable_as_an_mlflow_table(
    uri: str, tracker: Tracker, run: TrackedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the given name and the format of MLflow's tables."""
    tables = {"trials.json": [{"trial": 0, "value": 0.5}, {"trial": 1, "value": None, "state": "FAIL"}]}
    result = tracker.log(replace(run, documents={}, figures={}, tables=tables))
    client = mlflow_client(uri)
    assert artifact_names(client, str(result.run_id)) == {"trials.json"}
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)  # `load_table` ignores the tracking address of the client
    found = client.load_table(str(client.get_run(result.run_id).info.experiment_id), "trials.json", [result.run_id])
    assert found.astype(object).where(found.notna(), None).to_dict("records") == [
        {"trial": 0, "value": 0.5, "state": None},
        {"trial": 1, "value": None, "state": "FAIL"},
    ]


def test_a_file_can_be_added_later_and_replaced(uri: str, tracker: Tracker, run: TrackedRun) -> None:
    logged = tracker.log(run)
    for page in (b"<p>first</p>", b"<p>second</p>"):
        added = tracker.attach(run.run_key, {"report.html": page})
        assert (added.status, added.run_id) == ("logged", logged.run_id)
    stored = mlflow_client(uri).get_run(logged.run_id)
    folder = Path(stored.info.artifact_uri.removeprefix("file://"))
    assert (folder / "report.html").read_bytes() == b"<p>second</p>"
    assert stored.info.status == "FINISHED"


@pytest.mark.parametrize(("key", "name"), [("nobody", "report.html"), (None, "../report.html")])
def test_a_file_with_no_place_is_refused(tracker: Tracker, run: TrackedRun, key: str | None, name: str) -> None:
    tracker.log(run)
    assert tracker.attach(key or run.run_key, {name: b""}).status == "refused"


def test_nothing_is_left_in_the_current_folder(tracker: Tracker, run: TrackedRun, model: Path) -> None:
    assert tracker.log(replace(run, model_folder=model, registered_model_name=run.run_key)).status == "logged"
    assert not list(Path.cwd().iterdir())


def test_the_model_is_registered_and_predicts_the_same_from_where_mlflow_keeps_it(
    uri: str, tracker: Tracker, run: TrackedRun, model: Path
) -> None:
    import mlflow.pyfunc

    name = f"ridge_{run.run_key}"
    result = tracker.log(replace(run, model_folder=model, registered_model_name=name))
    assert (result.registered_model_name, result.version, result.stage) == (name, 1, "Staging")
    assert result.model_uri == f"runs:/{result.run_id}/model"
    version = mlflow_client(uri).get_model_version_by_alias(name, "staging")
    assert (int(version.version), version.run_id, version.status) == (1, result.run_id, "READY")
    kept = mlflow.pyfunc.load_model(version.source)
    assert kept.predict(ROWS).tolist() == mlflow.pyfunc.load_model(str(model)).predict(ROWS).tolist()


def test_logging_again_updates_the_same_run_and_the_same_version(
    uri: str, tracker: Tracker, run: TrackedRun, model: Path
) -> None:
    first = tracker.log(replace(run, model_folder=model, registered_model_name=run.run_key))
    changed = {"validation_rmse": 1.5, "test_rmse": 1.25}
    second = tracker.log(replace(run, model_folder=model, registered_model_name=run.run_key, metrics=changed))
    assert second == first
    client = mlflow_client(uri)
    assert client.get_run(first.run_id).data.metrics == changed
    assert len(client.get_metric_history(first.run_id, "validation_rmse")) == 1
    assert client.get_run(first.run_id).info.status == "FINISHED"
    assert len(client.search_model_versions(f"name = '{run.run_key}'")) == 1


def test_another_run_is_the_next_version_and_takes_the_alias(
    uri: str, tracker: Tracker, run: TrackedRun, model: Path
) -> None:
    name = f"shared_{run.run_key}"
    versions = [
        tracker.log(replace(run, run_key=key, model_folder=model, registered_model_name=name)).version
        for key in (uuid4().hex, uuid4().hex)
    ]
    assert versions == [1, 2]
    assert int(mlflow_client(uri).get_model_version_by_alias(name, "staging").version) == 2


@pytest.mark.parametrize("params", [{"hp_alpha": 0.5, "algorithm_name": "Ridge"}, {"algorithm_name": "Ridge"}])
def test_a_parameter_that_differs_is_reported_and_the_run_stays_as_it_was(
    uri: str, tracker: Tracker, run: TrackedRun, params: dict[str, object]
) -> None:
    first = tracker.log(run)
    result = tracker.log(replace(run, params=params, metrics={"test_rmse": 0.0}))
    assert (result.status, result.run_id) == ("refused", None)
    assert "hp_alpha is 0.25" in str(result.reason)
    stored = mlflow_client(uri).get_run(first.run_id)
    assert (stored.data.metrics, stored.info.status) == (run.metrics, "FINISHED")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"metrics": {"auc": float("nan"), "loss": float("inf"), "f1": 1.0}}, "auc = nan, loss = inf"),
        ({"metrics": {"auc": None}}, "auc = None"),
        ({"documents": {"summary.json": {"auc": float("nan")}}}, "summary.json"),
        ({"documents": {"summary.json": object()}}, "summary.json"),
        ({"documents": {"../summary.json": {}}}, "'../summary.json'"),
        ({"figures": {"/tmp/roc.png": b""}}, "'/tmp/roc.png'"),
        ({"figures": {"model/roc.png": b""}}, "'model/roc.png'"),
    ],
)
def test_what_is_not_legal_is_refused_by_name_before_anything_is_contacted(
    run: TrackedRun, wrong: dict[str, Any], named: str, tmp_path: Path
) -> None:
    result = Tracker("http://127.0.0.1:9", tmp_path.as_uri()).log(replace(run, **wrong))
    assert result.status == "refused"
    assert named in str(result.reason)


def test_an_interrupted_logging_marks_the_run_failed_and_the_next_attempt_completes_it(
    uri: str, tracker: Tracker, run: TrackedRun, model: Path, tmp_path: Path
) -> None:
    """An error of MLflow affects only the log."""
    broken = tracker.log(replace(run, model_folder=tmp_path / "nowhere"))
    assert (broken.status, broken.run_id) == ("unavailable", None)
    left_open = run_id_of(uri, run.run_key)
    assert mlflow_client(uri).get_run(left_open).info.status == "FAILED"
    mended = tracker.log(replace(run, model_folder=model))
    assert (mended.status, mended.run_id) == ("logged", left_open)
    assert mlflow_client(uri).get_run(left_open).info.status == "FINISHED"


def test_an_interrupted_run_is_failed(uri: str, tracker: Tracker, run: TrackedRun) -> None:
    client = mlflow_client(uri)
    run_id = client.create_run(tracker.log(run).experiment_id).info.run_id
    with pytest.raises(KeyboardInterrupt), ended(client, run_id, run):
        raise KeyboardInterrupt
    assert client.get_run(run_id).info.status == "FAILED"


def test_runs_that_a_crash_left_open_are_closed_by_their_dagster_run(
    uri: str, tracker: Tracker, run: TrackedRun
) -> None:
    result = tracker.log(run)
    client = mlflow_client(uri)
    client.update_run(result.run_id, status="RUNNING")
    assert tracker.close_stale({"another"}.__contains__) == []
    assert tracker.close_stale({run.dagster_run_id}.__contains__) == [result.run_id]
    assert client.get_run(result.run_id).info.status == "FAILED"
    assert tracker.close_stale({run.dagster_run_id}.__contains__) == []


def test_a_run_that_somebody_else_has_open_is_left_alone(uri: str, tracker: Tracker, run: TrackedRun) -> None:
    client = mlflow_client(uri)
    theirs = client.create_run(tracker.log(run).experiment_id, tags={"dagster_run_id": "theirs"}).info.run_id
    assert tracker.close_stale(lambda _: True) == []
    assert client.get_run(theirs).info.status == "RUNNING"


def test_concurrent_logging_gives_one_run(uri: str, tracker: Tracker, run: TrackedRun) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(tracker.log, [run, run])
    assert (first.status, second) == ("logged", first)
    assert len(mlflow_client(uri).search_runs([first.experiment_id])) == 1


def test_different_runs_at_once_share_experiment_and_registered_model(
    tracker: Tracker, run: TrackedRun, model: Path
) -> None:
    runs = [
        replace(run, run_key=uuid4().hex, model_folder=model, registered_model_name=f"both_{run.run_key}")
        for _ in range(3)
    ]
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(tracker.log, runs))
    assert [result.status for result in results] == ["logged"] * 3
    assert {result.version for result in results} == {1, 2, 3}


def test_trainings_at_once_are_all_logged_by_a_database_under_load(
    database: Database, tracker: Tracker, run: TrackedRun, model: Path
) -> None:
    """MLflow selects a row and then inserts it: in between, another training inserted the same row.

    These are the three tables whose rows trainings share. Each insert takes as long as on a server under load, so that
    the trainings always overlap there.
    """
    assert tracker.log(replace(run, experiment_name="first")).status == "logged"  # MLflow is imported and connected
    with database.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION mlflow.takes_time() RETURNS trigger LANGUAGE plpgsql "
            "AS 'BEGIN PERFORM pg_sleep(0.3); RETURN NEW; END'"
        )
        for table in ("datasets", "model_versions", "registered_model_aliases"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER slow BEFORE INSERT ON mlflow.{table} FOR EACH ROW EXECUTE FUNCTION mlflow.takes_time()"
            )
    shared = replace(run, data=("rows", "f" * 64), model_folder=model, registered_model_name=f"all_{run.run_key}")
    with ThreadPoolExecutor(4) as pool:  # MLflow tries three times to assign a version number
        results = list(pool.map(tracker.log, [replace(shared, run_key=uuid4().hex) for _ in range(4)]))
    assert [(result.status, result.reason) for result in results] == [("logged", None)] * 4
    assert {result.version for result in results} == {1, 2, 3, 4}


def test_more_parameters_than_mlflow_takes_at_once_arrive(tracker: Tracker, run: TrackedRun) -> None:
    many = {f"hp_{number}": number for number in range(230)}
    result = tracker.log(replace(run, params=many))
    assert len(tracker.run_params(str(result.run_id))) == 230


def test_without_an_address_tracking_is_disabled_and_says_so(tmp_path: Path, run: TrackedRun) -> None:
    result = Tracker(None, tmp_path.as_uri()).log(run)
    assert (result.status, result.run_id) == ("disabled", None)


@pytest.mark.parametrize("trouble", ["gone", "errors", "slow", "looks well"])
def test_a_server_in_trouble_is_unavailable_soon(trouble: Trouble, tmp_path: Path, run: TrackedRun) -> None:
    """No ids are invented. A server that answers only the health check costs one request and one retry."""
    began = time.monotonic()
    with troubled(trouble) as address:
        result = Tracker(address, tmp_path.as_uri()).log(run)
        assert time.monotonic() - began < (25 if trouble == "looks well" else 12)
    assert (result.status, result.run_id, result.experiment_id) == ("unavailable", None, None)
    assert result.reason


@pytest.mark.parametrize("trouble", ["refuses", "bad gateway", "hangs up"])
def test_messages_about_an_unavailable_server_contain_no_password(
    trouble: Trouble, tmp_path: Path, run: TrackedRun
) -> None:
    """Errors of requests and MLflow contain the whole address."""
    with troubled(trouble) as address:
        tracker = Tracker(address.replace("://", "://me:hunter2%2Fword@"), tmp_path.as_uri())
        messages = [str(tracker.log(run).reason), tracker.promote("model", 1, 1)]
        with pytest.raises(E2iError) as asked:
            tracker.run_params("0" * 32)
    messages.append("".join(traceback.format_exception(asked.value)))
    assert [text for text in messages if address.removeprefix("http://") not in text] == []  # it names the host
    assert [text for text in messages if "hunter2" in text] == []


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{port}",
        "http://me:secret-word@127.0.0.1:{port}",
        "postgresql+psycopg2://me:secret-word@127.0.0.1:{port}/e2i",
        "postgresql+psycopg2://me:pass@secret-word@127.0.0.1:{port}/e2i",
        "postgresql+psycopg2://me:secret-word",
        "no address",
    ],
)
def test_an_address_where_nothing_answers_is_unavailable_soon(address: str, tmp_path: Path, run: TrackedRun) -> None:
    """No ids are invented."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    began = time.monotonic()
    result = Tracker(address.format(port=port), tmp_path.as_uri()).log(run)
    assert (result.status, result.run_id) == ("unavailable", None)
    assert "secret-word" not in str(result.reason)
    assert time.monotonic() - began < 12


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (np.float64(0.1), "0.1"),
        (np.int64(3), "3"),
        (True, "True"),
        (None, "None"),
        ("l2", "l2"),
        ([1, "a"], '[1, "a"]'),
        ({"b": 1, "a": 2}, json.dumps({"a": 2, "b": 1})),
    ],
)
def test_a_parameter_becomes_the_text_that_mlflow_shows(value: object, text: str) -> None:
    assert param_text(value) == text
