"""How far the value of a trial may be off because the rows that evaluate it are a sample."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.evaluation.jackknife import blocks
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import FitContext
from e2i_assets.core.metrics import Array, metric
from e2i_assets.core.search import tuning
from e2i_assets.core.search.cross_validation import OnFolds
from e2i_assets.core.search.goals import metric_goal
from e2i_assets.core.search.schemes import OnValidation
from e2i_assets.core.search.trials import TrialRecord

_BLOCKS = 20


@dataclass(frozen=True, slots=True)
class ValueNoise:
    """Parts of a value whose scatter is its noise: pseudo-values of blocks of the validation rows, or values of folds.

    Attributes:
        parts: In the orientation that a study maximises; empty where the noise cannot be measured. Those of two
            algorithms on the same rows belong together in pairs.
        independent: The number of parts that share no rows.
    """

    parts: tuple[float, ...]
    independent: int

    def deviation(self) -> float | None:
        """Return the standard error of the value."""
        return _standard_error(self.parts, self.independent)

    def of_difference(self, other: "ValueNoise") -> float | None:
        """Return the standard error of the difference of two values on the same rows."""
        if len(self.parts) != len(other.parts):
            return None
        return _standard_error(np.subtract(self.parts, other.parts), self.independent)

    def margin(self) -> float | None:
        """Return half the width of the 95 % interval of the value (Student's t)."""
        from scipy.special import stdtrit

        deviation = self.deviation()
        return None if deviation is None else float(stdtrit(self.independent - 1, 0.975)) * deviation


def _standard_error(parts: "Sequence[float] | Array", independent: int) -> float | None:
    return float(np.std(parts, ddof=1)) / math.sqrt(independent) if len(parts) > 1 else None


def value_noise(experiment: Experiment, rows: SearchRows, trial: TrialRecord) -> ValueNoise:
    """Fit a trial again on the rows of the search, and return the noise of its value.

    On one validation split it is that of a jackknife over 20 blocks of rows (Tukey, 1958), with all rows of an entity
    in one block. On folds it is the scatter over the folds; repeated folds share rows, and count once.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are stored with the trial
        return _measured(experiment, rows, trial)


def _measured(experiment: Experiment, rows: SearchRows, trial: TrialRecord) -> ValueNoise:
    scheme = tuning.scheme(experiment, rows)
    if isinstance(scheme, OnFolds):
        goal = metric_goal(metric(experiment.metric, experiment.problem_type))
        values = scheme.again_on_each(trial.params, [goal], trial.fold_rounds)
        return ValueNoise(tuple(goal.oriented(one[goal.name]) for one in values), experiment.hpo.folds)
    assert isinstance(scheme, OnValidation), "these are all schemes"
    return _jackknife(experiment, scheme.fit_context, rows.validation.entities, trial)


def _jackknife(experiment: Experiment, context: FitContext, entities: Array | None, trial: TrialRecord) -> ValueNoise:
    truth, weights = context.y_validation, context.validation_weights
    prediction = context.on_validation(context.fit(trial.params))
    of_rows = blocks(len(truth), entities, experiment.hpo.seed, _BLOCKS)
    count = int(of_rows.max()) + 1
    scored = metric(experiment.metric, experiment.problem_type)

    def value(kept: Array) -> float:
        of_kept = None if weights is None else weights[kept]
        return scored.oriented(scored.quick_score(truth[kept], prediction.at(kept), of_kept))

    rest = [of_rows != block for block in range(count)]
    if count < 2 or not all(_has_every_class(context, truth, weights, kept) for kept in rest):
        return ValueNoise((), 0)
    whole = value(np.ones(len(truth), dtype=bool))
    return ValueNoise(tuple(count * whole - (count - 1) * value(kept) for kept in rest), count)


def _has_every_class(context: FitContext, truth: Array, weights: Array | None, kept: Array) -> bool:
    """Return whether rows have each class of all rows, without which a metric may be undefined."""
    counted = np.ones(len(truth), dtype=bool) if weights is None else weights > 0
    if not context.classes:
        return bool((counted & kept).any())
    return len(np.unique(truth[counted & kept])) == len(np.unique(truth[counted]))
