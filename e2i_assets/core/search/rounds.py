"""The main loop of a search: it runs trials here or in a worker pool until a stop condition ends the study."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from e2i_assets.core.errors import BudgetSpent, NoWorkers, StudyCancelled
from e2i_assets.core.search.objective import Objective
from e2i_assets.core.search.proposals import Proposals
from e2i_assets.core.search.recovery import recovered
from e2i_assets.core.search.samplers import is_exhausted
from e2i_assets.core.search.study_monitor import StudyMonitor, counted
from e2i_assets.core.search.study_plan import Coordination, StudyPlan
from e2i_assets.core.search.study_result import TOO_MANY_FAILURES, StopReason
from e2i_assets.core.search.worker_pool import WorkerPool

if TYPE_CHECKING:
    import optuna

_POLL_SECONDS = 0.5
# Longer than a worker pool waits for its workers: the error of the pool is more specific.
_IDLE_SECONDS = 180.0


def optimised(
    study: "optuna.Study",
    objective: Objective,
    plan: StudyPlan,
    deadline: float,
    monitor: StudyMonitor,
    proposals: Proposals,
    coordination: Coordination,
) -> StopReason:
    """Search until a stop condition ends the study, and return its reason.

    The call waits for the trials that other processes run. When such a process dies, its trial is queued again.

    Raises:
        StudyCancelled: The coordinator of this process is gone.
        NoWorkers: No worker has run a trial for a while.
    """
    recover = coordination.recover or _recover_alone
    stall_detector = StallDetector(coordination.worker_pool, f"study {plan.name}") if coordination.worker_pool else None
    while True:
        recover(study)
        monitor.refresh(study)
        if reason := _end(study, objective, plan, monitor):
            if coordination.worker_pool:
                # Without this, workers would start further trials after the study has ended.
                if coordination.retire:
                    coordination.retire()
                _wait_for(coordination.worker_pool, study, recover)
                monitor.refresh(study)
            return reason
        if coordination.is_cancelled and coordination.is_cancelled():
            raise StudyCancelled(f"study {plan.name}: the coordinator is gone")
        remaining = plan.trials - len(counted(study)) - _running(study)
        if coordination.worker_pool and stall_detector:
            stall_detector.require(study)
            coordination.worker_pool.dispatch()
            time.sleep(_POLL_SECONDS)
        elif remaining <= 0 or is_exhausted(study):
            time.sleep(_POLL_SECONDS)
        else:
            stop = _StopIfCancelled(coordination.is_cancelled)
            _round(study, objective, plan, deadline, [monitor, proposals, stop], remaining)


def _end(study: "optuna.Study", objective: Objective, plan: StudyPlan, monitor: StudyMonitor) -> StopReason | None:
    """Return the reason to end the study now, or None."""
    if len(counted(study)) >= plan.trials:
        return "budget spent"
    if monitor.has_failed_too_often:
        return TOO_MANY_FAILURES
    if monitor.without_improvement():
        return "no improvement"
    if objective.is_out_of_time():
        return "time is up"
    if is_exhausted(study) and not _running(study):
        return "grid exhausted"
    return None


def _wait_for(worker_pool: WorkerPool, study: "optuna.Study", recover: Callable[["optuna.Study"], None]) -> None:
    """Wait until the workers have finished their running trials; do not wait for workers that are dead or gone."""
    while worker_pool.is_at_work and _running(study):
        time.sleep(_POLL_SECONDS)
        recover(study)
    recover(study)


@dataclass(frozen=True, slots=True)
class _StopIfCancelled:
    """Ends a round after a trial when the study is cancelled; a callback of `optuna.Study.optimize`."""

    is_cancelled: Callable[[], bool] | None

    def __call__(self, study: "optuna.Study", trial: "optuna.trial.FrozenTrial") -> None:
        if self.is_cancelled is not None and self.is_cancelled():
            study.stop()


def _round(
    study: "optuna.Study",
    objective: Objective,
    plan: StudyPlan,
    deadline: float,
    callbacks: "list[Callable[[optuna.Study, optuna.trial.FrozenTrial], None]]",
    trials: int,
) -> None:
    """Run at most ``trials`` trials; fewer when a callback stops the study or other processes have claimed the rest.

    The caller determines the reason afterwards, because trials that were still running may have changed it.
    """
    try:
        study.optimize(
            objective,
            n_trials=trials,
            timeout=None if plan.timeout_seconds is None else max(deadline - time.monotonic(), 0.0),
            n_jobs=plan.workers,
            catch=(Exception,),
            callbacks=callbacks,
        )
    except BudgetSpent:
        return
    except Exception as error:
        if not _lost_its_trial(error):
            raise


def _lost_its_trial(error: BaseException | None) -> bool:
    """Return whether another process declared this one dead and marked its trial as failed, to queue it again.

    Optuna raises an AssertionError in that case; the cause is in its chain of exceptions.
    """
    import optuna

    while error is not None:
        if isinstance(error, optuna.exceptions.UpdateFinishedTrialError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _recover_alone(study: "optuna.Study") -> None:
    import optuna

    running = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
    recovered(study, [trial.number for trial in running])


def _running(study: "optuna.Study") -> int:
    import optuna

    return len(study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)))


class StallDetector:
    """Detects a study whose workers make no progress.

    Args:
        worker_pool: The workers that run the trials of the study.
        name: Name of the study, for the error message.
        clock: Returns seconds from a monotonic clock.
    """

    def __init__(self, worker_pool: WorkerPool, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._worker_pool = worker_pool
        self._name = name
        self._clock = clock
        self._started = -1
        self._since = clock()

    def require(self, study: "optuna.Study") -> None:
        """Check that a trial is running, a trial has started since the last call, or a worker is still at work.

        Raises:
            NoWorkers: None of these was true for `_IDLE_SECONDS`.
        """
        states = [trial.state.name for trial in study.get_trials(deepcopy=False)]
        started, now = sum(state != "WAITING" for state in states), self._clock()
        if "RUNNING" in states or started != self._started:
            self._started, self._since = started, now
        elif now - self._since > _IDLE_SECONDS and not self._worker_pool.is_at_work:
            raise NoWorkers(
                f"no worker has run a trial of {self._name} for {_IDLE_SECONDS:.0f} seconds: each one ends before its "
                "first trial. Finished trials are stored: read the cause in the logs of the workers and run it again"
            )
