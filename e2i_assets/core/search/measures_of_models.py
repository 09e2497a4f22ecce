"""Measures of a fitted model other than its metric: size, prediction time and fairness gap."""

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
    """Return the size of the fitted estimator in bytes, without the preprocessing.

    The same fit has the same size on every machine. For a booster it is the length of the trees in the format of the
    library (UBJSON of XGBoost; the text of LightGBM up to the end of the trees). For other estimators it is the length
    of the pickle, which is counted while it is written and is neither stored nor loaded.
    """
    estimator = fit.estimator
    if hasattr(estimator, "get_booster"):
        return float(len(estimator.get_booster().save_raw("ubj")))
    if hasattr(estimator, "booster_"):
        # The text after the trees holds the parameters of the fit (such as the cap of rounds), not the model.
        return float(len(estimator.booster_.model_to_string().partition("\nend of trees")[0].encode()))
    return float(_pickled_length(estimator))


def prediction_time(fit_context: FitContext, fit: Fit) -> float:
    """Return the time to predict 1,000 prepared rows, in milliseconds: the minimum of a few repeats.

    This is the only measure that comes from a clock. It is noisy, it is higher while other trials run at the same time,
    and it cannot be recomputed from the stored data.
    """
    rows = len(fit_context.y_validation)
    seconds = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        fit_context.on_validation(fit)
        seconds.append(time.perf_counter() - began)
    return min(seconds) * 1000.0 * _ROWS / rows


def fairness_gap(fit_context: FitContext, prediction: Prediction, column: str, metric: Metric) -> float:
    """Return the largest difference of a metric between two groups of the validation rows; 0 means no difference.

    The groups are the values of a feature in the table; a missing value is a group too. Only groups with at least
    `SMALLEST_GROUP` rows are compared and, in a classification, only groups with rows of every class, because many
    metrics are undefined without them. This is ``MetricFrame.difference(method="between_groups")`` of Fairlearn
    (Weerts et al., "Fairlearn: Assessing and Improving Fairness of AI Systems", JMLR 24(257), 2023) on these groups.

    Raises:
        E2iError: Fewer than two groups can be compared.
    """
    weights = fit_context.validation_weights
    values = [
        metric.score(
            fit_context.y_validation[members],
            prediction.at(members),
            None if weights is None else weights[members],
        )
        for members in comparable_groups(fit_context, column)
    ]
    if len(values) < 2:
        raise E2iError(
            f"fairness_gap of {column!r} needs two groups with at least {SMALLEST_GROUP} validation rows"
            f"{' and every class' if fit_context.task.n_classes else ''} each; it has {len(values)}: choose a column "
            "with fewer values, or bin its values"
        )
    return max(values) - min(values)


def comparable_groups(fit_context: FitContext, column: str) -> list[Array]:
    """Return the rows of each group that can be compared, as masks over the validation rows."""
    codes, weights = fit_context.groups[column], fit_context.validation_weights
    present = np.ones(len(codes), dtype=bool) if weights is None else weights > 0
    masks = [(codes == code) & present for code in np.unique(codes)]
    large = [members for members in masks if int(members.sum()) >= SMALLEST_GROUP]
    n_classes = fit_context.task.n_classes
    return [
        members for members in large if len(np.unique(fit_context.y_validation[members])) == n_classes or not n_classes
    ]


class _Counter:
    """A binary file that counts the bytes written to it and discards them."""

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
