"""`e2i up`: serves the web UIs until Ctrl-C."""

import os
import signal
import threading

from rich.markup import escape

from e2i_assets.adapters.files.experiment_files import read_folder, strict
from e2i_assets.adapters.processes.loopback import is_free
from e2i_assets.adapters.processes.parent import DIE_WITH_PARENT, end_with_parent
from e2i_assets.adapters.processes.services import run_services
from e2i_assets.adapters.settings import AUTOMATION
from e2i_assets.cli.console import err, out
from e2i_assets.cli.open_project import opened_project
from e2i_assets.cli.service_list import Ports, own_mlflow, service_list
from e2i_assets.cli.startup import Startup
from e2i_assets.core.errors import E2iError
from e2i_assets.services.project import Project
from e2i_assets.services.register import register

_PORTS_TRIED = 100
_READY_SECONDS = 300


def serve(host: str, dagster_port: int, mlflow_port: int, optuna_port: int) -> int:
    """Serve until Ctrl-C or SIGTERM.

    Returns:
        0 after the signal; 1 if a service failed, after which the others are stopped too.
    """
    if os.environ.get(DIE_WITH_PARENT):
        end_with_parent()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    project = opened_project(verbose=True)
    # Relative paths in experiments and in Dagster's files are relative to the project folder.
    os.chdir(project.settings.root)
    register_experiments(project)
    services = service_list(project, host, free_ports(dagster_port, mlflow_port, optuna_port))
    if host not in ("127.0.0.1", "localhost", "::1"):
        out.print(
            f"[yellow]Listening on {host}: everyone who can reach this machine has full access, without a password.[/]"
        )
    if mlflow := own_mlflow(project):
        out.print(f"[green]MLflow[/] is your own server: {escape(mlflow)}", highlight=False)
    if project.settings.automation:
        out.print(
            f"New and changed experiments are trained automatically; to prevent this, set [bold]{AUTOMATION}=off[/].",
            highlight=False,
        )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with Startup(services) as startup:
        return run_services(services, project.settings.state / "logs", startup.report, stop, _READY_SECONDS)


def register_experiments(project: Project) -> None:
    """Register all valid experiments and print the errors of the others.

    Dagster's webserver adds their partitions when it starts.
    """
    folder = strict(read_folder(project.settings.experiments))
    for mistakes in folder.invalid.values():
        err.print(f"[yellow]Skipped:[/] {escape(str(mistakes))}", highlight=False)
    register(project, list(folder.experiments.values()))


def free_ports(dagster: int, mlflow: int, optuna: int) -> Ports:
    """Return three free ports: the requested ones, or the next free ones, which are printed."""
    chosen: list[int] = []
    for name, wanted in (("Dagster", dagster), ("MLflow", mlflow), ("the Optuna dashboard", optuna)):
        candidates = range(wanted, min(wanted + _PORTS_TRIED, 65536))
        port = next((port for port in candidates if port not in chosen and is_free(port)), None)
        if port is None:
            raise E2iError(f"no port from {wanted} to {candidates[-1]} is free for {name}: choose another")
        if port != wanted:
            out.print(f"[yellow]Port {wanted} is in use: {name} uses port {port}.[/]", highlight=False)
        chosen.append(port)
    return Ports(*chosen)
