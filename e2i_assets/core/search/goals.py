"""What a study optimises: the experiment's metric first, then whatever else it weighs against it."""

from collections.abc import Callable
from dataclasses import dataclass

from e2i_assets.core.algorithms.algorithm import Fit
from e2i_assets.core.fitting.bench import Bench
from e2i_assets.core.metrics import Metric, Prediction


@dataclass(frozen=True, slots=True)
class Goal:
    """One thing that a fitted model is judged by.

    Attributes:
        name: The name that experiments use.
        greater_is_better: False for errors, sizes and times.
        measured: The natural value of a fit, from its bench and its prediction for the bench's validation rows.
    """

    name: str
    greater_is_better: bool
    measured: Callable[[Bench, Fit, Prediction], float]

    def oriented(self, value: float) -> float:
        """Turn a natural value into the one a study maximises, or back: it is its own inverse."""
        return value if self.greater_is_better else -value


@dataclass(frozen=True, slots=True)
class Limit:
    """A value that a model must keep to: at least it for a goal that should be high, at most it for the others."""

    goal: Goal
    bound: float

    def excess(self, value: float) -> float:
        """Return by how much a natural value breaks the limit: 0 or less is within it."""
        return self.bound - value if self.goal.greater_is_better else value - self.bound


def metric_goal(metric: Metric) -> Goal:
    """Return a metric as a goal."""
    return Goal(
        metric.name,
        metric.greater_is_better,
        lambda bench, fit, prediction: metric.score(bench.y_validation, prediction),
    )
