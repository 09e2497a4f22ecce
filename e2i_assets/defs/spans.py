"""The attributes of the spans of a run, from the values that the assets have."""

import dagster as dg

from e2i_assets.adapters.tracing.span_attributes import output, search_attributes, training_attributes, trial_attributes
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.search import tuning
from e2i_assets.core.search.trials import TrialRecord
from e2i_assets.services.train import StoredTraining


def training(experiment: Experiment) -> dict[str, object]:
    """Return the attributes of a training span at its start."""
    return training_attributes(
        experiment_id=experiment.name,
        algorithm_name=experiment.algorithm_text,
        problem_type=experiment.problem_type,
        enable_hpo=experiment.hpo.enabled,
        hpo_trials=experiment.hpo.trials,
    )


def any_training(run: dg.DagsterRun) -> dict[str, object]:
    """Return the attributes of a training span when no step has provided any."""
    facts = {"tier": 0, "experiment_id": run.tags.get("dagster/partition"), "dagster.run_id": run.run_id}
    return {**facts, "tags": ["model_trainer", "tier_0", "model_training"]}


def trained(done: StoredTraining, hpo: HpoOutput) -> dict[str, object]:
    """Return the attributes of a training span at its end."""
    facts = {
        "training_run_id": done.record.start.training_run_id,
        "model_id": done.output.trained_model.model_id,
        "success_criteria_met": done.output.success_criteria_met,
        "hpo_trials_run": hpo.hpo_trials_run,
    }
    return {**output(facts), "mlflow_run_id": done.output.mlflow_info.run_id}


def search(experiment: Experiment) -> dict[str, object]:
    """Return the attributes of a search span at its start."""
    return search_attributes(
        algorithm_name=experiment.algorithm_text,
        problem_type=experiment.problem_type,
        n_trials=experiment.hpo.trials,
        timeout_seconds=tuning.timeout_seconds(experiment),
        metric=experiment.metric,
        search_space_params=dict.fromkeys(
            name for one in experiment.contenders for name in experiment.of(one).search_space()
        ),
    )


def searched(tuned: tuning.Tuned) -> dict[str, object]:
    """Return the attributes of a search span at its end."""
    result = tuned.result
    if result is None:
        return {}
    facts = {
        "best_value": result.best.value if result.best else None,
        "n_trials_completed": result.count("COMPLETE"),
        "n_trials_pruned": result.count("PRUNED"),
        "duration_seconds": result.duration_seconds,
    }
    counts = {"n_trials_failed": result.count("FAIL"), "stop_reason": result.stop_reason}
    return {**output(facts), **counts}


def search_error(tuned: tuning.Tuned) -> tuple[str, str] | None:
    """Return the type and message of the error that ended a search, or None."""
    if tuned.failure:
        return tuned.failure.error_type, tuned.failure.error
    if tuned.result is None or tuned.result.failure is None:
        return None
    last = tuned.result.last_failure
    return str(last.error_type if last else tuned.result.stop_reason), tuned.result.failure


def trial(record: TrialRecord, algorithm: str | None = None) -> dict[str, object]:
    """Return the attributes of the span of a finished trial; with its algorithm, if several are compared."""
    named: dict[str, object] = {} if algorithm is None else {"algorithm_name": algorithm}
    return named | trial_attributes(
        trial_number=record.number,
        state=record.state,
        origin=record.origin,
        value=record.value,
        rounds=record.rounds,
        sampled=record.sampled,
    )
