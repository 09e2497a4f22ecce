"""One search: an exact budget of trials on a study that can be killed, resumed and shared, and an honest result."""

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
from e2i_assets.core.search.selection import Objectives, candidates
from e2i_assets.core.search.study_monitor import StudyMonitor, counted
from e2i_assets.core.search.study_plan import ALONE, Coordination, StudyPlan
from e2i_assets.core.search.study_result import BROKEN_OFF, NONE_COMPLETED, OUTSIDE, StopReason, StudyResult
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
    """Run a study to its budget, from wherever earlier processes left it and beside others that work on it.

    Args:
        objective_until: Makes the objective for a deadline (a reading of `time.monotonic`).
        plan: How to search.
        storage: Where the study lives.
        proposer: Says what is tried before the sampler draws.
        on_trial: Told each finished trial of this call, and the best value so far.
        sharing: How it is shared with other processes.

    Raises:
        StudyCancelled: Nobody wants it to go on.
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
        follower = StudyMonitor(
            on_trial,
            plan.max_failures,
            plan.stop_without_improvement,
            objectives,
            follows_all=coordination.is_distributed,
        )
        follower.resume(study)
        reason = optimised(study, objective, plan, deadline, follower, proposals, coordination)
    records = (record_of(trial) for trial in study.trials)
    trials = tuple(trial for trial in records if trial.state not in ("WAITING", "RUNNING"))
    return StudyResult(
        study_name=plan.name,
        n_trials=plan.trials,
        objectives=objectives,
        trials=trials,
        default_value=study.user_attrs.get(_DEFAULT_VALUE),
        stop_reason=_why_ended(reason, trials),
        resumed_from=min(resumed_from, plan.trials),
        started_at=started_at,
        completed_at=datetime.now(UTC),
        duration_seconds=time.monotonic() - began,
    )


def _opened(
    storage: "optuna.storages.BaseStorage", plan: StudyPlan, objective: Objective, joined: int
) -> "optuna.Study":
    """Create or load the study of a plan, with a sampler that draws other points than those of earlier processes."""
    import optuna

    study = optuna.create_study(
        storage=storage, study_name=plan.name, directions=["maximize"] * len(objective.goals), load_if_exists=True
    )
    # Waiting trials do not count: a coordinator queues proposals before its workers draw their first point.
    begun = sum(trial.state.name != "WAITING" for trial in study.trials)
    seed = plan.seed + begun + joined
    study.sampler = sampler(plan.sampler, seed, objective.space, plan.trials, plan.startup_trials)
    pruning = plan.pruner if len(objective.goals) == 1 else "none"
    study.pruner = pruner(pruning, _cap(objective), on_folds=objective.scheme.folds > 0)
    return study


def _objectives(objective: Objective, plan: StudyPlan) -> Objectives:
    greater_is_better = {goal.name: goal.greater_is_better for goal in objective.goals}
    return Objectives(greater_is_better=greater_is_better, tolerance=plan.tolerance)


def _queued(study: "optuna.Study", objective: Objective, proposer: Proposer, at_a_time: int) -> Proposals:
    """Queue the trials that earlier processes did not finish and the first proposals; the defaults are judged first."""
    if _DEFAULT_VALUE not in study.user_attrs:
        _judge_defaults(study, objective)
    queue_unfinished(study)
    proposals = Proposals(proposer, at_a_time, lambda study: study.user_attrs.get(_DEFAULT_VALUE))
    proposals.queue(study)
    return proposals


def _judge_defaults(study: "optuna.Study", objective: Objective) -> None:
    """Keep the value of the defaults with the study, or why they have none: that ends nothing."""
    try:
        study.set_user_attr(_DEFAULT_VALUE, objective.default_value())
    except Exception as error:  # noqa: BLE001  # what can go wrong in a trial can here, and is kept in the same way
        study.set_user_attr(_DEFAULT_FAILURE, failure(error))
        study.set_user_attr(_DEFAULT_VALUE, None)


def _cap(objective: Objective) -> int:
    """Return the most steps that a trial can report: rounds or trees, or folds."""
    if objective.scheme.folds:
        return objective.scheme.folds
    rounds = objective.space.get("n_estimators")
    if isinstance(rounds, IntDimension):
        return rounds.high
    return int(objective.fixed.get("n_estimators", objective.defaults.get("n_estimators", 1)))


def _why_ended(reason: StopReason, trials: Sequence[TrialRecord]) -> StopReason:
    """Return why a study ended: one that came to its end without a trial to train says that rather than how."""
    if reason in ("time is up", BROKEN_OFF) or candidates(trials):
        return reason
    return OUTSIDE if any(trial.value is not None for trial in trials) else NONE_COMPLETED
