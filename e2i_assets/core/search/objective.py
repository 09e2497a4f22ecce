"""The objective of a study: it evaluates a sampled configuration with exactly the parameters that would be trained."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from e2i_assets.core.errors import E2iError
from e2i_assets.core.fitting.fit_context import merged
from e2i_assets.core.search.fit_warnings import noted
from e2i_assets.core.search.goals import Goal, Limit
from e2i_assets.core.search.schemes import Outcome, Report, Scheme
from e2i_assets.core.search_space.space import SearchSpace, settled, suggest

if TYPE_CHECKING:
    import optuna

FITTED = "fitted"
FAILURE = "failure"


class TrialOutOfTime(E2iError):
    """The time limit of the study was reached while a trial was running."""


class FailedElsewhere(E2iError):
    """An exception in another process, with its type name and message.

    Args:
        kind: Name of the type of the original exception.
        message: Message of the original exception.
    """

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Objective:
    """Returns the values of a configuration, higher is better; it reads no test rows and no holdout rows.

    Attributes:
        scheme: The rows on which a configuration is evaluated, and how.
        goals: The goals to maximise, the experiment's metric first.
        space: The search space that a trial samples from.
        defaults, fixed: Sampled values override ``defaults``, and ``fixed`` overrides both.
        patience: Boosting rounds without a lower validation loss before early stopping; None for no early stopping.
        limits: A configuration that violates one of these limits is not trained.
        deadline: Value of ``clock`` after which a running trial ends at its next report.
        clock: Returns seconds from a monotonic clock.
    """

    scheme: Scheme
    goals: tuple[Goal, ...]
    space: SearchSpace
    defaults: Mapping[str, Any]
    fixed: Mapping[str, Any]
    patience: int | None
    limits: tuple[Limit, ...] = ()
    deadline: float = math.inf
    clock: Callable[[], float] = field(default=time.monotonic)

    def __call__(self, trial: "optuna.Trial") -> float | tuple[float, ...]:
        """Evaluate one sampled configuration and store the parameters that were fitted as an attribute of the trial.

        Raises:
            optuna.TrialPruned: The pruner or the time limit of the study ended the trial early.
        """
        import optuna

        try:
            parameters = merged(self.defaults, settled(suggest(trial, self.space), self.space), self.fixed)
            outcome, notes = self._outcome(parameters, self._reporter(trial))
            trial.set_user_attr(FITTED, self._fitted(outcome, notes))
            for limit in self.limits:
                trial.set_constraint(limit.goal.name, limit.excess(outcome.measures[limit.goal.name]))
        except optuna.TrialPruned:
            raise
        except Exception as error:  # any error is stored with the trial as its result, then raised again
            trial.set_user_attr(FAILURE, failure(error))
            raise
        values = tuple(goal.oriented(outcome.measures[goal.name]) for goal in self.goals)
        return values[0] if len(values) == 1 else values

    def is_out_of_time(self) -> bool:
        """Return whether the time limit of the study is reached."""
        return self.clock() > self.deadline

    def default_value(self) -> float:
        """Return the value of the first goal for the algorithm's defaults, evaluated like a trial."""
        outcome, _ = self._outcome(merged(self.defaults, {}, self.fixed), None)
        return self.goals[0].oriented(outcome.measures[self.goals[0].name])

    def measures_again(self, parameters: Mapping[str, Any], fold_rounds: Sequence[int] = ()) -> dict[str, float]:
        """Fit a trial's parameters again and return the natural values of all repeatable goals and limits."""
        repeatable = [goal for goal in self._measured() if goal.is_repeatable]
        return self.scheme.again(parameters, repeatable, fold_rounds)

    def _measured(self) -> tuple[Goal, ...]:
        known = {goal.name for goal in self.goals}
        return (*self.goals, *(limit.goal for limit in self.limits if limit.goal.name not in known))

    def _outcome(self, parameters: Mapping[str, Any], report: Report | None) -> tuple[Outcome, list[str]]:
        with noted() as notes:
            outcome = self.scheme.outcome(parameters, self._measured(), self.patience, report)
        return outcome, sorted(notes)

    def _fitted(self, outcome: Outcome, notes: list[str]) -> dict[str, Any]:
        return {
            "parameters": outcome.parameters,
            "rounds": outcome.rounds,
            "stopped_early": outcome.stopped_early,
            "fold_rounds": list(outcome.fold_rounds),
            "objectives": {goal.name: outcome.measures[goal.name] for goal in self.goals},
            "constraints": {limit.goal.name: outcome.measures[limit.goal.name] for limit in self.limits},
            "feasible": all(limit.excess(outcome.measures[limit.goal.name]) <= 0 for limit in self.limits),
            "notes": notes,
        }

    def _reporter(self, trial: "optuna.Trial") -> Report:
        import optuna

        prunable = len(self.goals) == 1  # Optuna cannot prune with several objectives

        def report(step: int, value: float) -> None:
            if prunable:
                trial.report(value, step)
            if self.is_out_of_time():
                trial.set_user_attr(FAILURE, failure(TrialOutOfTime("the time limit of the study was reached")))
                raise optuna.TrialPruned("the time limit of the study was reached")
            if prunable and trial.should_prune():
                raise optuna.TrialPruned(f"pruned at step {step}: worse than other trials")

        return report


def failure(error: BaseException) -> dict[str, str]:
    """Return the stored form of an exception: its type name and up to 1,000 characters of its message."""
    kind = error.kind if isinstance(error, FailedElsewhere) else type(error).__name__
    return {"type": kind, "message": str(error)[:1000]}
