"""One search: an exact budget of trials on an Optuna study that can be killed and resumed, and an honest result."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from e2i_assets.core.errors import StudyAborted
from e2i_assets.core.search.objective import Objective
from e2i_assets.core.search.samplers import pruner, sampler
from e2i_assets.core.search.trials import ORIGIN, Origin, TrialRecord, record_of
from e2i_assets.core.search_space.space import IntDimension

if TYPE_CHECKING:
    import optuna

FAILURES_IN_A_ROW = 10
_DEFAULT_VALUE = "default_value"
StopReason = Literal["budget spent", "time is up", "grid exhausted", "no trial completed"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration to try before the sampler draws its own, and who proposes it."""

    values: dict[str, Any]
    origin: Origin
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """How to search.

    Attributes:
        name: Study name, unique in the storage; it carries the identity of what is searched.
        trials: Trials to finish in all, over all processes and resumptions.
        timeout_seconds: Wall clock of this call, None for no limit.
        sampler, pruner: Names from `samplers`.
        seed: Seed of the sampler.
        workers: Trials at a time, as threads of this process.
    """

    name: str
    trials: int
    timeout_seconds: float | None
    sampler: str
    pruner: str
    seed: int
    workers: int = 1


class StudyResult(BaseModel):
    """A study as it ended, or as far as it came."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    study_name: str
    n_trials: int
    trials: tuple[TrialRecord, ...]
    default_value: float | None
    stop_reason: StopReason
    resumed_from: int
    started_at: datetime
    completed_at: datetime
    duration_seconds: float

    def count(self, state: str) -> int:
        """Return the number of trials in a state; an interrupted trial that was tried again does not count."""
        return sum(trial.state == state and not trial.was_interrupted for trial in self.trials)

    @property
    def best(self) -> TrialRecord | None:
        """The completed trial with the highest value, the earliest of equals; None when none completed."""
        completed = [trial for trial in self.trials if trial.value is not None]
        return max(completed, key=lambda trial: (trial.value, -trial.number), default=None)

    @property
    def status(self) -> Literal["completed", "partial", "failed"]:
        """completed: the whole budget; partial: ended before, with a best trial; failed: no best trial."""
        if self.best is None:
            return "failed"
        return "completed" if self.stop_reason in ("budget spent", "grid exhausted") else "partial"


def search(
    objective_until: Callable[[float], Objective],
    plan: StudyPlan,
    storage: "optuna.storages.BaseStorage",
    proposals: Sequence[Proposal] = (),
    on_trial: Callable[[TrialRecord, float | None], None] = lambda trial, best: None,
) -> StudyResult:
    """Run a study to its budget, from wherever an earlier process left it.

    Only one process may search a study at a time: a trial that is found running is taken for dead and tried again.

    Args:
        objective_until: Makes the objective for a deadline (a reading of `time.monotonic`).
        plan: How to search.
        storage: Where the study lives.
        proposals: Tried first, in this order, when they have not been yet.
        on_trial: Told each finished trial, and the best value so far.

    Raises:
        StudyAborted: Ten trials in a row failed, with the reason of the last one.
    """
    import optuna

    began, started_at = time.monotonic(), datetime.now(UTC)
    deadline = began + plan.timeout_seconds if plan.timeout_seconds is not None else float("inf")
    objective = objective_until(deadline)
    study = optuna.create_study(storage=storage, study_name=plan.name, direction="maximize", load_if_exists=True)
    resumed_from = len(_counted(study))
    study.sampler = sampler(plan.sampler, plan.seed + len(study.trials), objective.space)
    study.pruner = pruner(plan.pruner, _cap(objective))
    if _DEFAULT_VALUE not in study.user_attrs:
        study.set_user_attr(_DEFAULT_VALUE, objective.default_value())
    _retry_interrupted(study)
    for proposal in proposals:
        attributes = {**proposal.attributes, ORIGIN: proposal.origin}
        study.enqueue_trial(proposal.values, user_attrs=attributes, skip_if_exists=True)
    follow = _Follower(on_trial)
    remaining = plan.trials - resumed_from
    if remaining > 0:
        study.optimize(
            objective,
            n_trials=remaining,
            timeout=None if plan.timeout_seconds is None else max(deadline - time.monotonic(), 0.0),
            n_jobs=plan.workers,
            catch=(Exception,),
            callbacks=[follow],
        )
    if follow.failures_in_a_row >= FAILURES_IN_A_ROW:
        last = follow.last_failure
        raise StudyAborted(f"study {plan.name}: {FAILURES_IN_A_ROW} trials in a row failed, the last with {last}")
    trials = tuple(record_of(trial) for trial in study.trials)
    return StudyResult(
        study_name=plan.name,
        n_trials=plan.trials,
        trials=tuple(trial for trial in trials if trial.state not in ("WAITING", "RUNNING")),
        default_value=study.user_attrs.get(_DEFAULT_VALUE),
        stop_reason=_stop_reason(study, plan, time.monotonic() > deadline),
        resumed_from=min(resumed_from, plan.trials),
        started_at=started_at,
        completed_at=datetime.now(UTC),
        duration_seconds=time.monotonic() - began,
    )


class _Follower:
    """Tells each finished trial, and ends the study when trials only fail."""

    def __init__(self, on_trial: Callable[[TrialRecord, float | None], None]) -> None:
        self.on_trial = on_trial
        self.failures_in_a_row = 0
        self.last_failure = ""
        self.best: float | None = None

    def __call__(self, study: "optuna.Study", trial: "optuna.trial.FrozenTrial") -> None:
        record = record_of(trial)
        if self.best is None:
            values = [other.value for other in map(record_of, study.trials) if other.value is not None]
            self.best = max(values, default=None)
        elif record.value is not None:
            self.best = max(self.best, record.value)
        self.failures_in_a_row = self.failures_in_a_row + 1 if record.state == "FAIL" else 0
        if record.state == "FAIL":
            self.last_failure = f"{record.error_type}: {record.error_message}"
        self.on_trial(record, self.best)
        if self.failures_in_a_row >= FAILURES_IN_A_ROW:
            study.stop()


def _counted(study: "optuna.Study") -> list[TrialRecord]:
    finished = [record_of(trial) for trial in study.trials if trial.state.is_finished()]
    return [trial for trial in finished if not trial.was_interrupted]


def _retry_interrupted(study: "optuna.Study") -> None:
    """Mark trials whose process died as failed, and queue their configurations again."""
    import optuna

    running = study.get_trials(deepcopy=True, states=(optuna.trial.TrialState.RUNNING,))
    for trial in running:
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        if trial.params:
            attributes = {ORIGIN: "retry", "retry_of": trial.number}
            study.enqueue_trial(trial.params, user_attrs=attributes)


def _cap(objective: Objective) -> int:
    rounds = objective.space.get("n_estimators")
    if isinstance(rounds, IntDimension):
        return rounds.high
    return int(objective.fixed.get("n_estimators", objective.defaults.get("n_estimators", 1)))


def _stop_reason(study: "optuna.Study", plan: StudyPlan, out_of_time: bool) -> StopReason:
    counted = _counted(study)
    if len(counted) < plan.trials:
        return "time is up" if out_of_time else "grid exhausted"
    return "budget spent" if any(trial.state == "COMPLETE" for trial in counted) else "no trial completed"
