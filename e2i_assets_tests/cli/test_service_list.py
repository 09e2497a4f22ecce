"""What `e2i up` tells the processes that it starts: where links lead, and who takes the traces."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from e2i_assets.cli.service_list import Ports, service_list
from e2i_assets.services.project import Project

PORTS = Ports(3000, 5050, 8080)


def environment(project: Project) -> dict[str, str]:
    """Of Dagster's web server, with the variables that are set now."""
    project = Project(replace(project.settings, environment=dict(os.environ)), project.database)
    (found,) = [one for one in service_list(project, "127.0.0.1", PORTS) if one.name == "dagster-webserver"]
    return dict(found.environment)


@pytest.fixture(autouse=True)
def nothing_set(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(Path(__file__).parents[2] / "dagster.yaml", root)
    for name in ("ENDPOINT", "RECEIVER"):
        monkeypatch.delenv(f"E2I_TRACING_{name}", raising=False)
    for name in ("E2I_DAGSTER_URL", "E2I_MLFLOW_URL"):
        monkeypatch.delenv(name, raising=False)


def test_runs_of_the_ui_send_their_traces_to_its_mlflow_and_link_to_where_it_is(project: Project) -> None:
    found = environment(project)
    assert found["E2I_TRACING_ENDPOINT"] == found["E2I_MLFLOW_URL"] == "http://127.0.0.1:5050"
    assert found["E2I_TRACING_RECEIVER"] == "mlflow"
    assert found["E2I_DAGSTER_URL"] == "http://127.0.0.1:3000"


def test_a_server_of_ones_own_gets_the_traces_and_its_password_stands_in_no_link(project: Project) -> None:
    own = "https://me:secret@mlflow.example.org/team"
    found = environment(Project(replace(project.settings, mlflow_tracking_uri=own), project.database))
    assert found["E2I_TRACING_ENDPOINT"] == own
    assert found["E2I_MLFLOW_URL"] == "https://mlflow.example.org/team"


@pytest.mark.parametrize("name", ["E2I_TRACING_ENDPOINT", "E2I_TRACING_RECEIVER"])
def test_what_a_person_has_set_stays(project: Project, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "none")
    found = environment(project)
    assert not {"E2I_TRACING_ENDPOINT", "E2I_TRACING_RECEIVER"} & found.keys()


def test_dagster_is_patient_with_a_machine_whose_cores_search_unless_a_person_says_how_long(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_GRPC_TIMEOUT_SECONDS", raising=False)
    assert environment(project)["DAGSTER_GRPC_TIMEOUT_SECONDS"] == "300"
    monkeypatch.setenv("DAGSTER_GRPC_TIMEOUT_SECONDS", "45")
    assert environment(project)["DAGSTER_GRPC_TIMEOUT_SECONDS"] == "45"
