"""The learning curve: is more data worth it? The parameters of a training, fitted again on parts of its train rows.

All parts are judged on the same third of the train rows, which is in none of them. On the validation rows the curve
would rise at its end without a reason, because the search has chosen what is best on them with all train rows; the test
rows are used once. The parts are nested and keep groups of rows whole.
"""

from dataclasses import dataclass

import numpy as np

from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.evaluation import measures
from e2i_assets.core.evaluation.paired import Contender, PairedGain, PairedRows, paired_gain
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.final_fit import final_fit_context
from e2i_assets.core.fitting.fit_context import Rows, target_codes
from e2i_assets.core.fitting.rows import RowSource
from e2i_assets.core.metrics import Array, Prediction, metric
from e2i_assets.core.training import Training

# Shares of the groups of the train rows.
_SHARES = (1 / 12, 1 / 6, 1 / 3, 2 / 3)
_FEWEST_ROWS = 50
# Above either, the fits together would be a long wait for a picture.
_MOST_ROWS = 200_000
_LONGEST_FIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class LearningPoint:
    """The value of the optimised metric, in its unit, of a model that learnt from this number of rows."""

    rows: int
    value: float


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """The learning curve of a trained model.

    Attributes:
        points: The points, the fewest rows first. Empty without a curve.
        judged_on: The number of rows that all of them are judged on.
        doubling: What the last part gains over the one before, on the same rows; None if it cannot be computed.
        why_missing: Why there is no curve, as a part of a sentence; empty with one.
    """

    points: tuple[LearningPoint, ...] = ()
    judged_on: int = 0
    doubling: PairedGain | None = None
    why_missing: str = ""


def learning_curve(experiment: Experiment, rows: TrainingRows, training: Training) -> LearningCurve:
    """Return the learning curve of a training; it costs less than one and a half fits of the train rows."""
    n_rows = len(rows.train.target)
    if why := _why_missing(training, n_rows):
        return LearningCurve(why_missing=why)
    *parts, judged_on = _parts(rows.train, experiment.hpo.seed)
    usable = [
        part
        for part in parts
        if len(part.target) >= _FEWEST_ROWS and part.target.nunique() >= max(2, len(rows.facts.classes))
    ]
    if len(usable) < 2:
        return LearningCurve(why_missing=f"{n_rows:,} train rows are too few for parts of them")
    predictions = [_predicted(experiment, rows, part, judged_on, training) for part in usable]
    on = PairedRows(
        problem_type=experiment.problem_type,
        truth=target_codes(judged_on.target, rows.facts.classes),
        ordered=rows.facts.ordered,
        weights=judged_on.weights,
        groups=judged_on.entities,
    )
    scored = metric(experiment.metric, experiment.problem_type)
    points = [
        LearningPoint(len(part.target), scored.score(on.truth, found, on.weights))
        for part, found in zip(usable, predictions, strict=True)
    ]
    *_, fewer, more = map(Contender, predictions)
    measure = measures.optimised(experiment.metric, experiment.problem_type)
    doubling = paired_gain(on, measure, more, fewer, seed=experiment.hpo.seed)
    return LearningCurve(tuple(points), len(judged_on.target), doubling)


def _why_missing(training: Training, n_rows: int) -> str:
    if n_rows > _MOST_ROWS:
        return f"{n_rows:,} train rows are more than {_MOST_ROWS:,}, so that the fits would take long"
    if training.seconds > _LONGEST_FIT_SECONDS:
        return f"a fit takes {training.seconds:.0f} seconds"
    return ""


def _parts(train: RowSource, seed: int) -> list[Rows]:
    """Return nested parts of the rows, the smallest first, and the rows that are in none of them."""
    every = np.arange(len(train.target)) if train.entities is None else np.asarray(train.entities)
    units = np.random.default_rng(seed).permutation(np.unique(every))
    features = train.features
    ends = [round(share * len(units)) for share in _SHARES]

    def rows(of: Array) -> Rows:
        kept = np.isin(every, of)
        weights = None if train.weights is None else train.weights[kept]
        return Rows(features[kept], train.target[kept], None if train.entities is None else every[kept], weights)

    return [*(rows(units[:end]) for end in ends), rows(units[ends[-1] :])]


def _predicted(
    experiment: Experiment, rows: TrainingRows, part: Rows, judged_on: Rows, training: Training
) -> Prediction:
    context = final_fit_context(experiment, rows.facts, rows.train, part)
    return context.on(context.fit(training.parameters), judged_on)
