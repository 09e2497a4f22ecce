"""The learning curve: is more data worth it? The model of the search, fitted again on fewer train rows.

Each part is judged on the validation rows, never on test. The parts are nested and keep groups of rows whole; the
parameters and the rounds are those of the trained model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.evaluation import measures
from e2i_assets.core.evaluation.paired import Contender, PairedGain, PairedRows, paired_gain
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import Rows, fit_context, predicted_table, target_codes
from e2i_assets.core.fitting.rows import RowSource
from e2i_assets.core.metrics import Array, Prediction, metric
from e2i_assets.core.search.tuning import balancing
from e2i_assets.core.training import Training

_SHARES = (0.125, 0.25, 0.5)
_FEWEST_ROWS = 50
# Above either, the three fits together would be a long wait for a picture.
_MOST_ROWS = 200_000
_LONGEST_FIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class LearningPoint:
    """The value of the optimised metric on validation, in its unit, of a model that learnt from this number of rows."""

    rows: int
    value: float


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """The learning curve of a trained model.

    Attributes:
        points: The points, the fewest rows first; the last has all train rows. Empty without a curve.
        doubling: What all train rows gain over half of them, on the same validation rows; None without an interval or
            without a curve.
        why_missing: Why there is no curve, as a part of a sentence; empty with one.
    """

    points: tuple[LearningPoint, ...] = ()
    doubling: PairedGain | None = None
    why_missing: str = ""


def learning_curve(experiment: Experiment, rows: TrainingRows, training: Training) -> LearningCurve:
    """Return the learning curve of a training; it costs seven eighths of a fit."""
    n_rows = len(rows.train.target)
    if why := _why_missing(training, n_rows):
        return LearningCurve(why_missing=why)
    ((model, validation),) = training.unseen
    predictions = {n_rows: predicted_table(model, validation.features)}
    for share in _SHARES:
        part = _part(rows.train, share, experiment.hpo.seed)
        if len(part.target) >= _FEWEST_ROWS and part.target.nunique() >= len(rows.facts.classes):
            predictions[len(part.target)] = _predicted(experiment, rows, part, training)
    truth = target_codes(validation.target, rows.facts.classes)
    scored = metric(experiment.metric, experiment.problem_type)
    points = [
        LearningPoint(count, scored.score(truth, found, validation.weights))
        for count, found in sorted(predictions.items())
    ]
    if len(points) < 2:
        return LearningCurve(why_missing=f"{n_rows:,} train rows are too few for parts of them")
    return LearningCurve(tuple(points), _doubling(experiment, rows, truth, [predictions[one.rows] for one in points]))


def _why_missing(training: Training, n_rows: int) -> str:
    if training.final_model == "folds":
        return "the final model is a mean of fold models, which have no validation rows in common"
    if n_rows > _MOST_ROWS:
        return f"{n_rows:,} train rows are more than {_MOST_ROWS:,}, so that the fits would take long"
    if training.seconds > _LONGEST_FIT_SECONDS:
        return f"a fit takes {training.seconds:.0f} seconds"
    return ""


def _part(train: RowSource, share: float, seed: int) -> Rows:
    """Return a share of the groups of the train rows; a smaller share is part of a larger one."""
    entities = np.arange(len(train.target)) if train.entities is None else np.asarray(train.entities)
    units = np.random.default_rng(seed).permutation(np.unique(entities))
    kept = np.isin(entities, units[: max(1, round(share * len(units)))])
    weights = None if train.weights is None else train.weights[kept]
    features: pd.DataFrame = train.features.loc[kept]
    return Rows(features, train.target[kept], entities[kept] if train.entities is not None else None, weights)


def _predicted(experiment: Experiment, rows: TrainingRows, part: Rows, training: Training) -> Prediction:
    treated = balancing(experiment, rows.facts, rows.train)
    context = fit_context(
        experiment.fitted_algorithm, rows.facts.task, part, rows.validation, rows.facts.classes, balancing=treated
    )
    return context.on_validation(context.fit(training.parameters))


def _doubling(
    experiment: Experiment, rows: TrainingRows, truth: Array, predictions: Sequence[Prediction]
) -> PairedGain | None:
    groups = rows.validation.entities
    if groups is not None and len(np.unique(groups)) == len(groups):
        groups = None
    on_validation = PairedRows(
        problem_type=experiment.problem_type,
        truth=truth,
        ordered=rows.facts.ordered,
        weights=rows.validation.weights,
        groups=groups,
    )
    every, half = Contender(predictions[-1]), Contender(predictions[-2])
    measure = measures.optimised(experiment.metric, experiment.problem_type)
    return paired_gain(on_validation, measure, every, half, seed=experiment.hpo.seed)
