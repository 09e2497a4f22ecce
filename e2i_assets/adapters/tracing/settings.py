"""Where spans are sent: the receiver's address and headers, from what a person configures."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

Receiver = Literal["otlp", "opik", "mlflow"]

_PATHS: dict[Receiver, str] = {
    "otlp": "/v1/traces",
    "opik": "/api/v1/private/otel/v1/traces",
    "mlflow": "/v1/traces",
}


class TracingSettings(BaseModel):
    """Tracing as configured; without an endpoint it is off.

    Attributes:
        endpoint: Base address of the receiver, for example ``http://localhost:5173`` or
            ``https://www.comet.com/opik``; the path of the receiver is added when it is not there.
        receiver: ``opik``, ``mlflow`` (its server takes spans too), or ``otlp`` for any collector.
        headers: Further headers of every request.
        service_name: Under which the spans are found.
        project: Opik's project.
        workspace: Opik's workspace.
        api_key: Sent as ``Authorization``.
        mlflow_experiment_id: The MLflow experiment that the traces belong to; MLflow refuses spans without one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str | None = None
    receiver: Receiver = "otlp"
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    service_name: str = "e2i_assets"
    project: str | None = None
    workspace: str | None = None
    api_key: SecretStr | None = None
    mlflow_experiment_id: str | None = None

    @field_validator("endpoint")
    @classmethod
    def _is_an_address(cls, endpoint: str | None) -> str | None:
        if not endpoint:
            return None
        if not endpoint.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://: spans are sent by OTLP over HTTP")
        return endpoint.rstrip("/")

    @model_validator(mode="after")
    def _mlflow_knows_the_experiment(self) -> Self:
        if self.endpoint and self.receiver == "mlflow" and not self.mlflow_experiment_id:
            raise ValueError("receiver mlflow needs mlflow_experiment_id: MLflow refuses spans without an experiment")
        return self

    @property
    def url(self) -> str | None:
        """The full address that spans are sent to, None when tracing is off."""
        if self.endpoint is None:
            return None
        path = _PATHS[self.receiver]
        return self.endpoint if self.endpoint.endswith(path) else self.endpoint + path

    @property
    def all_headers(self) -> dict[str, str]:
        """The headers of every request, the key in clear text among them."""
        named = {
            "Authorization": self.api_key.get_secret_value() if self.api_key else None,
            "projectName": self.project if self.receiver == "opik" else None,
            "Comet-Workspace": self.workspace if self.receiver == "opik" else None,
            "x-mlflow-experiment-id": self.mlflow_experiment_id if self.receiver == "mlflow" else None,
        }
        return {**{name: value for name, value in named.items() if value}, **self.headers}
