"""A search: it runs a study to its exact budget of trials; a study can be killed, resumed and shared."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from e2i_assets.core.search.fit_warnings import collecting
from e2i_assets.core.search.objective import Objective, failure
from e2i_assets.core.search.proposals import NOTHING, Proposals, Proposer
from e2i_assets.core.search.recovery import queue_unfinished
from e2i_assets.core.search.rounds import optimised
from e2i_assets.core.search.samplers import pruner, sampler
from e2i_assets.core.search.study_monitor import StudyMonitor, counted
from e2i_assets.core.search.study_plan import ALONE, METRIC_NAMES, Coordination, StudyPlan
from e2i_assets.core.search.study_result import (
    NONE_COMPLETED,
    NONE_WITHIN_CONSTRAINTS,
    TOO_MANY_FAILURES,
    StopReason,
    StudyResult,
)
from e2i_assets.core.search.trial_selection import Objectives, candidates
from e2i_assets.core.search.trials import TrialRecord, record_of
from e2i_assets.core.search_space.dimensions import IntDimension

if TYPE_CHECKING:
    import optuna

_DEFAULT_VALUE = "default_value"
_DEFAULT_FAILURE = "default_failure"


def search(
    objective_until: Callable[[float], Objective],
    plan: StudyPlan,
    storage: "optuna.storages.BaseStorage",
    proposer: Proposer = NOTHING,
    on_trial: Callable[[TrialRecord, float | None], None] = lambda trial, best: None,
    coordination: Coordination = ALONE,
) -> StudyResult:
    """Run a study to its budget; earlier processes may have begun it, and other processes may work on it now.

    Args:
        objective_until: Returns the objective for a deadline (a value of `time.monotonic`).
        plan: How to search.
        storage: The storage that contains the study.
        proposer: Returns the configurations to try before the sampler starts.
        on_trial: Called with each finished trial of this call and the best value so far.
        coordination: How the study is shared with other processes.

    Raises:
        StudyCancelled: The coordinator of this process is gone.
        NoWorkers: No worker has run a trial for a while.
    """
    began, started_at = time.monotonic(), datetime.now(UTC)
    deadline = began + plan.timeout_seconds if plan.timeout_seconds is not None else float("inf")
    objective = objective_until(deadline)
    objectives = _objectives(objective, plan)
    study = _opened(storage, plan, objective, coordination.joined)
    resumed_from = len(counted(study))
    with collecting():
        proposals = _queued(
            study, objective, proposer, coordination.worker_pool.size if coordination.worker_pool else plan.workers
        )
        monitor = StudyMonitor(
            on_trial,
            plan.max_failures,
            plan.stop_without_improvement,
            objectives,
            includes_other_processes=coordination.is_distributed,
        )
        monitor.resume(study)
        reason = optimised(study, objective, plan, deadline, monitor, proposals, coordination)
    records = (record_of(trial) for trial in study.trials)
    trials = tuple(trial for trial in records if trial.state not in ("WAITING", "RUNNING"))
    return StudyResult(
        study_name=plan.name,
        n_trials=plan.trials,
        objectives=objectives,
        trials=trials,
        default_value=study.user_attrs.get(_DEFAULT_VALUE),
        stop_reason=_final_reason(reason, trials),
        resumed_from=min(resumed_from, plan.trials),
        started_at=started_at,
        completed_at=datetime.now(UTC),
        duration_seconds=time.monotonic() - began,
    )


def _opened(
    storage: "optuna.storages.BaseStorage", plan: StudyPlan, objective: Objective, joined: int
) -> "optuna.Study":
    """Create or load the study of a plan, with a sampler that does not repeat the points of earlier processes."""
    import optuna

    study = optuna.create_study(
        storage=storage, study_name=plan.name, directions=["maximize"] * len(objective.goals), load_if_exists=True
    )
    names = [goal.maximised for goal in objective.goals]
    if study.metric_names != names:
        # `Study.set_metric_names` is the same, with a warning that it is experimental.
        storage.set_study_system_attr(study._study_id, METRIC_NAMES, names)
    # Waiting trials do not count: a coordinator queues proposals before its workers sample their first point.
    started = sum(trial.state.name != "WAITING" for trial in study.trials)
    seed = plan.seed + started + joined
    study.sampler = sampler(plan.sampler, seed, objective.space, plan.trials, plan.startup_trials)
    pruner_name = plan.pruner if len(objective.goals) == 1 else "none"
    study.pruner = pruner(pruner_name, _cap(objective), on_folds=objective.scheme.folds > 0)
    return study


def _objectives(objective: Objective, plan: StudyPlan) -> Objectives:
    greater_is_better = {goal.name: goal.greater_is_better for goal in objective.goals}
    return Objectives(greater_is_better=greater_is_better, tolerance=plan.tolerance)


def _queued(study: "optuna.Study", objective: Objective, proposer: Proposer, concurrent_trials: int) -> Proposals:
    """Evaluate the defaults, then queue the unfinished trials of earlier processes and the first proposals."""
    if _DEFAULT_VALUE not in study.user_attrs:
        _evaluate_defaults(study, objective)
    queue_unfinished(study)
    proposals = Proposals(proposer, concurrent_trials, lambda study: study.user_attrs.get(_DEFAULT_VALUE))
    proposals.queue(study)
    return proposals


def _evaluate_defaults(study: "optuna.Study", objective: Objective) -> None:
    """Store the value of the defaults with the study, or the error; an error does not end the study."""
    try:
        study.set_user_attr(_DEFAULT_VALUE, objective.default_value())
    except Exception as error:  # noqa: BLE001  # any error of a trial can occur here, and is stored likewise
        study.set_user_attr(_DEFAULT_FAILURE, failure(error))
        study.set_user_attr(_DEFAULT_VALUE, None)


def _cap(objective: Objective) -> int:
    """Return the maximum number of steps that a trial can report: rounds, trees or folds."""
    if objective.scheme.folds:
        return objective.scheme.folds
    rounds = objective.space.get("n_estimators")
    if isinstance(rounds, IntDimension):
        return rounds.high
    return int(objective.fixed.get("n_estimators", objective.defaults.get("n_estimators", 1)))


def _final_reason(reason: StopReason, trials: Sequence[TrialRecord]) -> StopReason:
    """Return the stop reason of a study; if it ended without a trial to train, the reason says so."""
    if reason in ("time is up", TOO_MANY_FAILURES) or candidates(trials):
        return reason
    return NONE_WITHIN_CONSTRAINTS if any(trial.value is not None for trial in trials) else NONE_COMPLETED
