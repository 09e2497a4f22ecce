"""Logs trainings to MLflow by explicit ids. Best effort at a single boundary: only `Tracker._tried` catches errors.

`tracked_run` defines a tracked run, and `client` connects to a store.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError

from e2i_assets.adapters.addresses import without_userinfo
from e2i_assets.adapters.mlflow.client import TrackingFailed, TrackingUnreachable, is_server, mlflow_client
from e2i_assets.adapters.mlflow.model_registry import champion_version, promote, registered_version, set_champion
from e2i_assets.adapters.mlflow.run import (
    artifact_files,
    ended,
    found_run,
    log_data,
    log_files,
    log_model,
    log_values,
    opened_run,
    require_file_names,
)
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
    from mlflow.entities import Experiment

    from mlflow import MlflowClient

Lock = Callable[[str], AbstractContextManager[object]]


class Tracker:
    """Logs trainings to one MLflow store.

    Args:
        tracking_uri: Address of a database or a server; None switches tracking off.
        artifact_root: Address of the artifacts (file:///..., s3://...), unless a server stores them.
        lock: Returns the lock with a name. It is held while a run is found or created and written, and while rows that
            several trainings share are written.
    """

    def __init__(self, tracking_uri: str | None, artifact_root: str, lock: Lock = nullcontext) -> None:
        self._tracking_uri = tracking_uri
        self._artifact_root = artifact_root
        self._lock = lock

    def log(self, run: TrackedRun) -> TrackingResult:
        """Log a training. A repetition with the same run key updates the same MLflow run.

        MLflow errors are not raised, because a trained model is worth more than its log. ``refused`` means that the run
        is invalid, ``unavailable`` that MLflow did not accept it; ``reason`` says why.
        """
        try:
            require_legal(run)
            content = artifact_files(run)
            require_file_names(content)
        except TrackingRefused as error:
            return TrackingResult("refused", reason=str(error))
        return self._tried(run.run_key, lambda client: self._logged(client, run, content))

    def attach(self, run_key: str, content: Mapping[str, bytes]) -> TrackingResult:
        """Add files to the run with this key, under exactly their names; an existing file is replaced.

        MLflow errors are not raised, as in `log`; ``refused`` if the run does not exist.
        """

        def attached(client: "MlflowClient") -> TrackingResult:
            require_file_names(content)
            run = found_run(client, _experiment_ids(client), run_key)
            if run is None:
                raise TrackingRefused(f"MLflow has no run with the key {run_key}: log the training first")
            log_files(client, run, content)
            return TrackingResult("logged", run_id=str(run.info.run_id), experiment_id=str(run.info.experiment_id))

        return self._tried(run_key, attached)

    def promote(self, name: str, version: int, champion: int | None) -> str:
        """Set the aliases of a registered model for its champion and, if different, its challenger.

        MLflow errors are not raised.

        Returns:
            ``moved``, or the reason why not.
        """
        return self._aliased(name, lambda client: promote(client, name, version, champion))

    def set_champion(self, name: str, version: int | None) -> str:
        """Set the champion alias of a registered model, or remove it with None. Returns what `promote` returns."""
        return self._aliased(name, lambda client: set_champion(client, name, version))

    def _aliased(self, name: str, change: Callable[["MlflowClient"], None]) -> str:
        if self._tracking_uri is None:
            return "no MLflow tracking address is configured"
        try:
            with self._lock(f"mlflow model:{name}"):
                change(mlflow_client(self._tracking_uri))
        except tracking_failures() as error:
            return self._message(error)
        return "moved"

    def champion(self, name: str) -> str | None:
        """Return the version of a registered model with the alias ``champion``, or None."""
        with self._client() as client:
            return champion_version(client, name)

    def require_answer(self) -> None:
        """Check that MLflow answers.

        Raises:
            E2iError: It does not, with the reason.
        """
        with self._client() as client:
            client.search_experiments(max_results=1)

    def run_params(self, run_id: str) -> dict[str, str]:
        """Return the parameters of an MLflow run as stored in MLflow (see `param_text`)."""
        with self._client() as client:
            return dict(client.get_run(run_id).data.params)

    def close_stale(self, has_ended: Callable[[str], bool]) -> list[str]:
        """Set RUNNING runs whose Dagster run has ended to FAILED, and return their MLflow run ids.

        Args:
            has_ended: Returns whether the Dagster run with this id has ended.
        """
        with self._client() as client:
            running = client.search_runs(_experiment_ids(client), "attributes.status = 'RUNNING'")
            stale = [
                str(run.info.run_id)
                for run in running
                # Runs without the tag were not logged by this product.
                if DAGSTER_RUN_TAG in run.data.tags and has_ended(run.data.tags[DAGSTER_RUN_TAG])
            ]
            for run_id in stale:
                client.set_terminated(run_id, status="FAILED")
        return stale

    def _tried(self, run_key: str, action: Callable[["MlflowClient"], TrackingResult]) -> TrackingResult:
        """Run an action and convert MLflow's errors to results; the only place that does so."""
        if self._tracking_uri is None:
            return TrackingResult("disabled", reason="no MLflow tracking address is configured")
        try:
            with self._lock(f"mlflow run:{run_key}"):
                return action(mlflow_client(self._tracking_uri))
        except TrackingRefused as error:
            return TrackingResult("refused", reason=str(error))
        except tracking_failures() as error:
            return TrackingResult("unavailable", reason=self._message(error))

    @contextmanager
    def _client(self) -> Iterator["MlflowClient"]:
        """Yield a client; its errors are raised as `E2iError`, unchained because MLflow's contain the password."""
        if self._tracking_uri is None:
            raise E2iError("no MLflow tracking address is configured, so there are no runs to read")
        try:
            yield mlflow_client(self._tracking_uri)
        except TrackingUnreachable:
            raise
        except tracking_failures() as error:
            raise TrackingFailed(self._message(error)) from None

    def _message(self, error: Exception) -> str:
        return without_userinfo(f"{type(error).__name__}: {error}", str(self._tracking_uri))

    def _logged(self, client: "MlflowClient", tracked: TrackedRun, content: dict[str, bytes]) -> TrackingResult:
        experiment_id = self._experiment(client, tracked)
        run = opened_run(client, experiment_id, tracked)
        run_id, name, version = str(run.info.run_id), tracked.registered_model_name, None
        with ended(client, run_id, tracked):
            log_values(client, run, tracked)
            log_history(client, run, tracked.history)
            # MLflow selects a row and then inserts it if missing: concurrent trainings would insert the same row twice.
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
        """Return the id of the experiment, found or created; another run may create it concurrently."""
        from mlflow.exceptions import MlflowException

        name = tracked.experiment_name
        if found := client.get_experiment_by_name(name):
            if found.lifecycle_stage == "deleted":  # its name stays reserved, and it accepts no runs
                client.restore_experiment(found.experiment_id)
            _complete_tags(client, found, tracked)
            return str(found.experiment_id)
        # A server chooses the artifact location itself.
        location = None if is_server(str(self._tracking_uri)) else f"{self._artifact_root}/{quote(name)}"
        try:
            return str(client.create_experiment(name, location, experiment_tags(tracked)))
        except MlflowException as error:
            created = client.get_experiment_by_name(name)
            if error.error_code != "RESOURCE_ALREADY_EXISTS" or created is None:
                raise
            return str(created.experiment_id)


def _complete_tags(client: "MlflowClient", found: "Experiment", tracked: TrackedRun) -> None:
    """Set the tags that an experiment lacks: traces, or an earlier version, have created it."""
    for name, value in experiment_tags(tracked).items():
        if name not in found.tags:
            client.set_experiment_tag(found.experiment_id, name, value)


def _experiment_ids(client: "MlflowClient") -> list[str]:
    return [str(experiment.experiment_id) for experiment in client.search_experiments()]


def tracking_failures() -> tuple[type[Exception], ...]:
    """Return the exceptions of an MLflow store that is down, broken or full; a failed HTTP request is an OSError."""
    from mlflow.exceptions import MlflowException

    return (TrackingUnreachable, TrackingFailed, MlflowException, SQLAlchemyError, OSError)
