"""Names and attributes of the spans of a training."""

import json
from collections.abc import Iterable, Mapping

TRAINING = "model_trainer.train_model"
SEARCH = "model_trainer.hyperparameter_optimization"
TRIAL = "model_trainer.trial"

SpanValue = str | bool | int | float | list[str] | list[bool] | list[int] | list[float]


def training_attributes(
    *, experiment_id: str, algorithm_name: str, problem_type: str, enable_hpo: bool, hpo_trials: int | None
) -> dict[str, object]:
    """Return the initial attributes of the span of a training.

    Added to the span later: ``training_run_id``, ``model_id``, ``success_criteria_met``, ``hpo_trials_run`` (see
    `output`).
    """
    given = {"experiment_id": experiment_id, "algorithm_name": algorithm_name, "problem_type": problem_type}
    return {
        "tier": 0,
        "experiment_id": experiment_id,
        "algorithm_name": algorithm_name,
        "problem_type": problem_type,
        "enable_hpo": enable_hpo,
        "hpo_trials": hpo_trials,
        "tags": ["model_trainer", "tier_0", "model_training"],
        # Opik and MLflow show these two as the input of the span.
        "input.value": json.dumps(given),
        "input.mime_type": "application/json",
    }


def output(facts: Mapping[str, object]) -> dict[str, object]:
    """Return the result attributes of a span: each fact as an attribute, and all together as its output."""
    return {
        **facts,
        "output.value": json.dumps(dict(facts), default=str),
        "output.mime_type": "application/json",
    }


def trial_attributes(
    *,
    trial_number: int,
    state: str,
    origin: str,
    value: float | None,
    rounds: int | None,
    sampled: Mapping[str, object],
) -> dict[str, object]:
    """Return the attributes of the span of a trial; ``value`` is that of the first objective, higher is better."""
    return {
        "trial_number": trial_number,
        "state": state,
        "origin": origin,
        "value": value,
        "rounds": rounds,
        **{f"hp_{name}": drawn for name, drawn in sampled.items()},
        "tags": ["hpo", "optuna", "trial"],
        "input.value": json.dumps(dict(sampled), default=str),
        "input.mime_type": "application/json",
        "output.value": json.dumps({"state": state, "value": value}),
        "output.mime_type": "application/json",
    }


def search_attributes(
    *,
    algorithm_name: str,
    problem_type: str,
    n_trials: int,
    timeout_seconds: float | None,
    metric: str,
    search_space_params: Iterable[str],
) -> dict[str, object]:
    """Return the initial attributes of the span of a search.

    Added to the span later: ``best_value``, ``n_trials_completed``, ``n_trials_pruned``, ``duration_seconds``.
    """
    return {
        "algorithm_name": algorithm_name,
        "problem_type": problem_type,
        "n_trials": n_trials,
        "timeout_seconds": timeout_seconds,
        "metric": metric,
        "search_space_params": sorted(search_space_params),
        "tags": ["hpo", "optuna", algorithm_name.lower()],
    }


def span_values(attributes: Mapping[str, object]) -> dict[str, SpanValue]:
    """Return attributes in OpenTelemetry's types: None is left out, structured values become JSON."""
    return {name: _span_value(value) for name, value in attributes.items() if value is not None}


def _span_value(value: object) -> SpanValue:
    item = getattr(value, "item", None)
    plain = item() if callable(item) else value
    if isinstance(plain, str | bool | int | float):
        return plain
    if isinstance(plain, list | tuple) and all(isinstance(one, str) for one in plain):
        return list(plain)
    return json.dumps(plain, default=str)
