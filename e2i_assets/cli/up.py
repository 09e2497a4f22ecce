"""`e2i up`: the programs in which a person looks at the results, until Ctrl-C."""

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
from e2i_assets.cli.dagster_home import require_dagster_files
from e2i_assets.cli.open_project import opened_project, settings
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
        0 after that, 1 when a program failed: the others are stopped then as well.
    """
    if os.environ.get(DIE_WITH_PARENT):
        end_with_parent()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    require_dagster_files(settings(), "dagster.yaml", "workspace.yaml")
    project = opened_project(say=True)
    # What is relative in an experiment or in Dagster's files starts from the project folder.
    os.chdir(project.settings.root)
    make_experiments_known(project)
    services = service_list(project, host, free_ports(dagster_port, mlflow_port, optuna_port))
    if host not in ("127.0.0.1", "localhost", "::1"):
        out.print(
            f"[yellow]Listening on {host}: whoever reaches this machine can use all of it, without a password.[/]"
        )
    if mlflow := own_mlflow(project):
        out.print(f"[green]MLflow[/] is a server of yours: {escape(mlflow)}", highlight=False)
    if project.settings.automation:
        out.print(
            f"What is new or has changed in experiments/ trains itself; [bold]{AUTOMATION}=off[/] leaves that to you.",
            highlight=False,
        )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with Startup(services) as startup:
        return run_services(services, project.settings.state / "logs", startup.told, stop, _READY_SECONDS)


def make_experiments_known(project: Project) -> None:
    """Register every valid experiment and print what is wrong with the others.

    Dagster's webserver makes a partition of each when it starts.
    """
    folder = strict(read_folder(project.settings.experiments))
    for mistakes in folder.invalid.values():
        err.print(f"[yellow]Left out:[/] {escape(str(mistakes))}", highlight=False)
    register(project, list(folder.experiments.values()))


def free_ports(dagster: int, mlflow: int, optuna: int) -> Ports:
    """Return three ports that nobody listens on: each the wanted one, else the next free one, which is said."""
    chosen: list[int] = []
    for name, wanted in (("Dagster", dagster), ("MLflow", mlflow), ("the Optuna dashboard", optuna)):
        candidates = range(wanted, min(wanted + _PORTS_TRIED, 65536))
        port = next((port for port in candidates if port not in chosen and is_free(port)), None)
        if port is None:
            raise E2iError(f"no port from {wanted} to {candidates[-1]} is free for {name}: name another")
        if port != wanted:
            out.print(f"[yellow]Port {wanted} is taken: {name} comes to {port}.[/]", highlight=False)
        chosen.append(port)
    return Ports(*chosen)
