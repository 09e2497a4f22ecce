"""Metrics of segments, the rows with one value in a column, and the gaps between the segments of a column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from e2i_assets.core.evaluation import measures
from e2i_assets.core.evaluation.evaluation import split_evaluation
from e2i_assets.core.evaluation.intervals import Interval, bootstrap_intervals
from e2i_assets.core.metrics import Array, Prediction, ProblemType, counted

MINIMUM_ROWS = 50
MINIMUM_ROWS_OF_A_CLASS = 5


class SegmentEvaluation(BaseModel):
    """The metrics of the rows that have one value in one column.

    Attributes:
        is_small: Too few rows, or too few of a class, to compare it with others: such a segment has no intervals.
        metrics: Finite values by the names of `measures.names`.
        not_computable: Every other name, with the reason.
        intervals: 95 % bootstrap intervals of the headline metrics.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    column: str
    segment: str
    n_rows: int
    is_small: bool
    metrics: dict[str, float]
    not_computable: dict[str, str]
    intervals: dict[str, Interval]


@dataclass(frozen=True, slots=True)
class Gap:
    """The difference in one metric between the best and the worst segment of a column.

    Attributes:
        size: Never negative.
        beyond_chance: Whether the two intervals do not overlap. With many segments, this happens by chance too.
    """

    column: str
    metric: str
    best: str
    worst: str
    size: float
    beyond_chance: bool


def segment_evaluations(
    problem_type: ProblemType,
    y_true: Array,
    prediction: Prediction,
    columns: Mapping[str, Array],
    threshold: float | None = None,
    minority_class: int | None = None,
    ordered: bool = False,
    weights: Array | None = None,
    groups: Array | None = None,
    loss_metrics: Sequence[str] = (),
    seed: int = 42,
) -> list[SegmentEvaluation]:
    """Evaluate each segment of each column at the threshold of the whole, the largest segment of a column first.

    Args:
        problem_type: Decides the metrics.
        y_true: Shape (n,): class codes or values.
        prediction: The predictions for the same rows.
        columns: By name, the value of each row as text: shape (n,).
        threshold: The threshold of the whole split, see `split_evaluation`.
        minority_class: The rarer class of the whole split.
        ordered: Whether the classes have an order.
        weights: Shape (n,): sample weights; rows of weight 0 are left out. None weights all rows equally.
        groups: Shape (n,): the group of each row, which the intervals draw as a whole; None if rows are independent.
        loss_metrics: Regression only: deviances and pinball losses to report too.
        seed: Seed of the intervals.
    """
    if weights is not None and not weights.all():
        columns = {column: values[weights > 0] for column, values in columns.items()}
        groups = None if groups is None else groups[weights > 0]
        y_true, prediction, weights = counted(y_true, prediction, weights)
    found = []
    for column, values in columns.items():
        names, counts = np.unique(values.astype(str), return_counts=True)
        for name in names[np.argsort(-counts, kind="stable")]:
            rows = np.flatnonzero(values.astype(str) == name)
            own, weight = prediction.at(rows), None if weights is None else weights[rows]
            of = split_evaluation(
                problem_type,
                y_true[rows],
                own,
                threshold,
                minority_class,
                ordered=ordered,
                weights=weight,
                loss_metrics=loss_metrics,
            )
            small = _is_small(problem_type, y_true[rows], np.unique(y_true))
            found.append(
                SegmentEvaluation(
                    column=column,
                    segment=str(name),
                    n_rows=len(rows),
                    is_small=small,
                    metrics=of.metrics,
                    not_computable=of.not_computable,
                    intervals={}
                    if small
                    else bootstrap_intervals(
                        problem_type,
                        y_true[rows],
                        own,
                        threshold,
                        ordered=ordered,
                        weights=weight,
                        groups=None if groups is None else groups[rows],
                        loss_metrics=loss_metrics,
                        seed=seed,
                    ),
                )
            )
    return found


def gaps(segments: Sequence[SegmentEvaluation], metric: str, problem_type: ProblemType) -> list[Gap]:
    """Compare the segments of each column that are large enough; a column with fewer than two has no gap.

    Args:
        segments: Segments of any number of columns.
        metric: A name of `measures`.
        problem_type: The problem type of the model.
    """
    measure = measures.measure(metric, problem_type)
    if measure is None:
        return []
    found = []
    for column in dict.fromkeys(one.column for one in segments):
        of = [one for one in segments if one.column == column and not one.is_small and measure.name in one.metrics]
        if len(of) < 2:
            continue
        ranked = sorted(of, key=lambda one: one.metrics[measure.name], reverse=measure.greater_is_better)
        best, worst = ranked[0], ranked[-1]
        found.append(
            Gap(
                column=column,
                metric=measure.name,
                best=best.segment,
                worst=worst.segment,
                size=abs(best.metrics[measure.name] - worst.metrics[measure.name]),
                beyond_chance=_apart(best.intervals.get(measure.name), worst.intervals.get(measure.name)),
            )
        )
    return found


def _is_small(problem_type: ProblemType, y_true: Array, classes: Array) -> bool:
    if len(y_true) < MINIMUM_ROWS:
        return True
    if problem_type == "regression":
        return False
    return bool(min(np.count_nonzero(y_true == code) for code in classes) < MINIMUM_ROWS_OF_A_CLASS)


def _apart(one: Interval | None, other: Interval | None) -> bool:
    return one is not None and other is not None and (one.high < other.low or other.high < one.low)
