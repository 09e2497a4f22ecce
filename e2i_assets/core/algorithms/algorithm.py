"""The description of an algorithm: its parameters, its search space, and the function that fits it.

The search and the final training use the same fit function, so the trained model is the one that was tuned.
"""

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from e2i_assets.core.algorithms.consumption import ABSENT, Consumption
from e2i_assets.core.algorithms.early_stopping import FitMonitor
from e2i_assets.core.algorithms.prepared_data import Matrix, PreparedData, Task
from e2i_assets.core.algorithms.target_unit import AS_IT_IS, TargetUnit, target_unit, unit_of_mean
from e2i_assets.core.errors import E2iError, UnsupportedAlgorithm, Violation
from e2i_assets.core.losses import SQUARED_ERROR, Loss, LossName
from e2i_assets.core.metrics import Array, Prediction, ProblemType
from e2i_assets.core.search_space.space import SearchSpace, parse_space

Preparation = Literal["ordinal", "one_hot", "scaled"]
# The search spaces of an algorithm: the one of the contract, and a larger one that some algorithms have.
Preset = Literal["contract", "wide"]


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted estimator.

    Attributes:
        estimator: A scikit-learn compatible estimator on class codes or values.
        rounds: Boosting rounds or trees that its predictions use; None for an estimator without rounds.
        stopped_early: Whether early stopping ended it before its cap of rounds.
        unit: The unit in which the estimator predicts the target of a regression.
    """

    estimator: Any
    rounds: int | None = None
    stopped_early: bool = False
    unit: TargetUnit = AS_IT_IS


FitFunction = Callable[[Any, PreparedData, FitMonitor | None], Fit]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """An algorithm, with everything that the search and the final fit need.

    Attributes:
        name: The name in experiment files.
        family: boosting, ensemble or linear.
        framework: The package of the estimator.
        extra: The extra of this package that installs the package of the estimator; None if it is always installed.
        classes: Import path of the estimator for each supported problem type.
        preparation: The preparation of its feature matrix (see `preprocessing`).
        default_values: Default parameters.
        space: Search space in the format of the contract, for every problem type.
        wide_space: The larger space of ``hpo.preset: wide``, in the same format; None if there is none.
        fixed_values: Parameters that are never tuned and override all others.
        accepts: Further parameters that an experiment may fix or search.
        fit_estimator: Fits an estimator on the train rows, with an optional monitor on the validation rows.
        rounds_parameter: The parameter that early stopping decides; None for an algorithm without early stopping.
        rounds_cap: The maximum number of rounds with early stopping; None for an algorithm without early stopping.
        bins_rows: Whether it fits on a binned form of the train rows, so that it needs their matrix only once.
        renamed: Parameter name in e2i to the parameter name of the estimator, where the two differ.
        consumption: The conditions under which the fit reads its parameters.
        completions: Values for `completing`.
        target_spread: Standard deviation of a regression target in the unit of the fit.
        can_be_monotone: Whether a fit can hold its prediction monotone in a feature.
        directions: 1 or -1 for each column with which the prediction may only rise or only fall.
        losses: The losses of a regression that its fits can minimise.
        loss: The one that they do.
        complexity: Its place from simple and cheap to complex and dear, in which compared algorithms are tried. The
            tens are its class: 1 for linear models, 2 for boosters on bins, 3 for forests and exact boosting.
        in_auto: Whether ``algorithm: auto`` compares it. The others were best on few tables, mostly by little, or on
            none, and cost several times as much (`benchmarks/results/algorithm_sets.md`).
        adapted: Converts the whole parameter set for the estimator, where renaming is not enough.
    """

    name: str
    family: Literal["boosting", "ensemble", "linear"]
    framework: Literal["xgboost", "lightgbm", "sklearn", "catboost"]
    classes: Mapping[ProblemType, str]
    preparation: Preparation
    default_values: Mapping[str, Any]
    space: Mapping[str, Mapping[str, Any]]
    fixed_values: Mapping[str, Any]
    accepts: frozenset[str]
    fit_estimator: FitFunction
    wide_space: Mapping[str, Mapping[str, Any]] | None = None
    rounds_parameter: str | None = None
    rounds_cap: int | None = None
    bins_rows: bool = False
    renamed: Mapping[str, str] = field(default_factory=dict)
    consumption: Consumption = field(default_factory=Consumption)
    completions: Mapping[str, Any] = field(default_factory=dict)
    target_spread: float = 1.0
    can_be_monotone: bool = False
    directions: Mapping[str, int] = field(default_factory=dict)
    losses: frozenset[LossName] = frozenset({"squared_error"})
    loss: Loss = SQUARED_ERROR
    complexity: int = 50
    in_auto: bool = False
    adapted: Callable[[dict[str, Any], ProblemType], dict[str, Any]] | None = None
    extra: str | None = None

    @property
    def problem_types(self) -> tuple[ProblemType, ...]:
        """The supported problem types."""
        return tuple(self.classes)

    @property
    def is_installed(self) -> bool:
        """Whether the package of the estimator is installed; it is not imported."""
        return self.extra is None or importlib.util.find_spec(self.framework) is not None

    @property
    def complexity_class(self) -> int:
        """The class of complexity: of algorithms that are equally good, one of the lowest class is trained."""
        return self.complexity // 10

    @property
    def parameters(self) -> frozenset[str]:
        """Every parameter name that may be searched or fixed."""
        wide = self.wide_space or {}
        return frozenset({*self.default_values, *self.space, *wide, *self.fixed_values, *self.accepts})

    @property
    def presets(self) -> tuple[Preset, ...]:
        """The presets that it has a search space for."""
        return ("contract",) if self.wide_space is None else ("contract", "wide")

    def with_preset(self, preset: Preset) -> "Algorithm":
        """Return this algorithm with the search space of a preset.

        Raises:
            E2iError: It has no such space.
        """
        if preset not in self.presets:
            raise E2iError(f"{self.name} has no search space {preset}: choose one of {', '.join(self.presets)}")
        return self if self.wide_space is None or preset == "contract" else replace(self, space=self.wide_space)

    def with_goal(self, loss: Loss, directions: Mapping[str, int]) -> "Algorithm":
        """Return this algorithm with fits that minimise a loss, and are monotone in these columns.

        Raises:
            E2iError: Its fits cannot.
        """
        if loss.name not in self.losses:
            raise E2iError(f"{self.name} cannot minimise the loss {loss}")
        if directions and not self.can_be_monotone:
            raise E2iError(f"{self.name} cannot be monotone in {', '.join(directions)}")
        return replace(self, loss=loss, directions=directions)

    def unread(self, parameters: Mapping[str, Any], problem_type: ProblemType) -> list[Violation]:
        """Return the parameters of a full set that the fit would not read, without the algorithm's own values."""
        own = {**self.default_values, **self.fixed_values}
        named = {name: value for name, value in parameters.items() if name not in own or own[name] != value}
        return list(self.consumption.violations(named, problem_type, lambda _, other: [parameters.get(other, ABSENT)]))

    def completing(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters that the defaults lack, without which a fixed value would have no effect."""
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
        """Return the unfitted estimator with exactly these parameters.

        Raises:
            E2iError: A parameter is unknown to this algorithm, or the fit would not read it.
            UnsupportedAlgorithm: It does not support the problem type, or its library cannot be loaded.
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
        """Fit on the train rows; all fits on the same prepared data share its binned form.

        A regression target is fitted in a `TargetUnit`; the predictions for ``watch`` are in the original unit.
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
        if self.loss.has_log_link:
            return unit_of_mean(prepared_data.y_train, prepared_data.train_weights)
        unit = target_unit(prepared_data.y_train, self.target_spread, prepared_data.train_weights)
        # A model through the origin and a Poisson model need the zero of the original target.
        fixed_zero = parameters.get("fit_intercept", True) is False or parameters.get("criterion") == "poisson"
        return TargetUnit(0.0, unit.scale) if fixed_zero else unit

    def _estimator_path(self, problem_type: ProblemType) -> str:
        if problem_type not in self.classes:
            raise UnsupportedAlgorithm(
                f"{self.name} does not support {problem_type}: it supports {', '.join(self.classes)}"
            )
        return self.classes[problem_type]


def predicted(estimator: Any, x: Matrix, task: Task, unit: TargetUnit = AS_IT_IS) -> Prediction:
    """Predict ``x`` with a fitted estimator; the label of a row is its most probable class."""
    if task.problem_type == "regression":
        return unit.original(Prediction(labels=np.asarray(estimator.predict(x), dtype=np.float64)))
    return from_scores(over_all_classes(np.asarray(estimator.predict_proba(x)), estimator.classes_, task))


def over_all_classes(scores: Array, codes: Array, task: Task) -> Array:
    """Return the scores with a column of zeros for each class that does not occur in the train rows.

    Args:
        scores: Shape (n, number of codes).
        codes: The class codes of the columns.
        task: The task, with the number of classes.
    """
    if len(codes) >= task.n_classes:
        return scores
    every = np.zeros((len(scores), task.n_classes))
    every[:, np.asarray(codes, dtype=np.int64)] = scores
    return every


def from_scores(scores: Array) -> Prediction:
    """Return the prediction for class probabilities: shape (n, k), or (n,) for the positive class of two."""
    if scores.ndim == 1:
        scores = np.column_stack([1.0 - scores, scores])
    # XGBoost's single-precision probabilities sum to one only within 1e-7, and scikit-learn's metrics warn about it.
    scores = scores.astype(np.float64) / scores.sum(axis=1, keepdims=True, dtype=np.float64)
    return Prediction(labels=scores.argmax(axis=1), scores=scores)


def fit_at_once(estimator: Any, prepared_data: PreparedData, watch: FitMonitor | None) -> Fit:
    """Fit an estimator without rounds: it makes no reports and does not stop early."""
    return Fit(estimator.fit(prepared_data.x_train, prepared_data.y_train, sample_weight=prepared_data.train_weights))
