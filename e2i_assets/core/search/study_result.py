"""A study as it ended, or as far as it came: what the asset keeps and everything after it reads."""

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from e2i_assets.core.search.selection import Objectives, chosen, pareto_front
from e2i_assets.core.search.trials import TrialRecord

OUTSIDE: Final = "no trial within the constraints"
StopReason = Literal[
    "budget spent",
    "no improvement",
    "time is up",
    "grid exhausted",
    "no trial completed",
    "no trial within the constraints",
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
    def best(self) -> TrialRecord | None:
        """The trial that is trained; None when none completed within the constraints."""
        return chosen(self.trials, self.objectives)

    @property
    def pareto_front(self) -> list[TrialRecord]:
        """The trials among which the best was chosen: with one objective, those of the highest value."""
        return pareto_front(self.trials, self.objectives)

    @property
    def status(self) -> Literal["completed", "partial", "failed"]:
        """completed: it came to the end that was asked for; partial: its time was up; failed: no best trial."""
        if self.best is None:
            return "failed"
        return "partial" if self.stop_reason == "time is up" else "completed"
