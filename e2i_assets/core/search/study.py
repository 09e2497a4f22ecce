"""One search: an exact budget of trials on a study that can be killed, resumed and shared, and an honest result."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from e2i_assets.core.errors import BudgetSpent, StudyAborted
from e2i_assets.core.search.follower import Follower, counted
from e2i_assets.core.search.notes import collecting
from e2i_assets.core.search.objective import Objective, failure
from e2i_assets.core.search.proposing import NOTHING, Proposals, Proposer
from e2i_assets.core.search.recovery import queue_unfinished, recovered
from e2i_assets.core.search.samplers import STARTUP_TRIALS, is_exhausted, pruner, sampler
from e2i_assets.core.search.selection import Objectives, candidates
from e2i_assets.core.search.study_result import OUTSIDE, StopReason, StudyResult
from e2i_assets.core.search.trials import TrialRecord, record_of
from e2i_assets.core.search_space.dimensions import IntDimension

if TYPE_CHECKING:
    import optuna

_DEFAULT_VALUE = "default_value"
_DEFAULT_FAILURE = "default_failure"
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """How to search.

    Attributes:
        name: Study name, unique in the storage; it carries the identity of what is searched.
        trials: Trials to finish in all, over all processes and resumptions.
        timeout_seconds: Wall clock of this call, None for no limit.
        sampler, pruner: Names from `samplers`.
        seed: Seed of the sampler.
        workers: Trials at a time, as threads of this process: their fits release Python's lock and share the rows.
        stop_without_improvement: Trials without a better one after which the study ends, None for never.
        max_failures: Trials failing one after the other that break the study off.
        tolerance: See `selection.chosen`.
        startup_trials: Trials before the sampler learns from them; those that were proposed count.
    """

    name: str
    trials: int
    timeout_seconds: float | None
    sampler: str
    pruner: str
    seed: int
    workers: int = 1
    stop_without_improvement: int | None = None
    max_failures: int = 10
    tolerance: float = 0.0
    startup_trials: int = STARTUP_TRIALS


@dataclass(frozen=True, slots=True)
class Sharing:
    """How a study in a storage that several processes reach is shared; the default is to be alone with it.

    Attributes:
        recover: Queues the trials of dead processes again; alone, every trial that is found running is one.
        joined: How many calls have searched this study before this one, so that no two draw the same points.
    """

    recover: Callable[["optuna.Study"], None] | None = None
    joined: int = 0


def search(
    objective_until: Callable[[float], Objective],
    plan: StudyPlan,
    storage: "optuna.storages.BaseStorage",
    proposer: Proposer = NOTHING,
    on_trial: Callable[[TrialRecord, float | None], None] = lambda trial, best: None,
    sharing: Sharing = Sharing(),
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
        StudyAborted: Too many trials in a row failed, with the reason of the last one.
    """
    import optuna

    began, started_at = time.monotonic(), datetime.now(UTC)
    deadline = began + plan.timeout_seconds if plan.timeout_seconds is not None else float("inf")
    objective = objective_until(deadline)
    objectives = Objectives(
        greater_is_better={goal.name: goal.greater_is_better for goal in objective.goals}, tolerance=plan.tolerance
    )
    study = optuna.create_study(
        storage=storage, study_name=plan.name, directions=["maximize"] * len(objective.goals), load_if_exists=True
    )
    resumed_from = len(counted(study))
    study.sampler = sampler(
        plan.sampler, plan.seed + len(study.trials) + sharing.joined, objective.space, plan.trials, plan.startup_trials
    )
    pruning = plan.pruner if len(objective.goals) == 1 else "none"
    study.pruner = pruner(pruning, _cap(objective), on_folds=objective.scheme.folds > 0)
    with collecting():
        if _DEFAULT_VALUE not in study.user_attrs:
            _judge_defaults(study, objective)
        queue_unfinished(study)
        proposals = Proposals(proposer, plan.workers, lambda study: study.user_attrs.get(_DEFAULT_VALUE))
        proposals.queue(study)
        follower = Follower(on_trial, plan.max_failures, plan.stop_without_improvement, objectives)
        follower.resume(study)
        reason = _optimised(study, objective, plan, deadline, follower, proposals, sharing.recover or _recover_alone)
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


def _judge_defaults(study: "optuna.Study", objective: Objective) -> None:
    """Keep the value of the defaults with the study, or why they have none: that ends nothing."""
    try:
        study.set_user_attr(_DEFAULT_VALUE, objective.default_value())
    except Exception as error:  # noqa: BLE001  # what can go wrong in a trial can here, and is kept in the same way
        study.set_user_attr(_DEFAULT_FAILURE, failure(error))
        study.set_user_attr(_DEFAULT_VALUE, None)


def _optimised(
    study: "optuna.Study",
    objective: Objective,
    plan: StudyPlan,
    deadline: float,
    follower: Follower,
    proposals: Proposals,
    recover: Callable[["optuna.Study"], None],
) -> StopReason:
    """Search until something ends the study, and say what.

    A trial that another process has claimed is waited for: should that process die, the trial is tried again here.
    """
    while True:
        recover(study)
        finished, running = len(counted(study)), _running(study)
        if finished >= plan.trials:
            return "budget spent"
        follower.refresh(study)
        if follower.without_improvement():
            return "no improvement"
        if objective.is_out_of_time():
            return "time is up"
        left = plan.trials - finished - running
        exhausted = is_exhausted(study)
        if exhausted and not running:
            return "grid exhausted"
        if left <= 0 or exhausted:
            time.sleep(_POLL_SECONDS)
            continue
        _round(study, objective, plan, deadline, [follower, proposals], left)
        if follower.has_failed_too_often:
            raise StudyAborted(
                f"study {plan.name}: {plan.max_failures} trials in a row failed, the last with {follower.last_failure}"
            )


def _round(
    study: "optuna.Study",
    objective: Objective,
    plan: StudyPlan,
    deadline: float,
    callbacks: "list[Callable[[optuna.Study, optuna.trial.FrozenTrial], None]]",
    trials: int,
) -> None:
    """Run at most so many trials: fewer when something ends the study, or other processes have claimed the rest.

    Why it ended is not asked of it: with several workers a trial that was under way may have changed that.
    """
    with contextlib.suppress(BudgetSpent):
        study.optimize(
            objective,
            n_trials=trials,
            timeout=None if plan.timeout_seconds is None else max(deadline - time.monotonic(), 0.0),
            n_jobs=plan.workers,
            catch=(Exception,),
            callbacks=callbacks,
        )


def _recover_alone(study: "optuna.Study") -> None:
    import optuna

    running = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
    recovered(study, [trial.number for trial in running])


def _running(study: "optuna.Study") -> int:
    import optuna

    return len(study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)))


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
    if reason == "time is up" or candidates(trials):
        return reason
    return OUTSIDE if any(trial.value is not None for trial in trials) else "no trial completed"
