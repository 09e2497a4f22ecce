"""The rounds of a search: trials of this process, or of those whom it leads, until something ends the study."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from e2i_assets.core.errors import BudgetSpent, CalledOff, StudyAborted
from e2i_assets.core.search.attendance import Attendance
from e2i_assets.core.search.crew import Crew
from e2i_assets.core.search.follower import Follower, counted
from e2i_assets.core.search.objective import Objective
from e2i_assets.core.search.proposing import Proposals
from e2i_assets.core.search.recovery import recovered
from e2i_assets.core.search.samplers import is_exhausted
from e2i_assets.core.search.study_plan import Sharing, StudyPlan
from e2i_assets.core.search.study_result import StopReason

if TYPE_CHECKING:
    import optuna

_POLL_SECONDS = 0.5


def optimised(
    study: "optuna.Study",
    objective: Objective,
    plan: StudyPlan,
    deadline: float,
    follower: Follower,
    proposals: Proposals,
    sharing: Sharing,
) -> StopReason:
    """Search until something ends the study, and say what.

    A trial that another process has claimed is waited for: should that process die, the trial is tried again here.
    """
    recover = sharing.recover or _recover_alone
    attendance = Attendance(sharing.crew, f"study {plan.name}") if sharing.crew else None
    while True:
        recover(study)
        follower.refresh(study)
        if follower.has_failed_too_often:
            raise StudyAborted(
                f"study {plan.name}: {plan.max_failures} trials in a row failed, the last with {follower.last_failure}"
            )
        if reason := _end(study, objective, plan, follower):
            if sharing.crew:
                if sharing.retire:  # else they would go on, and the study with them, after it was said to have ended
                    sharing.retire()
                _wait_for(sharing.crew, study, recover)
                follower.refresh(study)
            return reason
        if sharing.is_called_off and sharing.is_called_off():
            raise CalledOff(f"study {plan.name}: whoever leads it is gone")
        left = plan.trials - len(counted(study)) - _running(study)
        if sharing.crew and attendance:
            attendance.require(study)
            sharing.crew.tend()
            time.sleep(_POLL_SECONDS)
        elif left <= 0 or is_exhausted(study):
            time.sleep(_POLL_SECONDS)
        else:
            _round(study, objective, plan, deadline, [follower, proposals, _Ending(sharing.is_called_off)], left)


def _end(study: "optuna.Study", objective: Objective, plan: StudyPlan, follower: Follower) -> StopReason | None:
    """Return what ends the study now, if anything does."""
    if len(counted(study)) >= plan.trials:
        return "budget spent"
    if follower.without_improvement():
        return "no improvement"
    if objective.is_out_of_time():
        return "time is up"
    if is_exhausted(study) and not _running(study):
        return "grid exhausted"
    return None


def _wait_for(crew: Crew, study: "optuna.Study", recover: Callable[["optuna.Study"], None]) -> None:
    """Let others end the trials that they are at; those who are silent or gone are not waited for."""
    while crew.is_at_work and _running(study):
        time.sleep(_POLL_SECONDS)
        recover(study)
    recover(study)


@dataclass(frozen=True, slots=True)
class _Ending:
    """Ends a round after a trial when nobody wants the study to go on."""

    is_called_off: Callable[[], bool] | None

    def __call__(self, study: "optuna.Study", trial: "optuna.trial.FrozenTrial") -> None:
        if self.is_called_off is not None and self.is_called_off():
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
