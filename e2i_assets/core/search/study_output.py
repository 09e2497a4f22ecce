"""The output contract of a study: the parameters to train, and where they come from."""

from typing import Any

from e2i_assets.core.contracts.contract import AlgorithmResult, HpoOutput
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import merged
from e2i_assets.core.search.goals import limits
from e2i_assets.core.search.objective_choice import ObjectiveChoice
from e2i_assets.core.search.search_failure import SearchFailure, failure_of
from e2i_assets.core.search.study_result import NONE_WITHIN_CONSTRAINTS, StudyResult
from e2i_assets.core.search.tuning import Tuned, defaults, fixed


def hpo_output(
    experiment: Experiment,
    study_key: str,
    result: StudyResult | None,
    failure: SearchFailure | None = None,
    choice: ObjectiveChoice | None = None,
    leaderboard: list[AlgorithmResult] | None = None,
) -> HpoOutput:
    """Return the output contract of a study: defaults, overridden by the best trial, then by the fixed parameters.

    Without a trial to train, the parameters are the defaults and the output contains the cause.

    Args:
        experiment: The experiment that was searched.
        study_key: The study key.
        result: The result of the study; None if there is no study.
        failure: Why the search could not start.
        choice: With ``hpo.objective: auto``: how the trials were evaluated.
        leaderboard: The compared algorithms, that of the experiment first; None without a comparison.
    """
    chosen: dict[str, Any] = (
        {"hpo_objective": choice.objective, "hpo_objective_reason": choice.reason} if choice else {}
    )
    if leaderboard:
        chosen |= {"hpo_algorithm": experiment.algorithm, "hpo_leaderboard": leaderboard}
    best = result.best if result else None
    if result is None or best is None:
        failed = failure_of(result) if result else failure
        cause = failed.error if failed else "the search is off or has nothing to tune"
        return HpoOutput(
            **chosen,
            hpo_completed=False,
            best_hyperparameters=merged(defaults(experiment), {}, fixed(experiment)),
            hpo_trials_run=result.count("COMPLETE") if result else 0,
            hpo_trials_pruned=result.count("PRUNED") if result else 0,
            hpo_trials_failed=result.count("FAIL") if result else 0,
            hpo_trials_begun=result.begun if result else None,
            hpo_duration_seconds=result.duration_seconds if result else 0.0,
            hpo_study_name=result.study_name if result else None,
            hpo_spec_hash=study_key,
            hpo_metric=experiment.metric,
            hpo_stop_reason=_no_trial_reason(experiment, result) if result else cause,
            error=failed.error if failed else None,
            error_type=failed.error_type if failed else None,
        )
    return HpoOutput(
        **chosen,
        hpo_completed=True,
        best_hyperparameters=best.params,
        hpo_best_trial=best.number,
        hpo_best_value=best.value,
        hpo_best_stopped_early=best.stopped_early,
        hpo_default_value=result.default_value,
        hpo_trials_run=result.count("COMPLETE"),
        hpo_trials_pruned=result.count("PRUNED"),
        hpo_trials_failed=result.count("FAIL"),
        hpo_trials_begun=result.begun,
        hpo_duration_seconds=result.duration_seconds,
        hpo_study_name=result.study_name,
        hpo_spec_hash=study_key,
        hpo_metric=experiment.metric,
        hpo_stop_reason=result.failure or result.stop_reason,
    )


def output_of(experiment: Experiment, tuned: Tuned) -> HpoOutput:
    """Return the output contract of a search; the experiment may compare several algorithms."""
    decided = tuned.decided(experiment)
    return hpo_output(decided, tuned.identity, tuned.result, tuned.failure, tuned.choice, tuned.leaderboard)


def _no_trial_reason(experiment: Experiment, result: StudyResult) -> str:
    """Return why a study has no trial to train, with the trial value that is nearest to each constraint."""
    completed = [trial for trial in result.trials if trial.value is not None]
    if not completed:
        return result.stop_reason
    nearest = []
    for limit in limits(experiment):
        values = [trial.constraint_values[limit.goal.name] for trial in completed]
        nearest.append(f"{limit} (the nearest trial has {min(values, key=limit.excess):g})")
    ended = "" if result.stop_reason == NONE_WITHIN_CONSTRAINTS else f"{result.stop_reason}, and "
    return f"{ended}{NONE_WITHIN_CONSTRAINTS}: {', '.join(nearest)}"
