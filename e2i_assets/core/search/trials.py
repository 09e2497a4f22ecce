"""A trial as we keep it: what was drawn, what was fitted, what came out, and where the configuration came from."""

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
# An attribute of a trial whose configuration a process has died of already, at whichever earlier attempt.
WAS_INTERRUPTED_BEFORE = "was_interrupted_before"
OUT_OF_TIME = TrialOutOfTime.__name__
# Reasons of a trial that is tried again, and so costs nothing of the budget.
TRIED_AGAIN = (INTERRUPTED, OUT_OF_TIME)
_ONCE = {"type": INTERRUPTED, "message": "its process ended before it did"}
_AGAIN = {
    "type": INTERRUPTED_AGAIN,
    "message": "its process ended before it did, as that of the first attempt had: it is not tried a third time",
}


class TrialRecord(BaseModel):
    """One configuration that was tried.

    Attributes:
        number: Its number in the study.
        state: Optuna's state.
        origin: Who proposed it.
        sampled: What was drawn from the search space.
        params: What was fitted with: the full parameter set, with the rounds that early stopping left. For a trial
            that did not complete it is what was drawn.
        value: Value of the first objective, higher is better; None unless it completed.
        objective_values, constraint_values: Natural values by name, of a completed trial.
        is_feasible: Whether it keeps to every constraint.
        fold_rounds: Rounds of each fold, where it was judged on folds.
        intermediate_values: Step (rounds, trees or folds) to value.
        rounds: Rounds or trees that the fit used.
        stopped_early: Whether early stopping ended it.
        error_type, error_message: Why it failed or was cut short.
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
        """Wall time from start to end."""
        if self.started_at is None or self.completed_at is None:
            return None
        return (self.completed_at - self.started_at).total_seconds()

    @property
    def was_interrupted(self) -> bool:
        """Whether its process died under it, as the first one of this configuration."""
        return self.state == "FAIL" and self.error_type == INTERRUPTED

    @property
    def counts(self) -> bool:
        """Whether it costs some of the budget: not when it is tried again, as its process died or time was up."""
        return has_cost(self.state, self.error_type)


def has_cost(state: str, error_type: str | None) -> bool:
    """Whether a trial in this state, with this reason, has cost some of its study's budget."""
    return state in FINISHED and error_type not in TRIED_AGAIN


def record_of(trial: "optuna.trial.FrozenTrial") -> TrialRecord:
    """Translate Optuna's view of a trial into ours.

    Our objective leaves a reason with every failure, so a failure without one is a trial whose process died. Of the
    first one that is no verdict on the configuration; two processes are.
    """
    fitted: Mapping[str, Any] = trial.user_attrs.get(FITTED, {})
    reason: Mapping[str, str] = trial.user_attrs.get(FAILURE, {})
    if not reason and trial.state.name == "FAIL":
        reason = _AGAIN if trial.user_attrs.get(WAS_INTERRUPTED_BEFORE) else _ONCE
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
        error_type=reason.get("type"),
        error_message=reason.get("message"),
        started_at=_aware(trial.datetime_start),
        completed_at=_aware(trial.datetime_complete),
        attributes={key: value for key, value in trial.user_attrs.items() if key not in (FITTED, FAILURE, ORIGIN)},
    )


def _aware(moment: datetime | None) -> datetime | None:
    """Optuna's times are local and naive; ours say where they are."""
    return None if moment is None else moment.astimezone()
