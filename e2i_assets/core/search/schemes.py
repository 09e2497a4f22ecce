"""On which rows a parameter set is judged. No scheme holds a test or a holdout row."""

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
    """A trial's value was not a finite number."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of judging one parameter set.

    Attributes:
        measures: Natural value of each goal.
        parameters: The whole parameter set with the rounds that were really used: it reproduces the fit unwatched.
        rounds: Boosting rounds or trees, None where there are none.
        stopped_early: Whether early stopping decided the rounds.
        fold_rounds: The rounds of each fold, where there are folds and rounds.
    """

    measures: dict[str, float]
    parameters: dict[str, Any]
    rounds: int | None
    stopped_early: bool
    fold_rounds: tuple[int, ...] = ()


class Scheme(Protocol):
    """A way to judge parameter sets."""

    @property
    def folds(self) -> int:
        """The number of folds, whose count is then a report's step; 0 where a step is a number of rounds or trees."""

    def outcome(
        self,
        parameters: Mapping[str, Any],
        goals: Sequence[Goal],
        patience: int | None,
        report: Report | None = None,
    ) -> Outcome:
        """Fit and judge a whole parameter set.

        Args:
            parameters: Every parameter of the estimator: nothing is added.
            goals: What is measured; the first is what is reported, in its maximised orientation.
            patience: Boosting rounds without a lower validation loss before a booster stops; None grows all.
            report: Told how good the fit is so far; it may raise to end it.

        Raises:
            TrialNotFinite: A goal is not a finite number.
        """

    def again(
        self, parameters: Mapping[str, Any], goals: Sequence[Goal], fold_rounds: Sequence[int] = ()
    ) -> dict[str, float]:
        """Return the measures of an outcome's parameters, fitted anew with exactly its rounds."""


@dataclass(frozen=True, slots=True)
class OnValidation:
    """Fit on the train rows, judge on the validation rows."""

    fit_context: FitContext

    @property
    def folds(self) -> int:
        """None: a step is a number of rounds or trees."""
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
        """Fit unwatched; see `Scheme`."""
        return measured(self.fit_context, self.fit_context.fit(parameters), goals)


def measured(fit_context: FitContext, fit: Fit, goals: Sequence[Goal]) -> dict[str, float]:
    """Return the natural value of each goal.

    Raises:
        TrialNotFinite: One is not a finite number.
    """
    prediction = fit_context.on_validation(fit)
    values = {goal.name: goal.measured(fit_context, fit, prediction) for goal in goals}
    for name, value in values.items():
        if not math.isfinite(value):
            raise TrialNotFinite(f"{name} on validation is {value}, not a finite number")
    return values


def _reporting(fit_context: FitContext, goal: Goal, report: Report | None) -> Callable[[int, Prediction], None] | None:
    """Turn predictions on the way into values of the first goal; it is a metric, for which a prediction is enough."""
    glanced = goal.glanced
    if report is None or glanced is None:
        return None
    return lambda step, prediction: report(step, goal.oriented(glanced(fit_context, prediction)))
