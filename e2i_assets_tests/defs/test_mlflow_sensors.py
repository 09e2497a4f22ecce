"""A run that dies while it tells MLflow of a training: what it leaves open is closed, and the next attempt mends it."""

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
    """Kill a process that is in the middle of logging: it waits for the end of a pipe in the place of a model."""
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


def looked(project, sensor: str, dead: dg.DagsterRun) -> None:
    """Have a sensor look at a run that is over."""
    loaded = defs()
    context = dg.build_run_status_sensor_context(
        sensor_name=sensor,
        dagster_instance=project.instance,
        dagster_run=dead,
        dagster_event=dg.DagsterEvent("PIPELINE_FAILURE", "tune_and_train"),
        resources={"e2i": loaded.resources["e2i"]},
    )
    loaded.resolve_sensor_def(sensor)(context)


def test_what_a_killed_process_left_running_is_failed_and_a_retry_finishes_it(project, tmp_path):
    """T16, T30: no run says RUNNING for ever, and the second attempt is the same MLflow run."""
    dead = dg.DagsterRun(job_name="tune_and_train", status=dg.DagsterRunStatus.FAILURE)
    killed_while_logging(project, tmp_path / "model", dead.run_id)
    looked(project, "mlflow_runs_of_failed_runs", dg.DagsterRun(job_name="tune_and_train"))
    assert statuses(project) == ["RUNNING"]
    looked(project, "mlflow_runs_of_failed_runs", dead)
    assert statuses(project) == ["FAILED"]

    again = project.project.tracker().log(log_program.run(dagster_run_id="the retry"))
    assert again.status == "logged"
    assert statuses(project) == ["FINISHED"]
    stored = mlflow_client(project.project.database.url_for("mlflow")).get_run(again.run_id)
    assert stored.data.params == {"hp_alpha": "0.25"}
    assert stored.data.tags["e2i.dagster_run_id"] == "the retry"


def test_what_a_canceled_run_left_running_is_failed(project):
    canceled = dg.DagsterRun(job_name="tune_and_train", status=dg.DagsterRunStatus.CANCELED)
    logged = project.project.tracker().log(log_program.run(canceled.run_id))
    mlflow_client(project.project.database.url_for("mlflow")).update_run(logged.run_id, status="RUNNING")
    looked(project, "mlflow_runs_of_canceled_runs", canceled)
    assert statuses(project) == ["FAILED"]


def test_the_sensors_look_without_being_turned_on():
    for name in ("mlflow_runs_of_failed_runs", "mlflow_runs_of_canceled_runs"):
        assert defs().resolve_sensor_def(name).default_status is dg.DefaultSensorStatus.RUNNING
