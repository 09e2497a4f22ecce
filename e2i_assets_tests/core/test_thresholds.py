"""The decision threshold of a binary model, and precision at k."""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from e2i_assets.core.errors import E2iError
from e2i_assets.core.evaluation.thresholds import DEFAULT_THRESHOLD, labels_at, precision_at, youden_threshold
from e2i_assets.core.metrics import Array


def both(positive_scores: Array) -> Array:
    return np.column_stack([1 - positive_scores, positive_scores])


def drawn(seed: int, n: int = 400, decimals: int = 2) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    y = random.integers(0, 2, n)
    return y, both(np.clip(random.normal(0.4 + 0.2 * y, 0.2), 0, 1).round(decimals))


@pytest.mark.parametrize("seed", range(5))
def test_the_threshold_is_where_the_roc_curve_is_furthest_from_chance(seed: int) -> None:
    y, scores = drawn(seed)
    fpr, tpr, _ = roc_curve(y, scores[:, 1], drop_intermediate=False)
    labels = labels_at(scores, youden_threshold(y, scores))
    assert labels[y == 1].mean() - labels[y == 0].mean() == pytest.approx((tpr - fpr).max())


@pytest.mark.parametrize(
    ("y", "positive_scores"),
    [
        ([0, 1, 0, 1], [0.3, 0.3, 0.3, 0.3]),
        ([1, 1, 1, 1], [0.1, 0.2, 0.3, 0.4]),
        ([0, 0, 0, 0], [0.1, 0.2, 0.3, 0.4]),
        ([1, 1, 0, 0], [0.1, 0.2, 0.3, 0.4]),
    ],
)
def test_without_a_threshold_better_than_chance_the_default_stays(y: list[int], positive_scores: list[float]) -> None:
    """The first threshold of the curve is infinite; with it, an all-negative prediction would win ties."""
    threshold = youden_threshold(np.array(y), both(np.array(positive_scores)))
    assert threshold == DEFAULT_THRESHOLD
    assert math.isfinite(threshold)


def test_the_threshold_of_a_perfect_ranking_is_its_lowest_positive_score() -> None:
    assert youden_threshold(np.array([0, 1, 0, 1]), both(np.array([0.1, 0.7, 0.2, 0.9]))) == 0.7


def test_non_finite_scores_give_no_threshold() -> None:
    with pytest.raises(E2iError, match="not finite"):
        youden_threshold(np.array([0, 1]), np.array([[0.5, 0.5], [np.nan, np.nan]]))


def test_a_score_at_the_threshold_is_predicted_positive() -> None:
    assert labels_at(both(np.array([0.2, 0.5, 0.7])), 0.5).tolist() == [0, 1, 1]


def test_precision_at_k_counts_the_k_highest_scores() -> None:
    y, scores = np.array([1, 0, 1, 0]), both(np.array([0.9, 0.8, 0.7, 0.1]))
    assert [precision_at(k, y, scores) for k in (1, 2, 3, 4)] == pytest.approx([1, 1 / 2, 2 / 3, 1 / 2])


def test_rows_tied_at_rank_k_count_by_their_share_in_any_order() -> None:
    y, scores = np.array([1, 1, 0, 0, 0]), both(np.array([0.9, 0.5, 0.5, 0.5, 0.5]))
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0]):
        assert precision_at(3, y[order], scores[order]) == pytest.approx((1 + 2 * 1 / 4) / 3)
