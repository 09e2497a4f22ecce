"""Sensors that keep MLflow honest about runs of the graph that did not come to their end."""

import dagster as dg

from e2i_assets.defs.resources import ProjectResource
from e2i_assets.services import track_runs


def _close(context: dg.RunStatusSensorContext, e2i: ProjectResource) -> None:
    run_id = context.dagster_run.run_id
    for closed in track_runs.close_stale(e2i.open(), {run_id}.__contains__):
        context.log.info(f"MLflow run {closed} said RUNNING of Dagster run {run_id}, which is over: closed as FAILED")


@dg.run_status_sensor(run_status=dg.DagsterRunStatus.FAILURE, default_status=dg.DefaultSensorStatus.RUNNING)
def mlflow_runs_of_failed_runs(context: dg.RunStatusSensorContext, e2i: ProjectResource) -> None:
    """Close the MLflow runs that a run left open whose process died; a retry opens them again."""
    _close(context, e2i)


@dg.run_status_sensor(run_status=dg.DagsterRunStatus.CANCELED, default_status=dg.DefaultSensorStatus.RUNNING)
def mlflow_runs_of_canceled_runs(context: dg.RunStatusSensorContext, e2i: ProjectResource) -> None:
    """Close the MLflow runs that a run left open which somebody ended."""
    _close(context, e2i)
