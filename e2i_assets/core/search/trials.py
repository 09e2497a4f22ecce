"""The record of a trial: the sampled values, the fitted parameters, the results and the origin of the configuration."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from e2i_assets.core.search.objective import FAILURE, FITTED, TrialOutOfTime

if TYPE_CHECKING:
    import optuna

Origin = Literal["default", "warm_start", "sampler", "retry"]
TrialState = Literal["COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING"]
FINISHED = ("COMPLETE", "PRUNED", "FAIL")
ORIGIN = "origin"
INTERRUPTED = "Interrupted"
INTERRUPTED_AGAIN = "InterruptedAgain"
# Attribute of a trial: the process of an earlier attempt at the same configuration has died.
WAS_INTERRUPTED_BEFORE = "was_interrupted_before"
OUT_OF_TIME = TrialOutOfTime.__name__
# Error types of trials that are tried again and therefore do not count against the budget.
TRIED_AGAIN = (INTERRUPTED, OUT_OF_TIME)
_ONCE = {"type": INTERRUPTED, "message": "its process died before the trial ended"}
_AGAIN = {
    "type": INTERRUPTED_AGAIN,
    "message": "its process died before the trial ended, as in the first attempt: it is not tried a third time",
}


class TrialRecord(BaseModel):
    """One trial of a study.

    Attributes:
        number: Number of the trial in the study.
        state: Optuna's state of the trial.
        origin: The source that proposed the configuration.
        sampled: Values sampled from the search space.
        params: The full parameter set that was fitted, with the rounds at which early stopping ended. For a trial that
            did not complete, the sampled values.
        value: Value of the first objective, higher is better; None unless the trial completed.
        objective_values, constraint_values: Natural values by name, for a completed trial.
        is_feasible: Whether the trial meets every constraint.
        fold_rounds: Rounds of each fold, if the trial was evaluated on folds.
        intermediate_values: Reported values by step (rounds, trees or folds).
        rounds: Number of rounds or trees of the fit.
        stopped_early: Whether early stopping ended the fit.
        error_type, error_message: Why the trial failed or was ended early.
        started_at, completed_at: Times of start and end, with a time zone.
        attributes: Other user attributes of the trial, such as the pattern of a warm start.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    number: int
    state: TrialState
    origin: Origin
    sampled: dict[str, Any]
    params: dict[str, Any]
    value: float | None = None
    objective_values: dict[str, float] = {}
    constraint_values: dict[str, float] = {}
    is_feasible: bool = True
    fold_rounds: tuple[int, ...] = ()
    intermediate_values: dict[int, float] = {}
    rounds: int | None = None
    stopped_early: bool = False
    error_type: str | None = None
    error_message: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    attributes: dict[str, Any] = {}

    @property
    def seconds(self) -> float | None:
        """Wall-clock time from start to end, in seconds."""
        if self.started_at is None or self.completed_at is None:
            return None
        return (self.completed_at - self.started_at).total_seconds()

    @property
    def was_interrupted(self) -> bool:
        """Whether its process died, for the first time with this configuration."""
        return self.state == "FAIL" and self.error_type == INTERRUPTED

    @property
    def counts(self) -> bool:
        """Whether the trial counts against the budget: not if it is tried again."""
        return has_cost(self.state, self.error_type)


def has_cost(state: str, error_type: str | None) -> bool:
    """Return whether a trial with this state and this error type counts against the budget of its study."""
    return state in FINISHED and error_type not in TRIED_AGAIN


def record_of(trial: "optuna.trial.FrozenTrial") -> TrialRecord:
    """Return the record of an Optuna trial.

    The objective stores the error of every failure, so a failed trial without an error is one whose process died. The
    first death does not count against the configuration; the second one does.
    """
    fitted: Mapping[str, Any] = trial.user_attrs.get(FITTED, {})
    error: Mapping[str, str] = trial.user_attrs.get(FAILURE, {})
    if not error and trial.state.name == "FAIL":
        error = _AGAIN if trial.user_attrs.get(WAS_INTERRUPTED_BEFORE) else _ONCE
    state: TrialState = trial.state.name  # type: ignore[assignment]  # Optuna types the name of its states as str
    return TrialRecord(
        number=trial.number,
        state=state,
        origin=trial.user_attrs.get(ORIGIN, "sampler"),
        sampled=dict(trial.params),
        params=dict(fitted.get("parameters", trial.params)),
        value=trial.values[0] if state == "COMPLETE" else None,
        objective_values=fitted.get("objectives", {}),
        constraint_values=fitted.get("constraints", {}),
        is_feasible=bool(fitted.get("feasible", True)),
        fold_rounds=tuple(fitted.get("fold_rounds", ())),
        intermediate_values={step: value for step, value in trial.intermediate_values.items() if math.isfinite(value)},
        rounds=fitted.get("rounds"),
        stopped_early=bool(fitted.get("stopped_early", False)),
        error_type=error.get("type"),
        error_message=error.get("message"),
        started_at=_aware(trial.datetime_start),
        completed_at=_aware(trial.datetime_complete),
        attributes={key: value for key, value in trial.user_attrs.items() if key not in (FITTED, FAILURE, ORIGIN)},
    )


def _aware(moment: datetime | None) -> datetime | None:
    """Return a time of Optuna, which is local and naive, with its time zone."""
    return None if moment is None else moment.astimezone()
