"""What a fitted model is, besides good at its task: how large, how slow, and how unequally good."""

import pickle
import time
from typing import Any

import numpy as np

from e2i_assets.core.algorithms.algorithm import Fit
from e2i_assets.core.errors import E2iError
from e2i_assets.core.fitting.fit_context import FitContext
from e2i_assets.core.metrics import Array, Metric, Prediction

SMALLEST_GROUP = 20
_REPEATS = 5
_ROWS = 1000


def model_size(fit: Fit) -> float:
    """Return how many bytes the fitted estimator takes, preprocessing not included.

    The same fit has the same size on every machine: for a booster the length of its trees as its library writes them
    (UBJSON of XGBoost, the text of LightGBM up to the end of the trees), for everything else that of its pickle, which
    is counted as it is made and neither kept nor read back.
    """
    estimator = fit.estimator
    if hasattr(estimator, "get_booster"):
        return float(len(estimator.get_booster().save_raw("ubj")))
    if hasattr(estimator, "booster_"):
        # What follows the trees is what the fit was asked for, the cap of its rounds for one.
        return float(len(estimator.booster_.model_to_string().partition("\nend of trees")[0].encode()))
    return float(_pickled_length(estimator))


def prediction_time(fit_context: FitContext, fit: Fit) -> float:
    """Return the milliseconds that predicting 1,000 prepared rows takes: the smallest of a few repeats.

    The one measure that comes from a clock. It is noisy, it is higher while other trials run beside it, and it cannot
    be recomputed from what is stored.
    """
    rows = len(fit_context.y_validation)
    seconds = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        fit_context.on_validation(fit)
        seconds.append(time.perf_counter() - began)
    return min(seconds) * 1000.0 * _ROWS / rows


def fairness_gap(fit_context: FitContext, prediction: Prediction, column: str, metric: Metric) -> float:
    """Return the largest difference of a metric between two groups of the validation rows; 0 is equally good for all.

    The groups are the values of a feature as they stand in the table, a missing value being one of them. A group counts
    when it has at least `SMALLEST_GROUP` rows and, in a classification, rows of every class, without which many metrics
    have no value; the others are left out. This is ``MetricFrame.difference(method="between_groups")`` of Fairlearn
    (Weerts et al., "Fairlearn: Assessing and Improving Fairness of AI Systems", JMLR 24(257), 2023) on these groups.

    Raises:
        E2iError: Fewer than two groups count.
    """
    values = [
        metric.score(fit_context.y_validation[members], _of(prediction, members))
        for members in comparable_groups(fit_context, column)
    ]
    if len(values) < 2:
        raise E2iError(
            f"fairness_gap of {column!r} needs two groups with at least {SMALLEST_GROUP} rows of validation"
            f"{' and every class' if fit_context.task.n_classes else ''} each; it has {len(values)}: choose a column "
            "with fewer values, or cut it into groups"
        )
    return max(values) - min(values)


def comparable_groups(fit_context: FitContext, column: str) -> list[Array]:
    """Return the rows of each group that counts, as masks over the validation rows."""
    codes = fit_context.groups[column]
    masks = [codes == code for code in np.unique(codes)]
    large = [members for members in masks if int(members.sum()) >= SMALLEST_GROUP]
    n_classes = fit_context.task.n_classes
    return [
        members for members in large if len(np.unique(fit_context.y_validation[members])) == n_classes or not n_classes
    ]


def _of(prediction: Prediction, members: Array) -> Prediction:
    scores = None if prediction.scores is None else prediction.scores[members]
    return Prediction(prediction.labels[members], scores)


class _Counter:
    """A file that only counts what is written to it."""

    def __init__(self) -> None:
        self.length = 0

    def write(self, part: Any) -> int:
        size = memoryview(part).nbytes
        self.length += size
        return size


def _pickled_length(value: object) -> int:
    counter = _Counter()
    pickle.Pickler(counter, protocol=5).dump(value)
    return counter.length
