"""A study as it ended, or as far as it came: what the asset keeps and everything after it reads."""

from datetime import UTC, datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from e2i_assets.core.search.selection import Objectives, chosen, pareto_front
from e2i_assets.core.search.trials import TrialRecord

OUTSIDE: Final = "no trial within the constraints"
NONE_COMPLETED: Final = "no trial completed"
BROKEN_OFF: Final = "too many failures in a row"
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
    """A study as it ended, or as far as it came."""

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
        """Return the number of trials in a state; one that is tried again does not count."""
        return sum(trial.state == state and trial.counts for trial in self.trials)

    @property
    def begun(self) -> int:
        """The number of trials up to the last one that ended, with those that were tried again."""
        return max((trial.number + 1 for trial in self.trials), default=0)

    @property
    def best(self) -> TrialRecord | None:
        """The trial that is trained; None when none completed within the constraints."""
        return chosen(self.trials, self.objectives)

    @property
    def pareto_front(self) -> list[TrialRecord]:
        """The trials among which the best was chosen: with one objective, those of the highest value."""
        return pareto_front(self.trials, self.objectives)

    @property
    def status(self) -> Literal["completed", "partial", "failed"]:
        """The state in which the study ended.

        - ``partial``: its time was up, whether or not a trial completed, or failures broke it off after some had.
        - ``failed``: it ended for another reason without a trial that may be trained.
        - ``completed``: it reached the end that the experiment asks for.
        """
        if self.stop_reason == "time is up":
            return "partial"
        if self.best is None:
            return "failed"
        return "partial" if self.stop_reason == BROKEN_OFF else "completed"

    @property
    def last_failure(self) -> TrialRecord | None:
        """The failed trial that ended last, of those that cost some of the budget."""
        failed = [trial for trial in self.trials if trial.state == "FAIL" and trial.counts]
        return max(failed, key=lambda trial: (_end(trial), trial.number), default=None)

    @property
    def failure(self) -> str | None:
        """What went wrong, with the last cause; None unless failures broke the study off or left no trial."""
        has_value = any(trial.value is not None for trial in self.trials)
        if self.stop_reason != BROKEN_OFF and has_value:
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
