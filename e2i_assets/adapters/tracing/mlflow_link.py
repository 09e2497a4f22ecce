"""The MLflow experiment and run of a trace, as the headers that MLflow's own span receiver requires."""

from typing import TYPE_CHECKING, Any

from e2i_assets.adapters.tracing.settings import TracingSettings

if TYPE_CHECKING:
    import requests

EXPORT_SECONDS = 2.0
_EXPERIMENT, _RUN = "x-mlflow-experiment-id", "x-mlflow-run-id"
_API = "/api/2.0/mlflow/experiments"


class MlflowLink:
    """The headers of the spans of a run; the MLflow run id is added once the training has been logged."""

    def __init__(self) -> None:
        self.run_id: str | None = None
        self._experiment_id: str | None = None

    def headers(self, session: "requests.Session", settings: TracingSettings) -> dict[str, str]:
        """Return the headers; request the experiment's id from the server if only its name is known.

        Raises:
            RequestException: The server does not answer, or does not support experiments.
        """
        if self._experiment_id is None:
            self._experiment_id = settings.mlflow_experiment_id or _found_or_created(session, settings)
        return {_EXPERIMENT: self._experiment_id, **({_RUN: self.run_id} if self.run_id else {})}


def _found_or_created(session: "requests.Session", settings: TracingSettings) -> str:
    found = _id_of(session, settings)
    if found is None:
        place = {"artifact_location": settings.mlflow_artifacts} if settings.mlflow_artifacts else {}
        answer = session.post(
            f"{settings.base}{_API}/create",
            json={"name": settings.mlflow_experiment, **place},
            headers=settings.all_headers,
            timeout=EXPORT_SECONDS,
        )
        # A concurrent run of the experiment may have created it.
        found = _id_of(session, settings) if answer.status_code == 400 else _field(answer, "experiment_id")
    if found is None:
        raise _request_error(f"{settings.base} has no experiment {settings.mlflow_experiment}, and did not create it")
    return found


def _id_of(session: "requests.Session", settings: TracingSettings) -> str | None:
    answer = session.get(
        f"{settings.base}{_API}/get-by-name",
        params={"experiment_name": settings.mlflow_experiment},
        headers=settings.all_headers,
        timeout=EXPORT_SECONDS,
    )
    return None if answer.status_code == 404 else _field(answer, "experiment", "experiment_id")


def _field(answer: "requests.Response", *path: str) -> str:
    answer.raise_for_status()
    value: Any = answer.json()
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, str):
        raise _request_error(f"{answer.url} does not answer as MLflow does")
    return value


def _request_error(message: str) -> Exception:
    import requests

    return requests.RequestException(message)
