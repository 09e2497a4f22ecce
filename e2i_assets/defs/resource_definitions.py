"""The resources by name, configured from the environment."""

import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import dagster as dg

from e2i_assets.adapters import settings as project_settings
from e2i_assets.adapters.mlflow.client import is_server
from e2i_assets.adapters.postgres.roles import as_worker
from e2i_assets.adapters.postgres.server import database
from e2i_assets.adapters.tracing.settings import TRACING_ENDPOINT, TRACING_RECEIVER
from e2i_assets.defs.io_managers import IO_MANAGER, FolderIOManager
from e2i_assets.defs.namespace import Namespace
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.defs.tracing_resource import TracingResource


def from_environment(name: str) -> dg.EnvVar | None:
    """Return a reference to an environment variable, or None when it is not set, so that the default applies."""
    return dg.EnvVar(name) if os.environ.get(name) else None


@dg.resource(description="dagster-mlflow's resource, for your own assets: the global mlflow API within a run.")
def mlflow(context: dg.InitResourceContext) -> Iterator[Any]:
    """Yield dagster-mlflow's resource, connected to the project's MLflow.

    The assets of this package do not use it, because it keeps one active run per process. Its runs have the tag
    ``dagster_run_id`` like those of this package, so one search finds both.
    """
    from dagster_mlflow import mlflow_tracking

    found = project_settings.current_settings()
    uri = found.mlflow_tracking_uri or as_worker(database(found)).url_for("mlflow")
    config = {"experiment_name": "e2i_own_assets", "mlflow_tracking_uri": uri}
    import mlflow as fluent

    own = context.replace_config(config)
    yield from mlflow_tracking.resource_fn(own)  # type: ignore[call-arg]  # typed as if it took no context
    # The resource leaves the run active for the next code in this process; a failed run has ended by now.
    fluent.end_run()


def _own_mlflow() -> dg.EnvVar | None:
    """Return the configured MLflow server as trace receiver, if the receiver is mlflow and has no other address."""
    is_mlflow = os.environ.get(TRACING_RECEIVER) == "mlflow"
    return from_environment(project_settings.MLFLOW_TRACKING_URI) if is_mlflow else None


def _artifacts() -> str | None:
    """Return the artifact location for an MLflow experiment that a trace creates; None for the server's default.

    It is the same place as for trainings, which write to it without a server.
    """
    found = project_settings.current_settings()
    return None if is_server(found.mlflow_tracking_uri or "") else found.artifacts


def resources(namespace: Namespace) -> dict[str, Any]:
    """Return the resources. Addresses are references to environment variables, so their values are not read here.

    The same environment gives the same objects: Dagster merges no definitions with different resources of one name.
    """
    own = frozenset((name, value) for name, value in os.environ.items() if name.startswith("E2I_"))
    return dict(_resources(namespace.key_prefix, own))


@lru_cache(maxsize=8)
def _resources(key_prefix: tuple[str, ...], environment: frozenset[tuple[str, str]]) -> dict[str, Any]:
    e2i = ProjectResource(
        database_url=from_environment(project_settings.DATABASE_URL),
        mlflow_tracking_uri=from_environment(project_settings.MLFLOW_TRACKING_URI),
        key_prefix=list(key_prefix),
    )
    tracing = TracingResource(
        endpoint=from_environment(TRACING_ENDPOINT) or _own_mlflow(),
        receiver=from_environment(TRACING_RECEIVER) or "otlp",
        headers=from_environment("E2I_TRACING_HEADERS"),
        trials=from_environment("E2I_TRACING_TRIALS") or "0",
        project=from_environment("E2I_TRACING_PROJECT"),
        workspace_name=from_environment("E2I_TRACING_WORKSPACE"),
        api_key=from_environment("E2I_TRACING_API_KEY"),
        mlflow_experiment_id=from_environment("E2I_TRACING_MLFLOW_EXPERIMENT_ID"),
        mlflow_artifacts=_artifacts(),
    )
    return {"e2i": e2i, "tracing": tracing, "mlflow": mlflow, IO_MANAGER: FolderIOManager(e2i=e2i)}
