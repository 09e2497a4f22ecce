"""The result of a study, finished or not: the asset stores it and downstream assets read it."""

from datetime import UTC, datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from e2i_assets.core.search.trial_selection import Objectives, chosen, pareto_front
from e2i_assets.core.search.trials import TrialRecord

NONE_WITHIN_CONSTRAINTS: Final = "no trial within the constraints"
NONE_COMPLETED: Final = "no trial completed"
TOO_MANY_FAILURES: Final = "too many failures in a row"
StopReason = Literal[
    "budget spent",
    "no improvement",
    "time is up",
    "grid exhausted",
    "no trial completed",
    "no trial within the constraints",
    "too many failures in a row",
]


class StudyResult(BaseModel):
    """The result of a study, finished or not."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    study_name: str
    n_trials: int
    objectives: Objectives
    trials: tuple[TrialRecord, ...]
    default_value: float | None
    stop_reason: StopReason
    resumed_from: int
    started_at: datetime
    completed_at: datetime
    duration_seconds: float

    def count(self, state: str) -> int:
        """Return the number of trials in a state; trials that are tried again do not count."""
        return sum(trial.state == state and trial.counts for trial in self.trials)

    @property
    def begun(self) -> int:
        """Number of trials up to the last finished one, including trials that were tried again."""
        return max((trial.number + 1 for trial in self.trials), default=0)

    @property
    def best(self) -> TrialRecord | None:
        """The trial to train; None if no trial completed within the constraints."""
        return chosen(self.trials, self.objectives)

    @property
    def pareto_front(self) -> list[TrialRecord]:
        """The trials from which the best is chosen: with one objective, those with the highest value."""
        return pareto_front(self.trials, self.objectives)

    @property
    def status(self) -> Literal["completed", "partial", "failed"]:
        """The state in which the study ended.

        - ``partial``: It reached its time limit, with or without a completed trial, or it has a trial to train and
          ended because of too many failures.
        - ``failed``: It ended for another reason without a trial to train.
        - ``completed``: It reached a regular end that the experiment defines.
        """
        if self.stop_reason == "time is up":
            return "partial"
        if self.best is None:
            return "failed"
        return "partial" if self.stop_reason == TOO_MANY_FAILURES else "completed"

    @property
    def last_failure(self) -> TrialRecord | None:
        """The last failed trial that counts against the budget."""
        failed = [trial for trial in self.trials if trial.state == "FAIL" and trial.counts]
        return max(failed, key=lambda trial: (_end(trial), trial.number), default=None)

    @property
    def failure(self) -> str | None:
        """The failures and the last error as text; None unless failures ended the study or no trial completed."""
        has_value = any(trial.value is not None for trial in self.trials)
        if self.stop_reason != TOO_MANY_FAILURES and has_value:
            return None
        last = self.last_failure
        if last is None:
            pruned = self.count("PRUNED")
            return f"{NONE_COMPLETED}: all {pruned} were pruned" if self.stop_reason == NONE_COMPLETED else None
        ended = sum(trial.counts for trial in self.trials)
        cause = f"the last with {last.error_type}: {last.error_message}"
        return f"{self.stop_reason}: {self.count('FAIL')} of {ended} trials failed, {cause}"


def _end(trial: TrialRecord) -> datetime:
    return trial.completed_at or datetime.min.replace(tzinfo=UTC)
