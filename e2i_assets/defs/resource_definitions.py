"""The resources under the names by which assets ask for them, with the addresses that the environment gives."""

import os
from collections.abc import Iterator
from typing import Any

import dagster as dg

from e2i_assets.adapters import settings as project_settings
from e2i_assets.adapters.mlflow.client import is_server
from e2i_assets.adapters.postgres.roles import as_worker
from e2i_assets.adapters.postgres.server import database
from e2i_assets.adapters.tracing.settings import TRACING_ENDPOINT, TRACING_RECEIVER
from e2i_assets.defs.io_managers import FolderIOManager
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.defs.tracing_resource import TracingResource


def from_environment(name: str) -> dg.EnvVar | None:
    """Return a reference to an environment variable, None where it is not set: the default then applies."""
    return dg.EnvVar(name) if os.environ.get(name) else None


@dg.resource(description="dagster-mlflow's own resource, for assets of one's own: the global mlflow API in a run.")
def mlflow(context: dg.InitResourceContext) -> Iterator[Any]:
    """Yield dagster-mlflow's resource on the project's MLflow.

    Our own links do not go through it: it keeps one active run per process. Its runs carry the tag ``dagster_run_id``,
    as ours do, so that one search finds both.
    """
    from dagster_mlflow import mlflow_tracking

    found = project_settings.current_settings()
    uri = found.mlflow_tracking_uri or as_worker(database(found)).url_for("mlflow")
    config = {"experiment_name": "e2i_own_assets", "mlflow_tracking_uri": uri}
    import mlflow as fluent

    own = context.replace_config(config)
    yield from mlflow_tracking.resource_fn(own)  # type: ignore[call-arg]  # typed as if it took no context
    # Of itself it leaves the run active for whoever comes next in this process; a failed one has ended by now.
    fluent.end_run()


def _own_mlflow() -> dg.EnvVar | None:
    """Return the person's own MLflow server as the receiver, where that is asked for and no other address is given."""
    asked = os.environ.get(TRACING_RECEIVER) == "mlflow"
    return from_environment(project_settings.MLFLOW_TRACKING_URI) if asked else None


def _artifacts() -> str | None:
    """Return where an MLflow experiment keeps artifacts that is made for its traces first; None: as its server says.

    The same folder as for its trainings, which write there without a server.
    """
    found = project_settings.current_settings()
    return None if is_server(found.mlflow_tracking_uri or "") else found.artifacts.resolve().as_uri()


@dg.definitions
def resources() -> dg.Definitions:
    """Make the resources: an address that is set in the environment is referred to, not read."""
    e2i = ProjectResource(
        database_url=from_environment(project_settings.DATABASE_URL),
        mlflow_tracking_uri=from_environment(project_settings.MLFLOW_TRACKING_URI),
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
    return dg.Definitions(
        resources={
            "e2i": e2i,
            "tracing": tracing,
            "mlflow": mlflow,
            "io_manager": FolderIOManager(e2i=e2i),
        }
    )
