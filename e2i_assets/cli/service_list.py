"""The services of `e2i up`: their commands and environments, with telemetry off and no secrets in the arguments."""

import json
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPException

from e2i_assets.adapters.addresses import shown_address
from e2i_assets.adapters.mlflow.client import ENVIRONMENT as MLFLOW_ENVIRONMENT
from e2i_assets.adapters.mlflow.client import is_server
from e2i_assets.adapters.processes.services import Service
from e2i_assets.adapters.settings import DAGSTER_URL, DATABASE_URL, HOME, MLFLOW_TRACKING_URI, MLFLOW_URL
from e2i_assets.adapters.tracing.settings import TRACING_ENDPOINT, TRACING_RECEIVER
from e2i_assets.cli.dagster_home import configuration_file, dagster_home
from e2i_assets.cli.optuna_dashboard import STORAGE_URL
from e2i_assets.cli.origin_guard import reached_as
from e2i_assets.services.project import Project

_GRPC_TIMEOUT = "DAGSTER_GRPC_TIMEOUT_SECONDS"
_HEARTBEATS = json.dumps(
    {"query": "{ instance { daemonHealth { allDaemonStatuses { lastHeartbeatTime } } } }"}
).encode()
_EVERYWHERE = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of the three HTTP services."""

    dagster: int
    mlflow: int
    optuna: int


def service_list(project: Project, host: str, ports: Ports) -> list[Service]:
    """Return the services to start. MLflow is not started if the user's own server is configured."""
    # The slowest to start is first.
    mlflow = [] if own_mlflow(project) else [_mlflow(project, host, ports.mlflow)]
    services = [*mlflow, *_dagster(project, host, ports), _optuna(project, host, ports.optuna)]
    # Each service has the rights of this process, even if the user's address has more.
    settings = project.settings
    shared = {DATABASE_URL: project.database.url, HOME: str(settings.root), **settings.state_variables}
    return [replace(service, environment={**shared, **service.environment}) for service in services]


def own_mlflow(project: Project) -> str | None:
    """Return the address of the user's own MLflow server without its password, or None."""
    uri = project.settings.mlflow_tracking_uri
    return shown_address(MLFLOW_TRACKING_URI, uri) if uri and is_server(uri) else None


def traced_to(project: Project, host: str, ports: Ports, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that sends the traces of runs to this MLflow, unless the user configures tracing."""
    if environment.get(TRACING_ENDPOINT) or environment.get(TRACING_RECEIVER):
        return {}
    own = project.settings.mlflow_tracking_uri if own_mlflow(project) else None
    return {TRACING_ENDPOINT: own or _address(host, ports.mlflow), TRACING_RECEIVER: "mlflow"}


def _dagster(project: Project, host: str, ports: Ports) -> list[Service]:
    settings, port, given = project.settings, ports.dagster, project.settings.environment
    environment = {
        "DAGSTER_HOME": str(dagster_home(settings)),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        "GIT_PYTHON_REFRESH": "quiet",
        # Searches use all cores: a code server that exceeds Dagster's default of one minute is busy, not dead.
        _GRPC_TIMEOUT: given.get(_GRPC_TIMEOUT) or "300",
        # The base URLs of the links that runs store, unless a browser uses other addresses.
        DAGSTER_URL: given.get(DAGSTER_URL) or _address(host, port),
        MLFLOW_URL: given.get(MLFLOW_URL) or own_mlflow(project) or _address(host, ports.mlflow),
        **reached_as(host),
        **traced_to(project, host, ports, given),
        **MLFLOW_ENVIRONMENT,
    }
    graph = ("-w", str(configuration_file(settings, "workspace.yaml")))
    beats = partial(daemon_beats, _address(host, port), time.time())

    ui = (sys.executable, "-m", "e2i_assets.cli.dagster_ui", *graph, "-h", host, "-p", str(port))
    daemon = (sys.executable, "-m", "dagster._daemon", "run", *graph)
    return [
        Service("dagster-webserver", ui, _address(host, port), "/server_info", environment),
        Service("dagster-daemon", daemon, "", environment=environment, is_ready=beats),
    ]


def daemon_beats(dagster: str, since: float) -> bool:
    """Return whether Dagster's webserver knows a heartbeat of the daemon, which itself listens on no port.

    Args:
        dagster: The address of the webserver.
        since: Seconds since 1970; an earlier heartbeat is from a previous daemon.
    """
    request = urllib.request.Request(f"{dagster}/graphql", _HEARTBEATS, {"Content-Type": "application/json"})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=5) as answer:
            health = json.load(answer)["data"]["instance"]["daemonHealth"]
    except (OSError, HTTPException):  # the webserver does not answer yet
        return False
    beats = [one["lastHeartbeatTime"] for one in health["allDaemonStatuses"]]
    return any(beat is not None and beat >= since for beat in beats)


def _mlflow(project: Project, host: str, port: int) -> Service:
    environment = {
        **MLFLOW_ENVIRONMENT,
        "DO_NOT_TRACK": "1",
        "GIT_PYTHON_REFRESH": "quiet",
        "MLFLOW_BACKEND_STORE_URI": project.settings.mlflow_tracking_uri or project.database.url_for("mlflow"),
        # MLflow's jobs evaluate language models: fifteen processes that are not needed here.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    listening = ("--app-name", "e2i", "--host", host, "--port", str(port), "--workers", "1")
    program = (sys.executable, "-m", "e2i_assets.cli.mlflow_server")
    command = (*program, *listening, "--artifacts-destination", project.settings.artifacts)
    return Service("mlflow", command, _address(host, port), "/health", environment)


def _optuna(project: Project, host: str, port: int) -> Service:
    command = (sys.executable, "-m", "e2i_assets.cli.optuna_dashboard", host, str(port))
    environment = {STORAGE_URL: project.database.url_for("optuna"), "DO_NOT_TRACK": "1", **reached_as(host)}
    return Service("optuna-dashboard", command, _address(host, port), "/dashboard", environment)


def _address(host: str, port: int) -> str:
    """Return the address at which this machine reaches a program that listens on `host`."""
    reached = "127.0.0.1" if host in _EVERYWHERE else host
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"
