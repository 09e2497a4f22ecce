"""MLflow runs of dead Dagster runs: the sensors mark them as failed, and the next attempt completes them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import log_program

from e2i_assets.adapters.mlflow.client import mlflow_client
from e2i_assets.definitions import defs


def killed_while_logging(project, folder: Path, dagster_run_id: str) -> None:
    """Kill a process while it logs a model: it blocks on a named pipe in place of a file of the model."""
    folder.mkdir()
    os.mkfifo(folder / "MLmodel")
    arguments = [project.project.database.url, str(project.root), str(folder), dagster_run_id]
    program = subprocess.Popen([sys.executable, log_program.__file__, *arguments])
    try:
        deadline = time.monotonic() + 60
        while not statuses(project):
            assert program.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        program.kill()
    assert program.wait() == -signal.SIGKILL


def statuses(project) -> list[str]:
    return [row.status for row in project.all("SELECT status FROM mlflow.runs")]


def run_sensor(project, sensor: str, dead: dg.DagsterRun) -> None:
    """Run a sensor on a Dagster run that has ended."""
    loaded = defs()
    context = dg.build_run_status_sensor_context(
        sensor_name=sensor,
        dagster_instance=project.instance,
        dagster_run=dead,
        dagster_event=dg.DagsterEvent("PIPELINE_FAILURE", "tune_and_train"),
        resources={"e2i": loaded.resources["e2i"]},
    )
    loaded.resolve_sensor_def(sensor)(context)


def test_the_mlflow_run_of_a_killed_process_is_failed_and_a_retry_finishes_it(project, tmp_path):
    """No MLflow run stays RUNNING, and the retry completes the same MLflow run."""
    dead = dg.DagsterRun(job_name="tune_and_train", status=dg.DagsterRunStatus.FAILURE)
    killed_while_logging(project, tmp_path / "model", dead.run_id)
    run_sensor(project, "mlflow_runs_of_failed_runs", dg.DagsterRun(job_name="tune_and_train"))
    assert statuses(project) == ["RUNNING"]
    run_sensor(project, "mlflow_runs_of_failed_runs", dead)
    assert statuses(project) == ["FAILED"]

    again = project.project.tracker().log(log_program.run(dagster_run_id="the retry"))
    assert again.status == "logged"
    assert statuses(project) == ["FINISHED"]
    stored = mlflow_client(project.project.database.url_for("mlflow")).get_run(again.run_id)
    assert stored.data.params == {"hp_alpha": "0.25"}
    assert stored.data.tags["e2i.dagster_run_id"] == "the retry"


def test_the_mlflow_run_of_a_canceled_run_is_failed(project):
    canceled = dg.DagsterRun(job_name="tune_and_train", status=dg.DagsterRunStatus.CANCELED)
    logged = project.project.tracker().log(log_program.run(canceled.run_id))
    mlflow_client(project.project.database.url_for("mlflow")).update_run(logged.run_id, status="RUNNING")
    run_sensor(project, "mlflow_runs_of_canceled_runs", canceled)
    assert statuses(project) == ["FAILED"]


def test_the_sensors_are_running_by_default():
    for name in ("mlflow_runs_of_failed_runs", "mlflow_runs_of_canceled_runs"):
        assert defs().resolve_sensor_def(name).default_status is dg.DefaultSensorStatus.RUNNING
