"""The output, ports and files of `e2i up`; its programs are tested in `test_up`."""

import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from e2i_assets.adapters.processes.loopback import HOST, free_port
from e2i_assets.adapters.processes.services import Service, ServiceEvent, run_services
from e2i_assets.adapters.settings import Settings
from e2i_assets.cli.dagster_home import dagster_home, dagster_instance
from e2i_assets.cli.dagster_ui import add_partitions
from e2i_assets.cli.service_list import Ports, own_mlflow, service_list
from e2i_assets.cli.startup import Startup
from e2i_assets.cli.up import free_ports, register_experiments
from e2i_assets.defs.namespace import EXPERIMENTS
from e2i_assets.services.project import Project
from e2i_assets.services.register import registered

Written = Callable[..., Path]
REPOSITORY = Path(__file__).parents[2]
PORTS = Ports(3000, 5000, 8080)


def test_a_failed_program_is_named_with_its_last_output(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    dying = (sys.executable, "-c", "raise SystemExit('the [disk] is on fire')")
    services = [Service("mlflow", dying, f"http://{HOST}:{free_port()}")]
    with Startup(services) as startup:
        assert run_services(services, tmp_path, startup.report, threading.Event()) == 1
    output = capsys.readouterr()
    assert "MLflow failed: it ended with exit status 1\n  the [disk] is on fire\n" in output.err
    assert "The full log is" in output.err
    assert output.out.splitlines() == ["Starting MLflow ...", "All services are stopped."]


def test_an_address_is_printed_when_it_answers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    port, stop = free_port(), threading.Event()
    web = (sys.executable, "-m", "http.server", str(port), "--bind", HOST, "--directory", str(tmp_path))
    still = (sys.executable, "-c", "import time; time.sleep(60)")
    services = [
        Service("dagster-webserver", web, f"http://{HOST}:{port}"),
        Service("dagster-daemon", still, "", is_ready=lambda: True),
    ]
    with Startup(services) as startup:

        def on_event(event: ServiceEvent) -> None:
            startup.report(event)
            if not startup.awaited:
                stop.set()

        assert run_services(services, tmp_path, on_event, stop) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"Dagster           http://{HOST}:{port} (") for line in lines)
    assert any(line.startswith("Dagster's daemon  running (") for line in lines)
    assert lines[-2:] == ["All services are ready. Ctrl-C stops everything.", "All services are stopped."]


def test_a_taken_port_is_replaced_by_the_next_free_one(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        chosen = free_ports(port, port, port)
    assert port < chosen.dagster < chosen.mlflow < chosen.optuna
    output = capsys.readouterr().out.splitlines()
    assert output[0] == f"Port {port} is in use: Dagster uses port {chosen.dagster}."
    assert len(output) == 3


def test_no_secret_is_in_the_arguments_and_telemetry_is_off(project: Project, root: Path) -> None:
    services = {service.name: service for service in service_list(project, HOST, PORTS)}
    assert set(services) == {"mlflow", "dagster-webserver", "dagster-daemon", "optuna-dashboard"}
    for service in services.values():
        assert not any(project.database.url_for("e2i")[:40] in word for word in service.command)
        assert service.environment["DO_NOT_TRACK"] == "1"
    assert services["mlflow"].environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert services["dagster-daemon"].environment["DAGSTER_DISABLE_TELEMETRY"] == "1"


def test_an_external_mlflow_is_used_and_shown_without_its_password(project: Project, root: Path) -> None:
    own = replace(project.settings, mlflow_tracking_uri="https://me:secret@mlflow.example.org/team")
    theirs = replace(project, settings=own)
    assert own_mlflow(theirs) == "https://mlflow.example.org/team"
    assert "mlflow" not in [service.name for service in service_list(theirs, HOST, PORTS)]


def test_dagsters_home_is_in_the_state_folder_and_follows_the_project(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    source = root / "dagster.yaml"
    source.write_text((REPOSITORY / "dagster.yaml").read_text())
    home = dagster_home(Settings(root, tmp_path / "elsewhere"))
    settled = yaml.safe_load((home / "dagster.yaml").read_text())
    assert settled["compute_logs"]["config"]["base_dir"] == str(tmp_path / "elsewhere" / "dagster" / "logs")
    assert settled["telemetry"] == {"enabled": False}
    source.write_text(source.read_text() + "sensors: {use_threads: true}\n")
    assert dagster_home(Settings(root, tmp_path / "elsewhere")) == home
    assert yaml.safe_load((home / "dagster.yaml").read_text())["sensors"] == {"use_threads": True}


def test_experiments_become_partitions_despite_an_invalid_file(
    project: Project, root: Path, written: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    written("churn")
    written("bad", "name: bad\n")
    register_experiments(project)
    assert registered(project, ["churn"]) == ["churn"]
    assert "Skipped: experiment file" in capsys.readouterr().err
    with dagster_instance(project.settings) as instance:
        for _ in range(2):
            add_partitions(instance, project.database, project.settings)
            assert instance.get_dynamic_partitions(EXPERIMENTS) == ["churn"]
