"""Bootstrap intervals: seeded, around the reported value, and defined when a resample lacks a class."""

import math
import time

import numpy as np
import pytest

from e2i_assets.core.evaluation.evaluation import split_metrics
from e2i_assets.core.evaluation.intervals import bootstrap_intervals
from e2i_assets.core.evaluation.weighted_metrics import weighted_metrics
from e2i_assets.core.metrics import Array, Prediction, ProblemType


def binary(seed: int, n: int = 300, share: float = 0.3) -> tuple[Array, Prediction]:
    random = np.random.default_rng(seed)
    y = (random.random(n) < share).astype(int)
    positive = np.clip(random.normal(0.3 + 0.3 * y, 0.2), 0.01, 0.99).round(2)
    return y, Prediction((positive > 0.5).astype(int), np.column_stack([1 - positive, positive]))


def multiclass(seed: int, n: int = 300) -> tuple[Array, Prediction]:
    random = np.random.default_rng(seed)
    y = random.choice(3, n, p=[0.6, 0.3, 0.1])
    scores = random.dirichlet([1, 1, 1], n).round(3) + np.eye(3)[y] * 0.5
    scores /= scores.sum(axis=1, keepdims=True)
    return y, Prediction(scores.argmax(axis=1), scores)


def regression(seed: int, n: int = 300) -> tuple[Array, Prediction]:
    random = np.random.default_rng(seed)
    y = random.gamma(2, 3, n)
    return y, Prediction(y + random.normal(0, 2, n))


PROBLEMS = {
    "binary_classification": binary,
    "multiclass_classification": multiclass,
    "regression": regression,
}


@pytest.mark.parametrize("problem_type", PROBLEMS)
@pytest.mark.parametrize("seed", range(3))
def test_the_original_sample_has_the_reported_metrics(problem_type: ProblemType, seed: int) -> None:
    """Interval and point estimate use the same formula at the same threshold."""
    y, prediction = PROBLEMS[problem_type](seed)
    threshold = 0.37 if problem_type == "binary_classification" else None
    once = weighted_metrics(problem_type, y, prediction, threshold)(np.ones((1, len(y))))
    reported = split_metrics(problem_type, y, prediction, threshold)
    assert {name: values[0] for name, values in once.items()} == pytest.approx({name: reported[name] for name in once})


@pytest.mark.parametrize("problem_type", PROBLEMS)
def test_a_weight_equals_repeated_rows(problem_type: ProblemType) -> None:
    y, prediction = PROBLEMS[problem_type](5)
    drawn = np.random.default_rng(0).integers(0, len(y), len(y))
    weights = np.bincount(drawn, minlength=len(y)).astype(float)[None]
    repeated = Prediction(prediction.labels[drawn], None if prediction.scores is None else prediction.scores[drawn])
    reported = split_metrics(problem_type, y[drawn], repeated)
    for name, values in weighted_metrics(problem_type, y, prediction, None)(weights).items():
        assert values[0] == pytest.approx(reported[name]), name


@pytest.mark.parametrize("problem_type", PROBLEMS)
def test_intervals_are_around_the_reported_number(problem_type: ProblemType) -> None:
    y, prediction = PROBLEMS[problem_type](1)
    threshold = 0.37 if problem_type == "binary_classification" else None
    reported = split_metrics(problem_type, y, prediction, threshold)
    intervals = bootstrap_intervals(problem_type, y, prediction, threshold, seed=3)
    assert len(intervals) >= 3
    for name, interval in intervals.items():
        assert interval.low < reported[name] < interval.high, name
        assert interval.n_resamples == 1000


def test_intervals_depend_on_the_threshold() -> None:
    y, prediction = binary(1)
    recall = [bootstrap_intervals("binary_classification", y, prediction, at, seed=3)["recall"] for at in (0.2, 0.7)]
    assert recall[1].high < recall[0].low


def test_intervals_depend_on_the_seed_only() -> None:
    y, prediction = binary(2)
    first, again, other = (bootstrap_intervals("binary_classification", y, prediction, seed=s) for s in (1, 1, 2))
    assert first == again != other


def test_resamples_without_a_class_are_excluded_and_counted() -> None:
    """With one positive row, more than a third of the resamples have none."""
    y = np.zeros(50, dtype=int)
    y[7] = 1
    _, prediction = binary(4, n=50)
    intervals = bootstrap_intervals("binary_classification", y, prediction, seed=0)
    assert all(math.isfinite(interval.low) and math.isfinite(interval.high) for interval in intervals.values())
    assert 580 < intervals["roc_auc"].n_resamples < 690
    assert intervals["accuracy"].n_resamples == 1000


@pytest.mark.parametrize("code", [0, 1])
def test_with_one_class_only_defined_metrics_have_an_interval(code: int) -> None:
    _, prediction = binary(4, n=50)
    intervals = bootstrap_intervals("binary_classification", np.full(50, code), prediction, seed=0)
    assert {"accuracy", "brier_score"} <= intervals.keys()
    assert not {"roc_auc", "balanced_accuracy"} & intervals.keys()


def test_a_constant_target_has_no_r2() -> None:
    intervals = bootstrap_intervals("regression", np.full(40, 0.1), Prediction(np.linspace(0, 1, 40)), seed=0)
    assert intervals.keys() == {"rmse", "mae"}


@pytest.mark.parametrize("problem_type", PROBLEMS)
def test_thirty_thousand_rows_take_seconds(problem_type: ProblemType) -> None:
    """The test rows of a table of 200,000 rows: 0.8 s for two classes, 2.4 s for three, 0.5 s for regression."""
    y, prediction = PROBLEMS[problem_type](0, n=30_000)
    started = time.process_time()
    bootstrap_intervals(problem_type, y, prediction, seed=0)
    assert time.process_time() - started < 8
