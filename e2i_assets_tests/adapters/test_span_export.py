"""The export of spans: receivers from the environment, and the sampled share of trials."""

from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from pydantic import SecretStr, ValidationError
from trace_receiver import Receiver, values

from e2i_assets.adapters.tracing.settings import TracingSettings
from e2i_assets.adapters.tracing.span_attributes import SEARCH, TRAINING, TRIAL, output
from e2i_assets.adapters.tracing.tracing import Tracing

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
OPIK = "/api/v1/private/otel/v1/traces"


@pytest.mark.parametrize(
    ("receiver", "endpoint", "url"),
    [
        ("opik", "https://www.comet.com/opik", f"https://www.comet.com/opik{OPIK}"),
        ("opik", "https://www.comet.com/opik/", f"https://www.comet.com/opik{OPIK}"),
        # The variables of OpenTelemetry for all signals and for traces.
        ("opik", "http://localhost:5173/api/v1/private/otel", f"http://localhost:5173{OPIK}"),
        ("opik", f"http://localhost:5173{OPIK}", f"http://localhost:5173{OPIK}"),
        ("otlp", "http://collector:4318", "http://collector:4318/v1/traces"),
        ("otlp", "http://collector:4318/v1/traces", "http://collector:4318/v1/traces"),
        ("mlflow", "http://127.0.0.1:5000", "http://127.0.0.1:5000/v1/traces"),
        ("none", "http://collector:4318", None),
        ("otlp", None, None),
    ],
)
def test_an_address_in_any_spelling_is_where_the_receiver_takes_spans(
    receiver: Any, endpoint: str | None, url: str | None
) -> None:
    assert TracingSettings(receiver=receiver, endpoint=endpoint, mlflow_experiment="e2i_cells").url == url


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"receiver": "opik"}, "needs an endpoint"),
        ({"receiver": "mlflow"}, "needs an endpoint"),
        ({"endpoint": "http://here", "trials": 1.5}, "trials"),
        ({"endpoint": "http://here", "headers": "no equals sign"}, "name=value,name=value"),
    ],
)
def test_settings_that_cannot_work_are_named(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        TracingSettings(**settings)


def test_opik_gets_what_came_in_and_out_and_every_header(receiver: Receiver) -> None:
    """Decoded requests: the attributes of the contract, and the two that Opik shows as input and output."""
    settings = TracingSettings(
        endpoint=f"{receiver.url}/opik",
        receiver="opik",
        project="patients",
        workspace="team",
        api_key=SecretStr("key"),
        headers="X-Tenant=a%2Cb, X-Other=1",
    )
    tracing = Tracing(settings)
    with tracing.span(TRAINING, run_id="r", parent=None, attributes={"input.value": "{}"}) as span:
        span.set(output({"model_id": "m1", "success_criteria_met": True}))
    assert tracing.shutdown(10).status == "sent"
    assert receiver.paths == [f"/opik{OPIK}"]
    sent = {"authorization": "key", "projectname": "patients", "comet-workspace": "team", "x-tenant": "a,b"}
    assert sent.items() <= receiver.headers[0].items()
    said = values(receiver.called(TRAINING).attributes)
    assert (said["model_id"], said["success_criteria_met"]) == ("m1", True)
    assert said["output.value"] == '{"model_id": "m1", "success_criteria_met": true}'
    assert {"service.name", "service.version", "telemetry.sdk.name"} <= receiver.resources.keys()


def trials_of(tracing: Tracing, run_id: str, failing: set[int]) -> list[int]:
    """Return the trials of a hundred that get a span."""
    return [number for number in range(100) if tracing.is_sampled(run_id, f"trial {number}", number in failing)]


def test_a_share_of_the_trials_has_spans_the_same_in_every_process_and_all_that_fail() -> None:
    def settings(share: float) -> TracingSettings:
        return TracingSettings(endpoint="http://127.0.0.1:9", trials=share)

    assert trials_of(Tracing(settings(0.0)), "r", {3}) == []
    assert trials_of(Tracing(settings(1.0)), "r", set()) == list(range(100))
    some = trials_of(Tracing(settings(0.2)), "r", set())
    assert 8 <= len(some) <= 35
    assert trials_of(Tracing(settings(0.2)), "r", set()) == some != trials_of(Tracing(settings(0.2)), "other", set())
    assert set(trials_of(Tracing(settings(0.2)), "r", {1, 2, 3})) == {*some, 1, 2, 3}
    assert trials_of(Tracing(TracingSettings(trials=1.0)), "r", set()) == []


def test_a_span_of_what_is_over_says_when_it_was_and_what_ended_it(receiver: Receiver) -> None:
    tracing = Tracing(TracingSettings(endpoint=receiver.url))
    later = datetime(2026, 1, 1, 0, 0, 2, tzinfo=UTC)
    tracing.record(
        TRIAL,
        run_id="r",
        key="trial 7",
        parent=SEARCH,
        started_at=MOMENT,
        ended_at=later,
        attributes={"trial_number": 7},
        error=("ValueError", "max_bin must be above 1"),
    )
    assert tracing.has("trial 7")
    assert tracing.shutdown(10).sent == 1
    span = receiver.called(TRIAL)
    assert span.end_time_unix_nano - span.start_time_unix_nano == 2 * 10**9
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert values(span.attributes)["error.type"] == "ValueError"
    (event,) = span.events
    assert (event.name, event.time_unix_nano) == ("exception", span.end_time_unix_nano)
    assert values(event.attributes)["exception.message"] == "max_bin must be above 1"


@pytest.mark.parametrize("answer", [404, 500])
def test_a_receiver_that_is_no_mlflow_loses_the_spans_and_says_so(receiver: Receiver, answer: int) -> None:
    receiver.answer = answer
    tracing = Tracing(TracingSettings(endpoint=receiver.url, receiver="mlflow", mlflow_experiment="e2i_cells"))
    with tracing.span(TRAINING, run_id="r", parent=None):
        pass
    result = tracing.shutdown()
    assert (result.status, result.lost) == ("unavailable", 1)
