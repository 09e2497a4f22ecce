"""A real MLflow server: trainings and traces that it received, read back from it."""

import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
import requests
import sqlalchemy as sa
from finished_project import PLAIN, made, registered
from mlflow import MlflowClient
from mlflow_program import mlflow_server
from sklearn.datasets import load_breast_cancer
from sqlalchemy.pool import NullPool

from e2i_assets.adapters.mlflow.client import mlflow_client
from e2i_assets.adapters.mlflow.models import MANIFEST
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.training_runs import TrainingRunRepository
from e2i_assets.adapters.settings import Settings, from_environment
from e2i_assets.adapters.tracing.settings import TracingSettings
from e2i_assets.adapters.tracing.span_attributes import SEARCH, TRAINING, TRIAL, output
from e2i_assets.adapters.tracing.tracing import Tracing, TracingResult
from e2i_assets.cli.run_one import outcome_of
from e2i_assets.services import track_runs
from e2i_assets.services.project import Project

pytestmark = pytest.mark.processes
SEARCHED = PLAIN.replace("hpo: {enabled: false}", "hpo: {trials: 3, workers: 1}")


@pytest.fixture(scope="module")
def database(server: Database, template: str) -> Iterator[Database]:
    """One database for the whole module, because the start of its MLflow server takes longest."""
    name = f"served_{uuid4().hex[:12]}"
    engine = sa.create_engine(server.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        made = Database(sa.make_url(server.url).set(database=name).render_as_string(hide_password=False))
        yield made
        made.dispose()
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def served(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """The address and the process of a server on the test's own database, as `e2i up` starts it."""
    with mlflow_server(database, tmp_path_factory.mktemp("mlflow")) as served:
        yield served


@pytest.fixture(scope="module")
def address(served: tuple[str, int]) -> str:
    return served[0]


def test_the_server_is_one_process(served: tuple[str, int]) -> None:
    """MLflow's own command would stay as a parent of 190 MB that only waits."""
    assert psutil.Process(served[1]).children(recursive=True) == []


def test_the_pages_start_in_model_training_and_keep_the_protection_of_mlflow(address: str) -> None:
    page = requests.get(f"{address}/", timeout=10)
    head = page.text.partition("<script defer")[0]
    assert r'"mlflow.workflowType_v1": "\"machine_learning\""' in head
    assert '"mlflow.settings.telemetry.enabled_v1": "false"' in head
    assert 'id="root"' in page.text
    assert requests.get(f"{address}/", headers={"Host": "rebound.example.org"}, timeout=10).status_code == 403
    telemetry = requests.get(f"{address}/ajax-api/3.0/mlflow/ui-telemetry", timeout=10).json()
    assert telemetry["disable_ui_telemetry"] is True


def test_a_server_takes_a_training_and_its_trace_and_gives_both_back(
    address: str, database: Database, tmp_path: Path
) -> None:
    """The test uses HTTP and reads the served artifacts and the spans as the MLflow UI shows them."""
    settings = Settings(tmp_path, tmp_path / "state", mlflow_tracking_uri=address, mlflow_url=address)
    project = Project(settings, database)
    made(project, SEARCHED)
    (link,) = TrainingRunRepository(database).links("plain")
    client = mlflow_client(address)
    run_has_arrived(client, link.mlflow_run_id)
    track_runs.attach(project, "plain", link.spec_hash, {"report.html": b"<p>page</p>"})
    names = {one.path for one in client.list_artifacts(str(link.mlflow_run_id))}
    assert {"model", "trials.json", "report.html", "roc_curve.png"} <= names
    kept = client.download_artifacts(str(link.mlflow_run_id), f"model/data/model/{MANIFEST}", str(tmp_path))
    local = project.model_folder("plain", link.spec_hash) / "data" / "model" / MANIFEST
    assert Path(kept).read_bytes() == local.read_bytes()
    assert list(track_runs.catch_up(project)) == []

    run_id = uuid4().hex
    sent = traced(address, run_id, str(link.mlflow_run_id))
    assert (sent.status, sent.sent, sent.lost) == ("sent", 4, 0)
    trace_has_arrived(client, str(client.get_experiment_by_name("e2i_plain").experiment_id), link.mlflow_run_id)


def run_has_arrived(client: MlflowClient, run_id: str | None) -> None:
    run = client.get_run(str(run_id))
    assert run.info.status == "FINISHED"
    assert run.info.artifact_uri.startswith("mlflow-artifacts:")
    assert len(client.get_metric_history(str(run_id), "trial_roc_auc")) == run.data.metrics["hpo_trials_run"]
    assert client.get_model_version_by_alias("e2i_plain", "staging").run_id == run_id


def traced(address: str, run_id: str, mlflow_run_id: str) -> TracingResult:
    """Trace a training whose search fails in its second trial, in an experiment that only its name identifies."""
    tracing = Tracing(TracingSettings(endpoint=address, receiver="mlflow", mlflow_experiment="e2i_plain", trials=1.0))
    with pytest.raises(ValueError, match="no rows"):
        failing_training(tracing, run_id, mlflow_run_id)
    return tracing.shutdown(10)


def failing_training(tracing: Tracing, run_id: str, mlflow_run_id: str) -> None:
    now = datetime.now(UTC)
    given = {"input.value": '{"algorithm_name": "Ridge"}'}
    with tracing.span(TRAINING, run_id=run_id, parent=None, attributes=given) as training:
        tracing.belongs_to(mlflow_run_id)
        training.set(output({"training_run_id": "t1"}))
        with tracing.span(SEARCH, run_id=run_id):
            for number, error in enumerate([None, ("ValueError", "no rows")]):
                tracing.record(
                    TRIAL,
                    run_id=run_id,
                    key=f"trial {number}",
                    parent=SEARCH,
                    started_at=now,
                    ended_at=now,
                    attributes={"trial_number": number},
                    error=error,
                )
            raise ValueError("no rows")


def trace_has_arrived(client: MlflowClient, experiment_id: str, mlflow_run_id: str | None) -> None:
    found = client.search_traces(locations=[experiment_id], include_spans=True)
    (trace,) = found
    spans = {span.name: span for span in trace.data.spans}
    assert len(trace.data.spans) == 4
    assert spans[TRAINING].parent_id is None
    assert spans[SEARCH].parent_id == spans[TRAINING].span_id
    trials = [span for span in trace.data.spans if span.name == TRIAL]
    assert {span.parent_id for span in trials} == {spans[SEARCH].span_id}
    assert sorted(span.status.status_code.name for span in trials) == ["ERROR", "OK"]
    assert spans[TRAINING].status.status_code.name == spans[SEARCH].status.status_code.name == "ERROR"
    assert [event.name for event in spans[SEARCH].events] == ["exception"]
    assert spans[TRAINING].inputs == {"algorithm_name": "Ridge"}
    assert spans[TRAINING].outputs == {"training_run_id": "t1"}
    assert [one.info.trace_id for one in client.search_traces(locations=[experiment_id], run_id=mlflow_run_id)] == [
        trace.info.trace_id
    ]


def test_the_first_trace_of_an_experiment_makes_its_place_where_trainings_can_write_too(
    address: str, database: Database, tmp_path: Path
) -> None:
    """A trace may come before the first training, which writes to the database and not through the server."""
    project = Project(Settings(tmp_path, tmp_path / "state", pictures=False), database)
    artifacts = f"{project.settings.artifacts}/e2i_later"
    tracing = Tracing(
        TracingSettings(endpoint=address, receiver="mlflow", mlflow_experiment="e2i_later", mlflow_artifacts=artifacts)
    )
    with tracing.span(TRAINING, run_id="r1", parent=None):
        pass
    assert tracing.shutdown(10).status == "sent"
    made(project, PLAIN.replace("name: plain", "name: later"))
    (link,) = TrainingRunRepository(database).links("later")
    run = mlflow_client(address).get_run(str(link.mlflow_run_id))
    assert run.info.artifact_uri == f"{artifacts}/{link.mlflow_run_id}/artifacts"
    place = project.settings.state / "mlflow-artifacts" / "e2i_later" / str(link.mlflow_run_id)
    assert (place / "artifacts" / "model").is_dir()


def test_a_run_of_the_graph_has_its_trace_beside_its_mlflow_run(
    address: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a run from the UI of `e2i up`: no experiment of the receiver is configured."""
    (tmp_path / "experiments").mkdir()
    load_breast_cancer(as_frame=True).frame.to_csv(tmp_path / "cells.csv", index=False)
    for name in [name for name in os.environ if name.startswith("E2I_")]:
        monkeypatch.delenv(name)
    told = {"HOME": str(tmp_path), "DATABASE_URL": database.url, "CORES": "1", "PICTURES": "off"}
    traced = {"MLFLOW_URL": address, "TRACING_ENDPOINT": address, "TRACING_RECEIVER": "mlflow", "TRACING_TRIALS": "1"}
    for name, value in {**told, **traced}.items():
        monkeypatch.setenv(f"E2I_{name}", value)
    project = Project(from_environment(os.environ), database)
    registered(project, SEARCHED.replace("name: plain", "name: graph"))
    outcome = outcome_of(project, "graph")
    assert outcome["status"] == "done", outcome

    (link,) = TrainingRunRepository(database).links("graph")
    client = mlflow_client(address)
    experiment_id = str(client.get_experiment_by_name("e2i_graph").experiment_id)
    assert client.get_run(str(link.mlflow_run_id)).info.experiment_id == experiment_id
    (trace,) = client.search_traces(locations=[experiment_id], run_id=link.mlflow_run_id, include_spans=True)
    assert Counter(span.name for span in trace.data.spans) == {TRAINING: 1, SEARCH: 1, TRIAL: 3}
    (root,) = [span for span in trace.data.spans if span.parent_id is None]
    assert root.outputs["training_run_id"] == link.training_run_id
    assert root.attributes["mlflow_run_id"] == link.mlflow_run_id
