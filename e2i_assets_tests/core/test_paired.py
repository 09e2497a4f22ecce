"""The paired interval of two models on the same rows: it covers the true difference, and is that of the literature."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from e2i_assets.core.evaluation.intervals import bootstrap_intervals
from e2i_assets.core.evaluation.measures import Measure
from e2i_assets.core.evaluation.paired import Contender, Method, PairedRows, paired_gain, paired_interval
from e2i_assets.core.metrics import Array, Prediction

AUC = Measure("roc_auc", low=0.5)
Interval = tuple[float, float, Method]
RMSE = Measure("rmse", greater_is_better=False)


def scored(score: Array) -> Contender:
    """Return a binary model with these scores of class 1, decided at 0.5."""
    positive = 1 / (1 + np.exp(-score))
    return Contender(Prediction((positive >= 0.5).astype(int), np.column_stack([1 - positive, positive])), 0.5)


def auc_interval(draws: np.random.Generator, n: int, shifts: tuple[float, float]) -> Interval:
    """Return the interval for two binormal scores; their AUCs are the normal distribution at shift / sqrt 2."""
    truth = (np.arange(n) % 3 == 0).astype(int)
    shared = draws.normal(size=n)
    models = [scored(0.7 * shared + 0.51**0.5 * draws.normal(size=n) + shift * truth) for shift in shifts]
    rows = PairedRows(problem_type="binary_classification", truth=truth)
    found = paired_interval(rows, AUC, models[0], models[1], seed=1)
    assert found is not None
    return found


def covered(intervals: list[Interval], true: float) -> float:
    return float(np.mean([low <= true <= high for low, high, _ in intervals]))


def test_the_delong_interval_covers_the_true_gain_in_95_percent_of_the_simulations() -> None:
    draws = np.random.default_rng(0)
    found = [auc_interval(draws, 150, (1.2, 0.9)) for _ in range(1000)]
    assert {method for _, _, method in found} == {"DeLong"}
    assert 0.93 <= covered(found, float(norm.cdf(1.2 / 2**0.5) - norm.cdf(0.9 / 2**0.5))) <= 0.97


@pytest.mark.parametrize("people", [40, 80])
def test_the_paired_jackknife_of_groups_covers_where_that_of_rows_does_not(people: int) -> None:
    draws = np.random.default_rng(0)
    groups = np.repeat(np.arange(people), 5)
    found: dict[bool, list[Interval]] = {True: [], False: []}
    for _ in range(1000):
        shared, own = draws.normal(size=people)[groups], draws.normal(size=people)[groups]
        models = [Contender(Prediction(shared + scale * own)) for scale in (0.5, 0.8)]
        truth = shared + 0.1 * draws.normal(size=len(groups))
        for grouped, intervals in found.items():
            rows = PairedRows(problem_type="regression", truth=truth, groups=groups if grouped else None)
            interval = paired_interval(rows, RMSE, models[0], models[1], seed=1)
            assert interval is not None
            intervals.append(interval)
    true = (0.8**2 + 0.01) ** 0.5 - (0.5**2 + 0.01) ** 0.5
    assert {method for _, _, method in found[True]} == {"paired jackknife of groups"}
    assert 0.93 <= covered(found[True], true) <= 0.97
    assert covered(found[False], true) < 0.75


@pytest.mark.parametrize("metric", ["f1_score", "pr_auc"])
def test_the_interval_of_more_rows_than_blocks_covers_the_true_gain(metric: str) -> None:
    draws, n_samples, n_rows = np.random.default_rng(0), 400, 300
    shared, own, noise = (draws.normal(size=n_samples * n_rows) for _ in range(3))
    truth = (shared + noise > 0.7).astype(int)
    models = [scored(scale * shared + 0.5 * own - 1) for scale in (1.5, 1.0)]

    def interval(rows: Array) -> Interval:
        parts = [Contender(model.prediction.at(rows), model.threshold) for model in models]
        on = PairedRows(problem_type="binary_classification", truth=truth[rows])
        found = paired_interval(on, Measure(metric), *parts, seed=1)
        assert found is not None
        return found

    low, high, _ = interval(np.arange(len(truth)))
    samples = [interval(rows) for rows in np.split(np.arange(len(truth)), n_samples)]
    assert 0.92 <= covered(samples, (low + high) / 2) <= 0.98  # three standard errors


def test_a_metric_that_is_undefined_without_one_group_has_no_interval() -> None:
    truth = np.array([0, 0, 1, 1])
    rows = PairedRows(problem_type="binary_classification", truth=truth, groups=np.array([1, 1, 2, 2]))
    models = [scored(np.array(score, dtype=float)) for score in ([0, 1, 2, 3], [3, 2, 1, 0])]
    found = paired_gain(rows, AUC, *models, seed=1)
    assert found is not None
    assert (found.gain, found.low, found.method) == (1.0, None, None)


def test_the_delong_interval_is_that_of_the_definition() -> None:
    draws = np.random.default_rng(4)
    truth = draws.integers(0, 2, 60)
    scores = [np.round(truth + draws.normal(size=60), 1) for _ in range(2)]  # with ties
    rows = PairedRows(problem_type="binary_classification", truth=truth)
    found = paired_gain(rows, AUC, scored(scores[0]), scored(scores[1]), seed=1)
    assert found is not None
    wins = [
        (score[truth == 1][:, None] > score[truth == 0]) + 0.5 * (score[truth == 1][:, None] == score[truth == 0])
        for score in scores
    ]
    by_ones, by_zeros = (np.array([one.mean(axis=axis) for one in wins]) for axis in (1, 0))
    covariance = np.cov(by_ones) / by_ones.shape[1] + np.cov(by_zeros) / by_zeros.shape[1]
    deviation = (covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]) ** 0.5
    assert found.gain == pytest.approx(roc_auc_score(truth, scores[0]) - roc_auc_score(truth, scores[1]))
    assert found.high is not None
    assert found.high - found.gain == pytest.approx(norm.ppf(0.975) * deviation)


def test_rows_of_weight_0_do_not_count_and_the_threshold_of_each_model_decides() -> None:
    draws = np.random.default_rng(5)
    truth = draws.integers(0, 2, 300)
    one, other = (scored(truth + draws.normal(size=300)) for _ in range(2))
    other = Contender(other.prediction, 0.7)
    weights = draws.integers(0, 3, 300).astype(float)
    kept = weights > 0
    parts = [Contender(model.prediction.at(kept), model.threshold) for model in (one, other)]
    accuracy = Measure("accuracy")
    every = PairedRows(problem_type="binary_classification", truth=truth, weights=weights)
    counted = PairedRows(problem_type="binary_classification", truth=truth[kept], weights=weights[kept])
    whole = paired_gain(every, accuracy, one, other, seed=1)
    assert whole is not None
    assert whole == paired_gain(counted, accuracy, *parts, seed=1)
    assert whole != paired_gain(every, accuracy, one, Contender(other.prediction, 0.5), seed=1)


def test_the_interval_of_a_metric_is_wider_when_the_rows_of_a_group_are_alike() -> None:
    draws = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 5)
    error = draws.normal(size=40)[groups]
    truth, prediction = np.zeros(200), Prediction(error)
    alone, together = (
        bootstrap_intervals("regression", truth, prediction, seed=1, groups=of)["rmse"] for of in (None, groups)
    )
    assert together.high - together.low > 1.8 * (alone.high - alone.low)
