"""Logs trainings in MLflow. If MLflow is unavailable, they wait in the outbox and are sent later."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from e2i_assets.adapters.mlflow.outbox import Outbox, Pending
from e2i_assets.adapters.mlflow.runs_view import run_url, view_url
from e2i_assets.adapters.mlflow.tracked_run import TrackedRun, TrackingResult
from e2i_assets.adapters.mlflow.tracker import tracking_failures
from e2i_assets.adapters.repositories.models import version_of, write_version
from e2i_assets.adapters.repositories.training_runs import RowWriter, StoredRun
from e2i_assets.core.contracts.contract import MlflowInfo
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.services.project import Project
from e2i_assets.services.training_as_tracked_run import runs_view_key

_BEING_SENT = "the process that was sending it ended too early"


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """The result of sending a training that MLflow had missed."""

    experiment: str
    result: TrackingResult


def log(project: Project, experiment: str, identity: str, tracked: TrackedRun) -> TrackingResult:
    """Log a training in MLflow. On failure, or if the process is killed meanwhile, it waits in the outbox."""
    outbox = project.outbox
    trouble = _put(outbox, experiment, identity, tracked, _BEING_SENT)
    result = project.tracker().log(tracked)
    if result.status == "logged":
        outbox.drop(experiment, identity)
        return result
    trouble = trouble or _put(outbox, experiment, identity, tracked, reason_text(result))
    return replace(result, reason=f"{result.reason}{trouble}")


def attach(project: Project, experiment: str, identity: str, files: Mapping[str, bytes]) -> TrackingResult:
    """Add files to the MLflow run of a finished training, now or when the training is sent.

    Args:
        project: The project.
        experiment: Name of the experiment.
        identity: Study key of the training.
        files: File name to content: a figure, a table, an HTML page.
    """
    run = project.training_runs.by_spec_hash(identity)
    if project.outbox.add_files(experiment, identity, files):
        return TrackingResult("unavailable", reason="MLflow has not taken this training yet: sent with it later")
    if run is None or run.model_key is None:
        return TrackingResult("refused", reason=f"there is no training of {experiment} with this identity")
    return project.tracker().attach(run.model_key, files)


def waiting(project: Project, experiment: str | None = None) -> list[Pending]:
    """Return the trainings that wait to be sent to MLflow, for one or all experiments."""
    return list(project.outbox.pending(experiment))


def is_waiting(project: Project, experiment: str, identity: str) -> bool:
    """Return whether the training of a study waits to be sent to MLflow."""
    return project.outbox.get(experiment, identity) is not None


def catch_up(project: Project, experiment: str | None = None) -> Iterator[CaughtUp]:
    """Send what MLflow has missed, and update the links. Repeating it has no effect."""
    for one in waiting(project, experiment):
        with project.database.advisory_lock(f"catch up {one.identity}"):
            yield CaughtUp(one.experiment, _sent(project, one))


def close_stale(project: Project, has_ended: Callable[[str], bool]) -> list[str]:
    """Close the MLflow runs that a crash left open. If MLflow is unavailable, a later sweep closes them."""
    try:
        return project.tracker().close_stale(has_ended)
    except tracking_failures():
        return []


def reason_text(result: TrackingResult) -> str:
    """Return the reason why MLflow does not have a training."""
    return f"{result.status}: {result.reason}"


def _sent(project: Project, pending: Pending) -> TrackingResult:
    outbox, store = project.outbox, project.training_runs
    run = store.by_spec_hash(pending.identity)
    if run is None or run.status != "finished" or run.model_key != pending.run.run_key:
        # A later training of the same study replaced it, or it did not finish: `e2i run` logs that training.
        outbox.drop(pending.experiment, pending.identity)
        return TrackingResult("refused", reason="its training did not finish, or was replaced by another: e2i run")
    folder = project.model_folder(pending.experiment, pending.identity)
    result = project.tracker().log(replace(pending.run, model_folder=folder))
    if result.status != "logged":
        outbox.put(pending.experiment, pending.identity, pending.run, reason_text(result))
        return result
    store.found_in_mlflow(run.id, str(result.run_id), str(result.model_uri), _renumbered(project, run, result))
    outbox.drop(pending.experiment, pending.identity)
    return result


def _put(outbox: Outbox, experiment: str, identity: str, tracked: TrackedRun, reason: str) -> str:
    """Store a training in the outbox. If that fails (full disk), return a message; the model is not affected."""
    try:
        outbox.put(experiment, identity, tracked, reason)
    except OSError as error:
        return f"; nor could it be kept for later: {error}"
    return ""


def _renumbered(project: Project, run: StoredRun, result: TrackingResult) -> RowWriter:
    """Return the write that sets the model version to the number from MLflow, keeping its stage."""
    known = version_of(project.database, run.id)
    if known is None:
        return lambda connection, run_id: None
    number = str(result.version)
    there = replace(known, model_version=number, mlflow_run_id=result.run_id, mlflow_model_uri=result.model_uri)
    return lambda connection, run_id: write_version(connection, run_id, there)


def mlflow_url(project: Project, tracked: TrackingResult) -> str | None:
    """Return the URL of the MLflow run, or None."""
    if tracked.run_id is None:
        return None
    return run_url(project.settings.mlflow_url, tracked.run_id)


def mlflow_runs_url(project: Project, experiment: Experiment, tracked: TrackingResult) -> str | None:
    """Return the URL of all runs of the experiment in MLflow, with the main metrics as columns, or None."""
    if tracked.experiment_id is None:
        return None
    return view_url(project.settings.mlflow_url, tracked.experiment_id, runs_view_key(experiment))


def mlflow_info(tracked: TrackingResult) -> MlflowInfo:
    """Return the MLflow part of the output contract."""
    return MlflowInfo(
        mlflow_status="unavailable" if tracked.status == "refused" else tracked.status,
        run_id=tracked.run_id,
        model_uri=tracked.model_uri,
        registered_model_name=tracked.registered_model_name,
        version=tracked.version,
        stage=tracked.stage,
    )
