"""What a study maximises: fit on train, score on validation, with exactly the parameters that would be trained."""

import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from e2i_assets.core.algorithms.algorithm import Fit
from e2i_assets.core.errors import E2iError
from e2i_assets.core.fitting.bench import Bench, merged
from e2i_assets.core.metrics import Metric, Prediction
from e2i_assets.core.search_space.space import SearchSpace, suggest

if TYPE_CHECKING:
    import optuna

FITTED = "fitted"
FAILURE = "failure"


class TrialOutOfTime(E2iError):
    """The study's time was up while a trial was running."""


class TrialNotFinite(E2iError):
    """A trial's value was not a finite number."""


@dataclass(frozen=True, slots=True)
class Objective:
    """The value of a configuration, higher is better; it receives no test and no holdout row.

    Attributes:
        bench: Prepared train and validation rows.
        metric: What the validation rows are scored with.
        space: What a trial draws from.
        defaults, fixed: Merged below and above what was drawn.
        patience: Boosting rounds without a lower validation loss before a booster stops; None: never.
        deadline: Reading of ``clock`` after which a running trial ends at its next report.
        clock: Seconds, monotonic.
    """

    bench: Bench
    metric: Metric
    space: SearchSpace
    defaults: Mapping[str, Any]
    fixed: Mapping[str, Any]
    patience: int | None
    deadline: float = math.inf
    clock: Callable[[], float] = field(default=time.monotonic)

    def __call__(self, trial: "optuna.Trial") -> float:
        """Fit one drawn configuration; what it was really fitted with is kept with the trial.

        Raises:
            optuna.TrialPruned: The pruner, or the end of the study's time, cut it short.
        """
        import optuna

        parameters = merged(self.defaults, suggest(trial, self.space), self.fixed)
        try:
            fit, notes = self._watched_fit(parameters, self._reporter(trial))
            value = self.value(fit)
        except optuna.TrialPruned:
            raise
        except Exception as error:  # whatever went wrong is the trial's result: it is kept with it and raised again
            trial.set_user_attr(FAILURE, failure(error))
            raise
        used = self.bench.used(parameters, fit)
        trial.set_user_attr(
            FITTED,
            {"parameters": used, "rounds": fit.rounds, "stopped_early": fit.stopped_early, "notes": notes},
        )
        return value

    def value(self, fit: Fit) -> float:
        """Score a fit on the validation rows, in the orientation that is maximised.

        Raises:
            TrialNotFinite: The metric is not a finite number there.
        """
        value = self.metric.oriented(self.metric.score(self.bench.y_validation, self.bench.on_validation(fit)))
        if not math.isfinite(value):
            raise TrialNotFinite(f"{self.metric.name} on validation is {value}, not a finite number")
        return value

    def default_value(self) -> float:
        """Return the value of the algorithm's defaults, fitted the same way."""
        fit, _ = self._watched_fit(merged(self.defaults, {}, self.fixed), None)
        return self.value(fit)

    def _watched_fit(self, parameters: Mapping[str, Any], report: Any) -> tuple[Fit, list[str]]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit = self.bench.fit(parameters, patience=self.patience, report=report)
        return fit, sorted({f"{warning.category.__name__}: {warning.message}"[:200] for warning in caught})

    def _reporter(self, trial: "optuna.Trial") -> Callable[[int, Prediction], None]:
        import optuna

        def report(step: int, prediction: Prediction) -> None:
            value = self.metric.oriented(self.metric.score(self.bench.y_validation, prediction))
            trial.report(value, step)
            if self.clock() > self.deadline:
                trial.set_user_attr(FAILURE, failure(TrialOutOfTime("the study's time was up")))
                raise optuna.TrialPruned("the study's time was up")
            if trial.should_prune():
                raise optuna.TrialPruned(f"worse than its peers after {step} rounds")

        return report


def failure(error: BaseException) -> dict[str, str]:
    """Return what is kept of an exception: its type and its message."""
    return {"type": type(error).__name__, "message": str(error)[:1000]}
