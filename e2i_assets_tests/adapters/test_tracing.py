import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from opentelemetry import trace as global_trace
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from pydantic import SecretStr, ValidationError
from trace_receiver import Receiver, values

from e2i_assets.adapters.tracing.settings import TracingSettings
from e2i_assets.adapters.tracing.span_attributes import SEARCH, TRAINING, TRIAL, search_attributes, training_attributes
from e2i_assets.adapters.tracing.tracing import Tracing


def test_the_search_is_a_child_of_the_training_and_a_trial_of_the_search(receiver: Receiver) -> None:
    tracing = Tracing(TracingSettings(endpoint=receiver.url))
    with (
        tracing.span(TRAINING, run_id="r1", parent=None),
        tracing.span(SEARCH, run_id="r1"),
        tracing.span(TRIAL, run_id="r1", parent=SEARCH, key="trial 0"),
        tracing.span(TRIAL, run_id="r1", parent=SEARCH, key="trial 1"),
    ):
        pass
    assert tracing.shutdown(10).sent == 4
    training, search = receiver.called(TRAINING), receiver.called(SEARCH)
    trials = [span for span in receiver.spans if span.name == TRIAL]
    assert training.parent_span_id == b""
    assert search.parent_span_id == training.span_id
    assert [trial.parent_span_id for trial in trials] == [search.span_id] * 2
    assert len({span.span_id for span in receiver.spans}) == 4
    assert {span.trace_id for span in receiver.spans} == {training.trace_id}
    assert {span.status.code for span in receiver.spans} == {Status.STATUS_CODE_OK}


def test_steps_in_different_processes_meet_in_one_trace(receiver: Receiver) -> None:
    step = (
        "from e2i_assets.adapters.tracing.span_attributes import SEARCH\n"
        "from e2i_assets.adapters.tracing.tracing import Tracing\n"
        "from e2i_assets.adapters.tracing.settings import TracingSettings\n"
        f"tracing = Tracing(TracingSettings(endpoint='{receiver.url}'))\n"
        "with tracing.span(SEARCH, run_id='r2'): pass\n"
        "assert tracing.shutdown(10).status == 'sent'\n"
    )
    subprocess.run([sys.executable, "-c", step], check=True)
    began = datetime(2026, 1, 1, tzinfo=UTC)
    tracing = Tracing(TracingSettings(endpoint=receiver.url))
    with tracing.span(TRAINING, run_id="r2", parent=None, started_at=began):
        pass
    tracing.shutdown(10)
    training, search = receiver.called(TRAINING), receiver.called(SEARCH)
    assert (search.trace_id, search.parent_span_id) == (training.trace_id, training.span_id)
    assert training.start_time_unix_nano == 1767225600 * 10**9


def test_different_runs_are_different_traces(receiver: Receiver) -> None:
    tracing = Tracing(TracingSettings(endpoint=receiver.url))
    for run_id in ("r1", "r2"):
        with tracing.span(TRAINING, run_id=run_id, parent=None):
            pass
    tracing.shutdown(10)
    assert len({span.trace_id for span in receiver.spans}) == 2


def test_attributes_arrive_at_the_beginning_and_at_the_end(receiver: Receiver) -> None:
    tracing = Tracing(TracingSettings(endpoint=receiver.url, service_name="ours"))
    begun = search_attributes(
        algorithm_name="XGBoost",
        problem_type="regression",
        n_trials=10,
        timeout_seconds=None,
        metric="rmse",
        search_space_params=["max_depth", "gamma"],
    )
    with tracing.span(SEARCH, run_id="r1", attributes=begun) as search:
        search.set({"best_value": np.float64(-1.5), "n_trials_completed": 8, "space": {"low": 1}})
    tracing.shutdown(10)
    assert values(receiver.called(SEARCH).attributes) == {
        "algorithm_name": "XGBoost",
        "problem_type": "regression",
        "n_trials": 10,
        "metric": "rmse",
        "search_space_params": ["gamma", "max_depth"],
        "tags": ["hpo", "optuna", "xgboost"],
        "best_value": -1.5,
        "n_trials_completed": 8,
        "space": '{"low": 1}',
    }
    assert receiver.resources["service.name"] == "ours"


def test_the_training_span_says_what_is_trained(receiver: Receiver) -> None:
    tracing = Tracing(TracingSettings(endpoint=receiver.url))
    begun = training_attributes(
        experiment_id="e1", algorithm_name="Ridge", problem_type="regression", enable_hpo=True, hpo_trials=5
    )
    with tracing.span(TRAINING, run_id="r1", parent=None, attributes=begun):
        pass
    tracing.shutdown(10)
    arrived = values(receiver.called(TRAINING).attributes)
    assert arrived == begun
    assert arrived["tags"] == ["model_trainer", "tier_0", "model_training"]


@pytest.mark.parametrize("error", [ValueError("no rows"), KeyboardInterrupt()])
def test_an_exception_marks_the_span_and_passes_on(receiver: Receiver, error: BaseException) -> None:
    """A failure leaves a span with the error."""
    tracing = Tracing(TracingSettings(endpoint=receiver.url))
    with pytest.raises(type(error)), tracing.span(SEARCH, run_id="r1"):
        raise error
    tracing.shutdown(10)
    span = receiver.called(SEARCH)
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert str(error) in span.status.message
    assert values(span.attributes)["error.type"] == type(error).__name__
    assert [event.name for event in span.events] == ["exception"]
    assert "Traceback" in values(span.events[0].attributes)["exception.stacktrace"]


def test_opik_gets_its_address_and_its_headers(receiver: Receiver) -> None:
    settings = TracingSettings(
        endpoint=f"{receiver.url}/opik/",
        receiver="opik",
        project="patients",
        workspace="team",
        api_key=SecretStr("opik-key"),
        headers={"X-Ours": "1"},
    )
    assert "opik-key" not in repr(settings)
    tracing = Tracing(settings)
    with tracing.span(TRAINING, run_id="r1", parent=None):
        pass
    assert tracing.shutdown(10).status == "sent"
    assert receiver.paths == ["/opik/api/v1/private/otel/v1/traces"]
    expected = {"authorization": "opik-key", "projectname": "patients", "comet-workspace": "team", "x-ours": "1"}
    assert expected.items() <= receiver.headers[0].items()
    assert receiver.headers[0]["content-type"] == "application/x-protobuf"


def test_mlflow_gets_its_address_and_the_experiment(receiver: Receiver) -> None:
    settings = TracingSettings(endpoint=receiver.url, receiver="mlflow", mlflow_experiment_id="7")
    tracing = Tracing(settings)
    with tracing.span(TRAINING, run_id="r1", parent=None):
        pass
    tracing.shutdown(10)
    assert receiver.paths == ["/v1/traces"]
    assert receiver.headers[0]["x-mlflow-experiment-id"] == "7"


@pytest.mark.parametrize("trouble", ["gone", "slow", "errors", "refuses"])
def test_a_receiver_in_trouble_costs_less_than_a_second_and_is_reported(trouble: str, receiver: Receiver) -> None:
    receiver.delay = 30.0 if trouble == "slow" else 0.0
    receiver.answer = {"errors": 503, "refuses": 401}.get(trouble, 200)
    # A port below 1024 that nothing listens on: connections are refused at once.
    tracing = Tracing(TracingSettings(endpoint="http://127.0.0.1:9" if trouble == "gone" else receiver.url))
    longest = 0.0
    for number in range(600):
        began = time.monotonic()
        with tracing.span(TRIAL, run_id="r1", key=f"trial {number}"):
            pass
        longest = max(longest, time.monotonic() - began)
    # Recording costs CPU time, more under load; a single wait for the receiver would exceed this.
    assert longest < 1.0
    ending = time.monotonic()
    result = tracing.shutdown()
    assert time.monotonic() - ending < 1.0
    assert (result.status, result.sent, result.lost) == ("unavailable", 0, 600)
    assert "600 of 600 spans" in str(result.reason)


def test_a_receiver_that_is_away_is_named_without_its_password() -> None:
    settings = TracingSettings(endpoint="http://me:hunter2@127.0.0.1:9")
    tracing = Tracing(settings)
    with tracing.span(TRAINING, run_id="r1", parent=None):
        pass
    reason = str(tracing.shutdown().reason)
    assert "not received by http://127.0.0.1:9/v1/traces within" in reason
    assert "hunter2" not in reason + repr(settings)


def test_a_process_does_not_wait_for_a_dead_receiver_when_it_ends(receiver: Receiver) -> None:
    receiver.delay = 30.0
    program = (
        "import time\n"
        "from e2i_assets.adapters.tracing.tracing import Tracing\n"
        "from e2i_assets.adapters.tracing.settings import TracingSettings\n"
        f"tracing = Tracing(TracingSettings(endpoint='{receiver.url}'))\n"
        "with tracing.span('any', run_id='r'): pass\n"
        "print(time.time(), flush=True)\n"
        "tracing.shutdown()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    # One second for the export timeout, and the rest for the exit of an interpreter on a busy machine.
    assert time.time() - float(ended.stdout) < 1.8


def test_without_an_endpoint_nothing_is_recorded_and_opentelemetry_is_not_even_loaded() -> None:
    program = (
        "import sys\n"
        "from e2i_assets.adapters.tracing.tracing import Tracing\n"
        "from e2i_assets.adapters.tracing.settings import TracingSettings\n"
        "tracing = Tracing(TracingSettings())\n"
        "with tracing.span('any', run_id='r') as span: span.set({'a': 1})\n"
        "assert tracing.shutdown().status == 'disabled'\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_exception_passes_through_when_tracing_is_off() -> None:
    with pytest.raises(ValueError, match="no rows"), Tracing(TracingSettings()).span(SEARCH, run_id="r1"):
        raise ValueError("no rows")


def test_the_global_provider_is_left_alone(receiver: Receiver) -> None:
    before = global_trace.get_tracer_provider()
    Tracing(TracingSettings(endpoint=receiver.url)).shutdown()
    assert global_trace.get_tracer_provider() is before


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"endpoint": "localhost:4317"}, "http://"),
        ({"endpoint": "http://here", "receiver": "mlflow"}, "mlflow_experiment_id"),
        ({"endpoint": "http://here", "receiver": "zipkin"}, "receiver"),
        ({"endpoint": "me:hunter2@here"}, "http://"),
        ({"endpoint": "http://me:hunter2/rest@here"}, "E2I_TRACING_ENDPOINT is not a valid address"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named) as raised:
        TracingSettings(**settings)
    assert "hunter2" not in str(raised.value)
