"""Segments: each has the metrics of its own rows; small segments are marked and not compared."""

import numpy as np
import pytest

from e2i_assets.core.evaluation.evaluation import split_evaluation
from e2i_assets.core.evaluation.segments import MINIMUM_ROWS, SegmentEvaluation, gaps, segment_evaluations
from e2i_assets.core.metrics import Array, Prediction


def rows(n: int = 600) -> tuple[Array, Prediction, Array]:
    """Return the rows of two large regions, one of which the model predicts well, and of a small one."""
    random = np.random.default_rng(0)
    region = np.array(["north"] * (n // 2) + ["south"] * (n // 2 - 10) + ["island"] * 10)
    y = random.integers(0, 2, n)
    signal = np.where(region == "north", 2.0 * y, 0.0) + random.normal(0, 0.5, n)
    positive = 1 / (1 + np.exp(-(signal - 1)))
    return y, Prediction((positive > 0.5).astype(int), np.column_stack([1 - positive, positive])), region


def found(threshold: float | None = 0.4) -> dict[str, SegmentEvaluation]:
    y, prediction, region = rows()
    of = segment_evaluations("binary_classification", y, prediction, {"region": region}, threshold, 1)
    return {one.segment: one for one in of}


def test_a_segment_has_the_metrics_of_its_own_rows_at_the_overall_threshold() -> None:
    y, prediction, region = rows()
    south = region == "south"
    own = Prediction(prediction.labels[south], prediction.scores[south])  # type: ignore[index]
    expected = split_evaluation("binary_classification", y[south], own, 0.4, 1)
    assert found()["south"].metrics == expected.metrics
    assert found()["south"].not_computable == expected.not_computable
    assert sum(one.n_rows for one in found().values()) == len(y)


def test_the_largest_segment_comes_first_and_the_same_seed_gives_the_same_intervals() -> None:
    assert list(found()) == ["north", "south", "island"]
    assert found() == found()
    north = found()["north"]
    assert north.intervals["roc_auc"].low < north.metrics["roc_auc"] < north.intervals["roc_auc"].high


def test_a_small_segment_is_marked_and_has_no_interval_and_no_comparison() -> None:
    segments = list(found().values())
    assert [one.is_small for one in segments] == [False, False, True]
    assert segments[2].intervals == {}
    (gap,) = gaps(segments, "roc_auc", "binary_classification")
    assert (gap.column, gap.best, gap.worst) == ("region", "north", "south")
    assert gap.size == segments[0].metrics["roc_auc"] - segments[1].metrics["roc_auc"]
    assert gap.beyond_chance


def test_a_large_segment_with_few_positive_rows_is_marked_small() -> None:
    y = np.array([1] * 100 + [0] * 197 + [1] * 3)
    even = Prediction(np.zeros(300, int), np.full((300, 2), 0.5))
    part = np.array(["a"] * 100 + ["b"] * 200)
    assert [one.is_small for one in segment_evaluations("binary_classification", y, even, {"part": part})] == [
        True,
        True,
    ]


def test_an_error_metric_is_best_when_smallest_and_equal_segments_do_not_differ() -> None:
    random = np.random.default_rng(1)
    y, part = random.normal(0, 1, 400), np.array(["a", "b"] * 200)
    of = segment_evaluations("regression", y, Prediction(y + random.normal(0, 1, 400)), {"part": part})
    (gap,) = gaps(of, "rmse", "regression")
    values = {one.segment: one.metrics["rmse"] for one in of}
    assert gap.best == min(values, key=lambda name: values[name])
    assert not gap.beyond_chance


@pytest.mark.parametrize("size", [MINIMUM_ROWS - 1, MINIMUM_ROWS])
def test_a_single_segment_has_no_gap(size: int) -> None:
    y = np.arange(float(size))
    of = segment_evaluations("regression", y, Prediction(y + 1), {"part": np.array(["a"] * size)})
    assert [one.is_small for one in of] == [size < MINIMUM_ROWS]
    assert gaps(of, "rmse", "regression") == []
