"""The rounds of a search: trials of this process, or of those whom it leads, until something ends the study."""

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
from e2i_assets.core.search.study_result import BROKEN_OFF, StopReason
from e2i_assets.core.search.worker_pool import WorkerPool

if TYPE_CHECKING:
    import optuna

_POLL_SECONDS = 0.5
# Longer than a crew itself waits for workers, as that can say better what is missing.
_IDLE_SECONDS = 180.0


def optimised(
    study: "optuna.Study",
    objective: Objective,
    plan: StudyPlan,
    deadline: float,
    follower: StudyMonitor,
    proposals: Proposals,
    coordination: Coordination,
) -> StopReason:
    """Search until something ends the study, and say what.

    A trial that another process has claimed is waited for: should that process die, the trial is tried again here.
    """
    recover = coordination.recover or _recover_alone
    stall_detector = StallDetector(coordination.worker_pool, f"study {plan.name}") if coordination.worker_pool else None
    while True:
        recover(study)
        follower.refresh(study)
        if reason := _end(study, objective, plan, follower):
            if coordination.worker_pool:
                if (
                    coordination.retire
                ):  # else they would go on, and the study with them, after it was said to have ended
                    coordination.retire()
                _wait_for(coordination.worker_pool, study, recover)
                follower.refresh(study)
            return reason
        if coordination.is_cancelled and coordination.is_cancelled():
            raise StudyCancelled(f"study {plan.name}: whoever leads it is gone")
        left = plan.trials - len(counted(study)) - _running(study)
        if coordination.worker_pool and stall_detector:
            stall_detector.require(study)
            coordination.worker_pool.dispatch()
            time.sleep(_POLL_SECONDS)
        elif left <= 0 or is_exhausted(study):
            time.sleep(_POLL_SECONDS)
        else:
            _round(study, objective, plan, deadline, [follower, proposals, _Ending(coordination.is_cancelled)], left)


def _end(study: "optuna.Study", objective: Objective, plan: StudyPlan, follower: StudyMonitor) -> StopReason | None:
    """Return what ends the study now, if anything does."""
    if len(counted(study)) >= plan.trials:
        return "budget spent"
    if follower.has_failed_too_often:
        return BROKEN_OFF
    if follower.without_improvement():
        return "no improvement"
    if objective.is_out_of_time():
        return "time is up"
    if is_exhausted(study) and not _running(study):
        return "grid exhausted"
    return None


def _wait_for(worker_pool: WorkerPool, study: "optuna.Study", recover: Callable[["optuna.Study"], None]) -> None:
    """Let others end the trials that they are at; those who are silent or gone are not waited for."""
    while worker_pool.is_at_work and _running(study):
        time.sleep(_POLL_SECONDS)
        recover(study)
    recover(study)


@dataclass(frozen=True, slots=True)
class _Ending:
    """Ends a round after a trial when nobody wants the study to go on."""

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
    """Run at most so many trials: fewer when something ends the study, or other processes have claimed the rest.

    Why it ended is not asked of it: with several workers a trial that was under way may have changed that.
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
        if not _was_taken(error):
            raise


def _was_taken(error: BaseException | None) -> bool:
    """Return whether an error says that other processes took this one for dead: its trial is then tried by them.

    Optuna hides that behind an assertion of its own.
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
    """Looks, again and again, whether a study gets on.

    Args:
        crew: Those who run its trials.
        name: Of the study.
        clock: Seconds, monotonic.
    """

    def __init__(self, worker_pool: WorkerPool, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._crew = worker_pool
        self._name = name
        self._clock = clock
        self._begun = -1
        self._since = clock()

    def require(self, study: "optuna.Study") -> None:
        """Do nothing while trials run or begin, or somebody who may still begin one is at work.

        Raises:
            NoWorkers: Nothing of it has been so for a while.
        """
        states = [trial.state.name for trial in study.get_trials(deepcopy=False)]
        begun, now = sum(state != "WAITING" for state in states), self._clock()
        if "RUNNING" in states or begun != self._begun:
            self._begun, self._since = begun, now
        elif now - self._since > _IDLE_SECONDS and not self._crew.is_at_work:
            raise NoWorkers(
                f"nobody has worked on {self._name} for {_IDLE_SECONDS:.0f} seconds: whoever is asked comes to an end "
                "before a trial. What was finished is kept: see why in the logs of the workers, and run it again"
            )
