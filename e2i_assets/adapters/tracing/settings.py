"""Tracing settings: the receiver's address and headers, as configured by the user."""

from typing import Literal, Self
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from e2i_assets.adapters.addresses import address_parts
from e2i_assets.core.errors import E2iError

TRACING_ENDPOINT, TRACING_RECEIVER = "E2I_TRACING_ENDPOINT", "E2I_TRACING_RECEIVER"
Receiver = Literal["otlp", "opik", "mlflow", "none"]

_PATHS: dict[str, str] = {
    "otlp": "/v1/traces",
    "opik": "/api/v1/private/otel/v1/traces",
    "mlflow": "/v1/traces",
}


class TracingSettings(BaseModel):
    """Tracing as configured; it is off without an endpoint.

    Attributes:
        endpoint: Base address of the receiver, for example ``http://localhost:5173`` or
            ``https://www.comet.com/opik``; the receiver's path is appended if it is missing. Secret.
        receiver: ``opik``, ``mlflow`` (its server accepts spans), ``otlp`` for any collector, ``none`` for no receiver.
        headers: Further headers of every request; a text is parsed as ``name=value,name=value``.
        trials: Share of the trials with their own span, 0 to 1; unless it is 0, every failed trial has one.
        service_name: The service name of the spans.
        project: Opik's project.
        workspace: Opik's workspace.
        api_key: Sent as ``Authorization``.
        mlflow_experiment_id: The MLflow experiment of the traces; MLflow refuses spans without one.
        mlflow_experiment: Its name, if the id is not known: found or created when the first span is sent.
        mlflow_artifacts: Artifact location of an experiment that is created; None for the server's default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    endpoint: str | None = Field(None, repr=False)
    receiver: Receiver = "otlp"
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    service_name: str = "e2i_assets"
    project: str | None = None
    workspace: str | None = None
    api_key: SecretStr | None = None
    mlflow_experiment_id: str | None = None
    mlflow_experiment: str | None = None
    mlflow_artifacts: str | None = None
    trials: float = Field(0.0, ge=0, le=1)

    @field_validator("headers", mode="before")
    @classmethod
    def _parse_header_text(cls, headers: object) -> object:
        if not isinstance(headers, str):
            return headers
        pairs = [pair.strip().partition("=") for pair in headers.split(",") if pair.strip()]
        if any(not name.strip() or not equals for name, equals, _ in pairs):
            raise ValueError("must read name=value,name=value")
        return {name.strip(): unquote(value.strip()) for name, _, value in pairs}

    @field_validator("endpoint")
    @classmethod
    def _check_address(cls, endpoint: str | None) -> str | None:
        if not endpoint:
            return None
        if not endpoint.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://: spans are sent by OTLP over HTTP")
        try:
            address_parts(TRACING_ENDPOINT, endpoint)
        except E2iError as error:
            raise ValueError(str(error)) from None
        return endpoint.rstrip("/")

    @model_validator(mode="after")
    def _check_receiver(self) -> Self:
        named = self.mlflow_experiment_id or self.mlflow_experiment
        if self.endpoint and self.receiver == "mlflow" and not named:
            raise ValueError("receiver mlflow needs mlflow_experiment_id: MLflow refuses spans without an experiment")
        if self.receiver in ("opik", "mlflow") and not self.endpoint:
            raise ValueError(f"receiver {self.receiver} needs an endpoint: the address of its server")
        return self

    @property
    def url(self) -> str | None:
        """The full address that spans are sent to, None if tracing is off."""
        if self.endpoint is None or self.receiver == "none":
            return None
        path = _PATHS[self.receiver]
        return self.base + path

    @property
    def base(self) -> str:
        """The address of the receiver without the path of the spans, empty if there is none."""
        path = _PATHS.get(self.receiver, "")
        # OpenTelemetry's own variables contain Opik's address up to the signal's path, which is accepted too.
        return (self.endpoint or "").removesuffix(path).removesuffix(path.removesuffix("/v1/traces")).rstrip("/")

    @property
    def all_headers(self) -> dict[str, str]:
        """The headers of every request, including the API key in clear text."""
        named = {
            "Authorization": self.api_key.get_secret_value() if self.api_key else None,
            "projectName": self.project if self.receiver == "opik" else None,
            "Comet-Workspace": self.workspace if self.receiver == "opik" else None,
            "x-mlflow-experiment-id": self.mlflow_experiment_id if self.receiver == "mlflow" else None,
        }
        return {**{name: value for name, value in named.items() if value}, **self.headers}
