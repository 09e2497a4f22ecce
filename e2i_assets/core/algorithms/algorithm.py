"""What an algorithm is to us: its parameters, its search space, and one function that fits it.

One function fits for the search and for the final model alike, so that what was tuned is what is trained.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from e2i_assets.core.algorithms.consumption import ABSENT, Consumption
from e2i_assets.core.algorithms.early_stopping import FitMonitor
from e2i_assets.core.algorithms.prepared_data import Matrix, PreparedData, Task
from e2i_assets.core.algorithms.target_unit import AS_IT_IS, TargetUnit, target_unit
from e2i_assets.core.errors import E2iError, UnsupportedAlgorithm, Violation
from e2i_assets.core.metrics import Array, Prediction, ProblemType
from e2i_assets.core.search_space.space import SearchSpace, parse_space

Preparation = Literal["ordinal", "one_hot", "scaled"]


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted estimator.

    Attributes:
        estimator: A scikit-learn compatible estimator on class codes or values.
        rounds: Boosting rounds or trees that its predictions use, None where there are none.
        stopped_early: Whether the validation loss ended it before its cap of rounds.
        unit: The unit in which the estimator predicts the target of a regression.
    """

    estimator: Any
    rounds: int | None = None
    stopped_early: bool = False
    unit: TargetUnit = AS_IT_IS


FitFunction = Callable[[Any, PreparedData, FitMonitor | None], Fit]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One way to learn, with everything that the search and the final fit need to know of it.

    Attributes:
        name: The name that experiments use.
        family: boosting, ensemble or linear.
        framework: The package that it comes from.
        classes: Import path of the estimator for each problem type that it can do.
        preparation: How its feature matrix is made (see `preprocessing`).
        default_values: Parameters when nothing is tuned.
        space: Search space in the format of the contract, for every problem type.
        fixed_values: Parameters that are never tuned and override everything else.
        accepts: Further parameters that an experiment may fix or search.
        fit_estimator: Fits an estimator of ours on the train rows, watched on the validation rows or not.
        rounds_parameter: The parameter that early stopping shortens, None where nothing stops early.
        rounds_cap: The most rounds to grow where early stopping decides them, None where nothing stops early.
        bins_rows: Whether it learns from a binned form of the train rows, so that it needs their matrix only once.
        renamed: Our parameter name to the estimator's, where the two differ.
        consumption: When the fit reads which parameter.
        completions: Values for `completing`.
        target_spread: Standard deviation that the target of a regression has in a fit.
        adapted: Rewrites the whole parameter set for the estimator, where renaming is not enough.
    """

    name: str
    family: Literal["boosting", "ensemble", "linear"]
    framework: Literal["xgboost", "lightgbm", "sklearn"]
    classes: Mapping[ProblemType, str]
    preparation: Preparation
    default_values: Mapping[str, Any]
    space: Mapping[str, Mapping[str, Any]]
    fixed_values: Mapping[str, Any]
    accepts: frozenset[str]
    fit_estimator: FitFunction
    rounds_parameter: str | None = None
    rounds_cap: int | None = None
    bins_rows: bool = False
    renamed: Mapping[str, str] = field(default_factory=dict)
    consumption: Consumption = field(default_factory=Consumption)
    completions: Mapping[str, Any] = field(default_factory=dict)
    target_spread: float = 1.0
    adapted: Callable[[dict[str, Any], ProblemType], dict[str, Any]] | None = None

    @property
    def problem_types(self) -> tuple[ProblemType, ...]:
        """The problem types that it can do."""
        return tuple(self.classes)

    @property
    def parameters(self) -> frozenset[str]:
        """Every parameter name that may be searched or fixed."""
        return frozenset({*self.default_values, *self.space, *self.fixed_values, *self.accepts})

    def unread(self, parameters: Mapping[str, Any], problem_type: ProblemType) -> list[Violation]:
        """Return those of a whole parameter set that the fit would not read, but for the algorithm's own values."""
        own = {**self.default_values, **self.fixed_values}
        named = {name: value for name, value in parameters.items() if name not in own or own[name] != value}
        return list(self.consumption.violations(named, problem_type, lambda _, other: [parameters.get(other, ABSENT)]))

    def completing(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the defaults need besides: the parameter without which a fixed value would have no effect."""
        return {
            needed: self.completions[needed]
            for name, (value, needed) in self.consumption.completes.items()
            if parameters.get(name) == value and needed not in parameters and needed in self.completions
        }

    def search_space(self, problem_type: ProblemType) -> SearchSpace:
        """Return the default search space."""
        self._estimator_path(problem_type)
        return parse_space(self.space)

    def estimator(self, parameters: Mapping[str, Any], problem_type: ProblemType) -> Any:
        """Build the unfitted estimator from exactly these parameters.

        Raises:
            E2iError: A parameter is not one of this algorithm's, or the fit would not read it.
            UnsupportedAlgorithm: It cannot do the problem type, or its library cannot be loaded.
        """
        if unknown := sorted(set(parameters) - self.parameters):
            raise E2iError(
                f"{self.name} does not take {', '.join(unknown)}: it takes {', '.join(sorted(self.parameters))}"
            )
        module, _, name = self._estimator_path(problem_type).rpartition(".")
        if unread := self.unread(parameters, problem_type):
            raise E2iError(f"{self.name} does not read {'; '.join(map(str, unread))}")
        values = {self.renamed.get(key, key): value for key, value in parameters.items()}
        if self.adapted:
            values = self.adapted(values, problem_type)
        try:
            estimator = getattr(importlib.import_module(module), name)
        except (ImportError, OSError) as error:  # a shared library of the package may be missing
            message = f"{self.name} needs {self.framework}, which cannot be loaded: {error}"
            raise UnsupportedAlgorithm(message) from error
        return estimator(**values)

    def fit(self, parameters: Mapping[str, Any], prepared_data: PreparedData, watch: FitMonitor | None = None) -> Fit:
        """Fit on the train rows; the binned form of the rows is shared by all fits on the same material.

        The target of a regression is learnt in a `TargetUnit`; what ``watch`` is shown is in the original unit.
        """
        estimator = self.estimator(parameters, prepared_data.task.problem_type)
        unit = self._unit(parameters, prepared_data)
        learnt = replace(
            prepared_data,
            y_train=unit.learnt(prepared_data.y_train),
            y_validation=unit.learnt(prepared_data.y_validation),
        )
        return replace(self.fit_estimator(estimator, learnt, watch and watch.in_original(unit)), unit=unit)

    def _unit(self, parameters: Mapping[str, Any], prepared_data: PreparedData) -> TargetUnit:
        if prepared_data.task.problem_type != "regression":
            return AS_IT_IS
        unit = target_unit(prepared_data.y_train, self.target_spread)
        # A model through the origin, and one of counts, have their zero where the target has it.
        fixed_zero = parameters.get("fit_intercept", True) is False or parameters.get("criterion") == "poisson"
        return TargetUnit(0.0, unit.scale) if fixed_zero else unit

    def _estimator_path(self, problem_type: ProblemType) -> str:
        if problem_type not in self.classes:
            raise UnsupportedAlgorithm(f"{self.name} cannot do {problem_type}: it does {', '.join(self.classes)}")
        return self.classes[problem_type]


def predicted(estimator: Any, x: Matrix, task: Task, unit: TargetUnit = AS_IT_IS) -> Prediction:
    """Predict ``x`` with a fitted estimator; the label of a row is its most probable class."""
    if task.problem_type == "regression":
        return unit.original(Prediction(labels=np.asarray(estimator.predict(x), dtype=np.float64)))
    return from_scores(over_all_classes(np.asarray(estimator.predict_proba(x)), estimator.classes_, task))


def over_all_classes(scores: Array, codes: Array, task: Task) -> Array:
    """Give a class that the train rows did not have its column of zeros.

    Args:
        scores: Shape (n, number of codes).
        codes: The class codes that the columns stand for.
        task: Says how many classes there are.
    """
    if len(codes) >= task.n_classes:
        return scores
    every = np.zeros((len(scores), task.n_classes))
    every[:, np.asarray(codes, dtype=np.int64)] = scores
    return every


def from_scores(scores: Array) -> Prediction:
    """Make a prediction from class probabilities: shape (n, k), or (n,) for the positive class of two."""
    if scores.ndim == 1:
        scores = np.column_stack([1.0 - scores, scores])
    # XGBoost's single precision sums to one only within 1e-7, which scikit-learn's metrics complain about.
    scores = scores.astype(np.float64) / scores.sum(axis=1, keepdims=True, dtype=np.float64)
    return Prediction(labels=scores.argmax(axis=1), scores=scores)


def fit_at_once(estimator: Any, prepared_data: PreparedData, watch: FitMonitor | None) -> Fit:
    """Fit an estimator that has no rounds: nothing to report, nothing to stop."""
    return Fit(estimator.fit(prepared_data.x_train, prepared_data.y_train, sample_weight=prepared_data.train_weights))
