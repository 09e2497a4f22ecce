"""The goals that a study optimises, the experiment's metric first, and the limits that its constraints set."""

from collections.abc import Callable
from dataclasses import dataclass

from e2i_assets.core.algorithms.algorithm import Fit
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.objective_rules import FAIRNESS_GAP, MODEL_SIZE, PREDICTION_TIME, objective_names
from e2i_assets.core.figures import against
from e2i_assets.core.fitting.fit_context import FitContext
from e2i_assets.core.metrics import Metric, Prediction, metric, names
from e2i_assets.core.search.measures_of_models import fairness_gap, model_size, prediction_time
from e2i_assets.core.search.study_plan import NEGATED


@dataclass(frozen=True, slots=True)
class Goal:
    """One measure of a fitted model.

    Attributes:
        name: The name that experiments use; the name of a fairness gap ends with its column.
        greater_is_better: False for errors, sizes, times and gaps.
        measured: Computes the natural value of a fit from its fit context and its prediction for the validation rows.
        is_repeatable: Whether the same fit always has the same value: False where the value comes from a clock.
        quick_value: Computes the value during a fit, at low cost; None for goals that are no metrics.
    """

    name: str
    greater_is_better: bool
    measured: Callable[[FitContext, Fit, Prediction], float]
    is_repeatable: bool = True
    quick_value: Callable[[FitContext, Prediction], float] | None = None

    def oriented(self, value: float) -> float:
        """Return the value to maximise for a natural value, or the reverse: the function is its own inverse."""
        return value if self.greater_is_better else -value

    @property
    def maximised(self) -> str:
        """The name of the value that a study maximises, with a minus sign if it is negated."""
        return self.name if self.greater_is_better else f"{NEGATED}{self.name}"


@dataclass(frozen=True, slots=True)
class Limit:
    """A constraint on a goal: a minimum where greater is better, else a maximum."""

    goal: Goal
    bound: float

    def excess(self, value: float) -> float:
        """Return by how much a natural value violates the limit; 0 or less means that the limit is met."""
        return self.bound - value if self.goal.greater_is_better else value - self.bound

    def against(self, value: float | None) -> str:
        """Return a natural value beside the limit: ``120, required at most 100: missed``."""
        met = value is not None and self.excess(value) <= 0
        return against(value, "minimum" if self.goal.greater_is_better else "maximum", self.bound, met=met)

    def __str__(self) -> str:
        return f"{self.goal.name} at {'least' if self.goal.greater_is_better else 'most'} {self.bound:g}"


def metric_goal(metric: Metric) -> Goal:
    """Return the goal that measures a metric."""
    return Goal(
        metric.name,
        metric.greater_is_better,
        lambda fit_context, fit, prediction: metric.score(
            fit_context.y_validation, prediction, fit_context.validation_weights
        ),
        quick_value=lambda fit_context, prediction: metric.quick_score(
            fit_context.y_validation, prediction, fit_context.validation_weights
        ),
    )


def goal_name(name: str, column: str | None) -> str:
    """Return the name under which the value of a goal is stored; it contains the column where there is one."""
    return f"{name}_{column}" if column else name


def goals(experiment: Experiment) -> tuple[Goal, ...]:
    """Return the goals that the study of an experiment optimises, its metric first."""
    other = [_goal(experiment, one.name, one.column) for one in experiment.hpo.objectives]
    return (metric_goal(_metric(experiment)), *other)


def limits(experiment: Experiment) -> tuple[Limit, ...]:
    """Return the limits that a model of the experiment must meet."""
    return tuple(
        Limit(_goal(experiment, name, one.column), one.limit) for name, one in experiment.hpo.constraints.items()
    )


def group_columns(experiment: Experiment) -> tuple[str, ...]:
    """Return the features whose groups are compared by a goal or a limit of the experiment."""
    columns = [one.column for one in experiment.hpo.objectives]
    columns += [one.column for one in experiment.hpo.constraints.values()]
    return tuple(dict.fromkeys(column for column in columns if column))


def _metric(experiment: Experiment) -> Metric:
    return metric(experiment.metric, experiment.problem_type)


def _goal(experiment: Experiment, name: str, column: str | None) -> Goal:
    """Return the goal of a name.

    Raises:
        E2iError: There is no goal of that name, or a fairness gap has no column.
    """
    if name in names(experiment.problem_type):
        return metric_goal(metric(name, experiment.problem_type))
    if name == MODEL_SIZE:
        return Goal(name, False, lambda fit_context, fit, prediction: model_size(fit))
    if name == PREDICTION_TIME:
        return Goal(
            name, False, lambda fit_context, fit, prediction: prediction_time(fit_context, fit), is_repeatable=False
        )
    if name == FAIRNESS_GAP and column:
        compared = _metric(experiment)
        return Goal(
            goal_name(name, column),
            False,
            lambda fit_context, fit, prediction: fairness_gap(fit_context, prediction, column, compared),
        )
    known = ", ".join(objective_names(experiment.problem_type))
    raise E2iError(f"unknown objective {name!r}: choose one of {known} ({FAIRNESS_GAP} needs a column)")
