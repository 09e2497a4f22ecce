"""Trainings in MLflow, by client and explicit ids. Best effort, at one boundary: only `Tracker._tried` catches.

What a tracked run is stands in `tracked_run`, how a store is reached in `mlflow_client`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from e2i_assets.adapters.addresses import without_userinfo
from e2i_assets.adapters.mlflow.client import TrackingFailed, TrackingUnreachable, is_server, mlflow_client
from e2i_assets.adapters.mlflow.model_registry import champion_version, promote, registered_version
from e2i_assets.adapters.mlflow.run import (
    ended,
    found_run,
    log_data,
    log_files,
    log_model,
    log_values,
    opened_run,
)
from e2i_assets.adapters.mlflow.run_files import files, require_file_names
from e2i_assets.adapters.mlflow.tracked_run import (
    DAGSTER_RUN_TAG,
    MODEL_FOLDER,
    TrackedRun,
    TrackingRefused,
    TrackingResult,
    experiment_tags,
    require_legal,
)
from e2i_assets.adapters.mlflow.trial_history import log_history
from e2i_assets.core.errors import E2iError

if TYPE_CHECKING:
    from mlflow import MlflowClient

Lock = Callable[[str], AbstractContextManager[object]]


class Tracker:
    """Logs trainings to one MLflow store.

    Args:
        tracking_uri: Of a database or a server; None switches tracking off.
        artifact_root: Folder for the artifacts, unless a server keeps them.
        lock: Makes the lock of a name, held while a run is found or created and written to, and while a row that
            several trainings share is written.
    """

    def __init__(self, tracking_uri: str | None, artifact_root: Path, lock: Lock = nullcontext) -> None:
        self._tracking_uri = tracking_uri
        self._artifact_root = artifact_root
        self._lock = lock

    def log(self, run: TrackedRun) -> TrackingResult:
        """Log a training. The same run key again brings the same MLflow run up to date.

        Never raises because of MLflow: a trained model is worth more than its log. ``refused`` means that something is
        wrong with what was to be logged, ``unavailable`` that MLflow did not take it; both say why.
        """
        try:
            require_legal(run)
            content = files(run)
            require_file_names(content)
        except TrackingRefused as error:
            return TrackingResult("refused", reason=str(error))
        return self._tried(run.run_key, lambda client: self._logged(client, run, content))

    def attach(self, run_key: str, content: Mapping[str, bytes]) -> TrackingResult:
        """Add files to the run of this key, under exactly their names; the same name again replaces the file.

        Never raises because of MLflow, as `log`; ``refused`` when there is no such run.
        """

        def told(client: "MlflowClient") -> TrackingResult:
            require_file_names(content)
            run = found_run(client, _experiment_ids(client), run_key)
            if run is None:
                raise TrackingRefused(f"MLflow has no run of the key {run_key}: log the training first")
            log_files(client, run, content)
            return TrackingResult("logged", run_id=str(run.info.run_id), experiment_id=str(run.info.experiment_id))

        return self._tried(run_key, told)

    def promote(self, name: str, version: int, champion: int | None) -> str:
        """Point the aliases of a registered model at its champion and, where that is another, at its challenger.

        Never raises because of MLflow.

        Returns:
            ``moved``, or why not.
        """
        if self._tracking_uri is None:
            return "no MLflow tracking address is configured"
        try:
            with self._lock(f"mlflow model:{name}"):
                promote(mlflow_client(self._tracking_uri), name, version, champion)
        except tracking_failures() as error:
            return self._said(error)
        return "moved"

    def champion(self, name: str) -> str | None:
        """Return the version of a registered model that the alias ``champion`` points at, or None."""
        with self._asked() as client:
            return champion_version(client, name)

    def run_params(self, run_id: str) -> dict[str, str]:
        """Return the parameters of an MLflow run, as MLflow keeps them (see `param_text`)."""
        with self._asked() as client:
            return dict(client.get_run(run_id).data.params)

    def close_stale(self, has_ended: Callable[[str], bool]) -> list[str]:
        """Mark as FAILED what still says RUNNING although its Dagster run is over; returns the MLflow run ids.

        Args:
            has_ended: Whether the Dagster run of this id is over.
        """
        with self._asked() as client:
            running = client.search_runs(_experiment_ids(client), "attributes.status = 'RUNNING'")
            stale = [
                str(run.info.run_id)
                for run in running
                # Runs without the tag are not ours.
                if DAGSTER_RUN_TAG in run.data.tags and has_ended(run.data.tags[DAGSTER_RUN_TAG])
            ]
            for run_id in stale:
                client.set_terminated(run_id, status="FAILED")
        return stale

    def _tried(self, run_key: str, told: Callable[["MlflowClient"], TrackingResult]) -> TrackingResult:
        """The one place where what MLflow raises becomes a word."""
        if self._tracking_uri is None:
            return TrackingResult("disabled", reason="no MLflow tracking address is configured")
        try:
            with self._lock(f"mlflow run:{run_key}"):
                return told(mlflow_client(self._tracking_uri))
        except TrackingRefused as error:
            return TrackingResult("refused", reason=str(error))
        except tracking_failures() as error:
            return TrackingResult("unavailable", reason=self._said(error))

    @contextmanager
    def _asked(self) -> Iterator["MlflowClient"]:
        """Give a client whose failures are raised as errors of ours, and not chained: MLflow's hold the password."""
        if self._tracking_uri is None:
            raise E2iError("no MLflow tracking address is configured, so there are no runs to look at")
        try:
            yield mlflow_client(self._tracking_uri)
        except TrackingUnreachable:
            raise
        except tracking_failures() as error:
            raise TrackingFailed(self._said(error)) from None

    def _said(self, error: Exception) -> str:
        return without_userinfo(f"{type(error).__name__}: {error}", str(self._tracking_uri))

    def _logged(self, client: "MlflowClient", tracked: TrackedRun, content: dict[str, bytes]) -> TrackingResult:
        experiment_id = self._experiment(client, tracked)
        run = opened_run(client, experiment_id, tracked)
        run_id, name, version = str(run.info.run_id), tracked.registered_model_name, None
        with ended(client, run_id, tracked):
            log_values(client, run, tracked)
            log_history(client, run, tracked.history)
            # MLflow reads a row and then inserts the next: two trainings that share it would insert the same one.
            if tracked.data is not None:
                with self._lock(f"mlflow experiment:{tracked.experiment_name}"):
                    log_data(client, run, tracked.data)
            log_files(client, run, content)
            if tracked.model_folder is not None:
                sha256 = log_model(client, run, tracked.model_folder)
                if name:
                    with self._lock(f"mlflow model:{name}"):
                        version = registered_version(client, name, tracked, run, sha256)
        return TrackingResult(
            status="logged",
            run_id=run_id,
            experiment_id=experiment_id,
            model_uri=None if tracked.model_folder is None else f"runs:/{run_id}/{MODEL_FOLDER}",
            registered_model_name=None if version is None else name,
            version=version,
            stage=None if version is None else tracked.stage,
        )

    def _experiment(self, client: "MlflowClient", tracked: TrackedRun) -> str:
        """The id of the experiment, found or created: another run of it may be creating it just now."""
        from mlflow.exceptions import MlflowException

        name = tracked.experiment_name
        if found := client.get_experiment_by_name(name):
            if found.lifecycle_stage == "deleted":  # its name stays taken, and it takes no run
                client.restore_experiment(found.experiment_id)
            return str(found.experiment_id)
        # A server keeps artifacts where it was told to.
        location = None if is_server(str(self._tracking_uri)) else (self._artifact_root.resolve() / name).as_uri()
        try:
            return str(client.create_experiment(name, location, experiment_tags(tracked)))
        except MlflowException as error:
            created = client.get_experiment_by_name(name)
            if error.error_code != "RESOURCE_ALREADY_EXISTS" or created is None:
                raise
            return str(created.experiment_id)


def _experiment_ids(client: "MlflowClient") -> list[str]:
    return [str(experiment.experiment_id) for experiment in client.search_experiments()]


def tracking_failures() -> tuple[type[Exception], ...]:
    """Return what an MLflow store that is away, broken or full raises; a failed HTTP request is an OSError too."""
    from mlflow.exceptions import MlflowException

    return (TrackingUnreachable, TrackingFailed, MlflowException, SQLAlchemyError, OSError)
