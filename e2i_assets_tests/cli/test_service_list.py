"""The environment of the processes that `e2i up` starts: links between them, and the trace receiver."""

import os
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
    for name in ("ENDPOINT", "RECEIVER"):
        monkeypatch.delenv(f"E2I_TRACING_{name}", raising=False)
    for name in ("E2I_DAGSTER_URL", "E2I_MLFLOW_URL"):
        monkeypatch.delenv(name, raising=False)


def test_runs_of_the_ui_send_traces_and_link_to_the_mlflow_of_e2i_up(project: Project) -> None:
    found = environment(project)
    assert found["E2I_TRACING_ENDPOINT"] == found["E2I_MLFLOW_URL"] == "http://127.0.0.1:5050"
    assert found["E2I_TRACING_RECEIVER"] == "mlflow"
    assert found["E2I_DAGSTER_URL"] == "http://127.0.0.1:3000"


def test_an_external_mlflow_gets_the_traces_and_links_without_its_password(project: Project) -> None:
    own = "https://me:secret@mlflow.example.org/team"
    found = environment(Project(replace(project.settings, mlflow_tracking_uri=own), project.database))
    assert found["E2I_TRACING_ENDPOINT"] == own
    assert found["E2I_MLFLOW_URL"] == "https://mlflow.example.org/team"


@pytest.mark.parametrize("name", ["E2I_TRACING_ENDPOINT", "E2I_TRACING_RECEIVER"])
def test_settings_of_the_user_are_kept(project: Project, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "none")
    found = environment(project)
    assert not {"E2I_TRACING_ENDPOINT", "E2I_TRACING_RECEIVER"} & found.keys()


def test_the_timeout_of_dagster_is_long_unless_the_user_sets_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_GRPC_TIMEOUT_SECONDS", raising=False)
    assert environment(project)["DAGSTER_GRPC_TIMEOUT_SECONDS"] == "300"
    monkeypatch.setenv("DAGSTER_GRPC_TIMEOUT_SECONDS", "45")
    assert environment(project)["DAGSTER_GRPC_TIMEOUT_SECONDS"] == "45"
