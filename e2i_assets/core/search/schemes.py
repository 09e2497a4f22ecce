"""The rows on which a parameter set is evaluated. No scheme contains test rows or holdout rows."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from e2i_assets.core.algorithms.algorithm import Fit
from e2i_assets.core.errors import E2iError
from e2i_assets.core.fitting.fit_context import FitContext
from e2i_assets.core.metrics import Prediction
from e2i_assets.core.search.goals import Goal

Report = Callable[[int, float], None]


class TrialNotFinite(E2iError):
    """A measure of a trial is not a finite number."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of evaluating one parameter set.

    Attributes:
        measures: Natural value of each goal.
        parameters: The full parameter set with the rounds that were used: it reproduces the fit without early stopping.
        rounds: Boosting rounds or trees; None for algorithms without them.
        stopped_early: Whether early stopping decided the rounds.
        fold_rounds: The rounds of each fold; empty without folds or without rounds.
    """

    measures: dict[str, float]
    parameters: dict[str, Any]
    rounds: int | None
    stopped_early: bool
    fold_rounds: tuple[int, ...] = ()


class Scheme(Protocol):
    """A way to evaluate parameter sets."""

    @property
    def folds(self) -> int:
        """Number of folds; a report step is then a number of folds. 0 if a step is a number of rounds or trees."""

    def outcome(
        self,
        parameters: Mapping[str, Any],
        goals: Sequence[Goal],
        patience: int | None,
        report: Report | None = None,
    ) -> Outcome:
        """Fit and evaluate a full parameter set.

        Args:
            parameters: All parameters of the estimator: nothing is added.
            goals: The goals to measure; the first one is reported, in the orientation that a study maximises.
            patience: Boosting rounds without a lower validation loss before early stopping; None for no early stopping.
            report: Called with a step and the value so far; it may raise an exception to end the fit.

        Raises:
            TrialNotFinite: A goal is not a finite number.
        """

    def again(
        self, parameters: Mapping[str, Any], goals: Sequence[Goal], fold_rounds: Sequence[int] = ()
    ) -> dict[str, float]:
        """Return the measures of the parameters of an outcome, fitted again with exactly its rounds."""


@dataclass(frozen=True, slots=True)
class OnValidation:
    """Fits on the train rows and evaluates on the validation rows."""

    fit_context: FitContext

    @property
    def folds(self) -> int:
        """Always 0: a report step is a number of rounds or trees."""
        return 0

    def outcome(
        self,
        parameters: Mapping[str, Any],
        goals: Sequence[Goal],
        patience: int | None,
        report: Report | None = None,
    ) -> Outcome:
        """Fit once; see `Scheme`."""
        fit = self.fit_context.fit(parameters, patience=patience, report=_reporting(self.fit_context, goals[0], report))
        return Outcome(
            measures=measured(self.fit_context, fit, goals),
            parameters=self.fit_context.used(parameters, fit),
            rounds=fit.rounds,
            stopped_early=fit.stopped_early,
        )

    def again(
        self, parameters: Mapping[str, Any], goals: Sequence[Goal], fold_rounds: Sequence[int] = ()
    ) -> dict[str, float]:
        """Fit without early stopping; see `Scheme`."""
        return measured(self.fit_context, self.fit_context.fit(parameters), goals)


def measured(fit_context: FitContext, fit: Fit, goals: Sequence[Goal]) -> dict[str, float]:
    """Return the natural value of each goal.

    Raises:
        TrialNotFinite: A value is not a finite number.
    """
    prediction = fit_context.on_validation(fit)
    values = {goal.name: goal.measured(fit_context, fit, prediction) for goal in goals}
    for name, value in values.items():
        if not math.isfinite(value):
            raise TrialNotFinite(f"{name} on validation is {value}, not a finite number")
    return values


def _reporting(fit_context: FitContext, goal: Goal, report: Report | None) -> Callable[[int, Prediction], None] | None:
    """Return a callback that reports the first goal for a growing fit; the goal is a metric and needs no more."""
    quick_value = goal.quick_value
    if report is None or quick_value is None:
        return None
    return lambda step, prediction: report(step, goal.oriented(quick_value(fit_context, prediction)))
