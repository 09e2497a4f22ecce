"""What the spans of a run say about themselves, from the values that the assets have at hand."""

from e2i_assets.adapters.tracing.span_attributes import search_attributes, training_attributes
from e2i_assets.adapters.trainings import KeptTraining
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.search import tuning


def training(experiment: Experiment) -> dict[str, object]:
    """What is known of a training when it begins."""
    return training_attributes(
        experiment_id=experiment.name,
        algorithm_name=experiment.algorithm,
        problem_type=experiment.problem_type,
        enable_hpo=experiment.hpo.enabled,
        hpo_trials=experiment.hpo.trials,
    )


def trained(done: KeptTraining, hpo: HpoOutput) -> dict[str, object]:
    """What is known of it when it has ended."""
    return {
        "training_run_id": done.training_run_id,
        "model_id": done.output.trained_model.model_id,
        "success_criteria_met": done.output.success_criteria_met,
        "hpo_trials_run": hpo.hpo_trials_run,
    }


def search(experiment: Experiment) -> dict[str, object]:
    """What is known of a search when it begins."""
    return search_attributes(
        algorithm_name=experiment.algorithm,
        problem_type=experiment.problem_type,
        n_trials=experiment.hpo.trials,
        timeout_seconds=tuning.plan(experiment, "").timeout_seconds,
        metric=experiment.metric,
        search_space_params=experiment.search_space(),
    )


def searched(tuned: tuning.Tuned) -> dict[str, object]:
    """What is known of it when it has ended."""
    result = tuned.result
    if result is None:
        return {}
    return {
        "best_value": result.best.value if result.best else None,
        "n_trials_completed": result.count("COMPLETE"),
        "n_trials_pruned": result.count("PRUNED"),
        "duration_seconds": result.duration_seconds,
    }
