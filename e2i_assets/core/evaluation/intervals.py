"""Seeded bootstrap intervals of reported metrics, computed for many resamples at once."""

from collections.abc import Iterator, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from e2i_assets.core.evaluation.weighted_metrics import weighted_metrics
from e2i_assets.core.metrics import Array, Prediction, ProblemType, counted

CELLS_AT_ONCE = 250_000


class Interval(BaseModel):
    """A 95 % percentile interval.

    Attributes:
        low: 2.5th percentile.
        high: 97.5th percentile.
        n_resamples: Number of resamples in which the metric could be computed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    low: float
    high: float
    n_resamples: int


def bootstrap_intervals(
    problem_type: ProblemType,
    y_true: Array,
    prediction: Prediction,
    threshold: float | None = None,
    *,
    ordered: bool = False,
    weights: Array | None = None,
    groups: Array | None = None,
    loss_metrics: Sequence[str] = (),
    seed: int,
    n_resamples: int = 1000,
) -> dict[str, Interval]:
    """Return 95 % percentile intervals (Efron, 1979) of the headline metrics.

    Rows are drawn with replacement, or whole groups of rows, which are not independent of each other. A resample in
    which a metric is undefined, such as an ROC AUC with one class, is left out for that metric, which is equivalent to
    drawing again; `Interval.n_resamples` is the number that remains. A metric that is undefined in every resample has
    no interval.

    Args:
        problem_type: Decides the metrics: accuracy, balanced_accuracy, precision, recall, f1_score, roc_auc, pr_auc
            and brier_score; accuracy, balanced_accuracy, f1_macro, f1_weighted and roc_auc, with an order also
            quadratic_weighted_kappa and rank_mae; or rmse, mae, r2 and ``loss_metrics``.
        y_true: Shape (n,): class codes or values.
        prediction: The predictions for the same rows.
        threshold: The binary threshold of the point estimate; None uses the predicted labels.
        ordered: Whether the classes have an order.
        weights: Shape (n,): sample weights; None weights all rows equally. A row keeps its weight when it is drawn.
        groups: Shape (n,): the group of each row, such as a person; None if the rows are independent.
        loss_metrics: Regression only: deviances and pinball losses to report too.
        seed: The same seed gives the same intervals.
        n_resamples: Number of resamples to draw.
    """
    if groups is not None and weights is not None:
        groups = groups[weights > 0]
    y_true, prediction, weights = counted(np.asarray(y_true), prediction, weights)
    metrics = weighted_metrics(problem_type, y_true, prediction, threshold, ordered=ordered, loss_metrics=loss_metrics)
    found: dict[str, list[Array]] = {}
    for drawn in drawn_weights(len(y_true), seed=seed, n_resamples=n_resamples, weights=weights, groups=groups):
        for name, values in metrics(drawn).items():
            found.setdefault(name, []).append(values)
    intervals = {}
    for name, parts in found.items():
        values = np.concatenate(parts)
        values = values[np.isfinite(values)]
        if values.size:
            low, high = np.percentile(values, [2.5, 97.5])
            intervals[name] = Interval(low=float(low), high=float(high), n_resamples=int(values.size))
    return intervals


def drawn_weights(
    n_rows: int, *, seed: int, n_resamples: int = 1000, weights: Array | None = None, groups: Array | None = None
) -> Iterator[Array]:
    """Yield how often each row was drawn, times its weight: shape (r, n), in batches that fit into a CPU cache.

    With groups, all rows of a group are drawn together, as often as their group.
    """
    random = np.random.default_rng(seed)
    of_row = None if groups is None else np.unique(groups, return_inverse=True)[1]
    n_units = n_rows if of_row is None else int(of_row.max()) + 1
    at_once = max(1, CELLS_AT_ONCE // n_rows)
    for start in range(0, n_resamples, at_once):
        units = np.empty((min(at_once, n_resamples - start), n_units))
        for one in units:
            one[:] = np.bincount(random.integers(0, n_units, size=n_units), minlength=n_units)
        drawn = units if of_row is None else units[:, of_row]
        yield drawn if weights is None else drawn * weights
