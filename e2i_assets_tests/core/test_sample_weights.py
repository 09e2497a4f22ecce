"""Sample weights in metrics, intervals, thresholds, calibration and importances: equal weights change nothing."""

import numpy as np
import pandas as pd
import pytest

from e2i_assets.core.automation.champion import compared
from e2i_assets.core.errors import E2iError
from e2i_assets.core.evaluation.calibration import calibration_error, calibration_slope
from e2i_assets.core.evaluation.evaluation import evaluation, split_evaluation, split_metrics
from e2i_assets.core.evaluation.intervals import bootstrap_intervals
from e2i_assets.core.evaluation.measures import measure
from e2i_assets.core.evaluation.paired import Contender, PairedRows
from e2i_assets.core.evaluation.segments import segment_evaluations
from e2i_assets.core.evaluation.thresholds import precision_at, youden_threshold
from e2i_assets.core.evaluation.weighted_metrics import weighted_metrics
from e2i_assets.core.metrics import METRICS, PROBLEM_TYPES, Array, Prediction, ProblemType, default_metric, metric
from e2i_assets.core.permutation import permutation_importances
from e2i_assets.core.plots.evaluation import pictures

N = 260


def rows(problem_type: ProblemType, seed: int = 0) -> tuple[Array, Prediction]:
    random = np.random.default_rng(seed)
    if problem_type == "regression":
        truth = random.gamma(2, 3, N)
        return truth, Prediction(truth + random.normal(0, 2, N))
    k = 2 if problem_type == "binary_classification" else 4
    truth = random.integers(0, k, N)
    scores = (random.dirichlet(np.ones(k), N) + 0.3 * np.eye(k)[truth]).round(2)
    scores /= scores.sum(axis=1, keepdims=True)
    return truth, Prediction(scores.argmax(axis=1), scores)


def repeats(seed: int = 1) -> Array:
    """Whole weights, some of them 0."""
    return np.random.default_rng(seed).integers(0, 4, N)


def threshold(problem_type: ProblemType) -> float | None:
    return 0.4 if problem_type == "binary_classification" else None


@pytest.mark.parametrize("problem_type", PROBLEM_TYPES)
def test_equal_weights_change_no_metric_and_no_interval(problem_type: ProblemType) -> None:
    truth, prediction = rows(problem_type)
    plain = evaluation(problem_type, {"test": (truth, prediction)}, threshold=threshold(problem_type), ordered=True)
    same = evaluation(
        problem_type,
        {"test": (truth, prediction)},
        threshold=threshold(problem_type),
        ordered=True,
        weights={"test": np.full(N, 0.37)},
    )
    assert same.splits["test"].metrics == pytest.approx(plain.splits["test"].metrics, rel=1e-9)
    assert same.splits["test"].confusion == plain.splits["test"].confusion
    assert same.splits["test"].effective_rows == pytest.approx(N)
    assert plain.splits["test"].effective_rows is None
    for name, interval in plain.intervals.items():
        assert (same.intervals[name].low, same.intervals[name].high) == pytest.approx(
            (interval.low, interval.high), rel=1e-9
        )


@pytest.mark.parametrize("problem_type", PROBLEM_TYPES)
def test_a_whole_weight_equals_repeated_rows_in_every_metric(problem_type: ProblemType) -> None:
    """Except for precision at k, in which k is a number of rows."""
    truth, prediction = rows(problem_type)
    times = repeats()
    copies = np.repeat(np.arange(N), times)
    options = {"threshold": threshold(problem_type), "minority_class": 1, "ordered": True}
    weighted = split_evaluation(problem_type, truth, prediction, weights=times.astype(float), **options)
    repeated = split_evaluation(problem_type, truth[copies], prediction.at(copies), **options)
    kept = {name: value for name, value in repeated.metrics.items() if not name.startswith("precision_at_")}
    assert {name: weighted.metrics[name] for name in kept} == pytest.approx(kept, rel=1e-9)
    assert weighted.n_rows == N
    once = weighted_metrics(problem_type, truth, prediction, threshold(problem_type), ordered=True)
    assert {name: values[0] for name, values in once(0.01 * times[None]).items()} == pytest.approx(
        {name: kept[name] for name in once(times[None])}, rel=1e-9
    )


@pytest.mark.parametrize("problem_type", PROBLEM_TYPES)
def test_a_whole_weight_equals_repeated_rows_in_every_optimised_metric(problem_type: ProblemType) -> None:
    truth, prediction = rows(problem_type)
    copies = np.repeat(np.arange(N), repeats())
    for one in METRICS[problem_type].values():
        expected = one.score(truth[copies], prediction.at(copies))
        assert one.score(truth, prediction, 5.0 * repeats()) == pytest.approx(expected, rel=1e-9), one.name
        assert one.quick_score(truth, prediction, 5.0 * repeats()) == pytest.approx(expected, rel=1e-9), one.name


def test_a_row_without_weight_counts_as_absent() -> None:
    truth = np.array([0, 1, 0, 1, 2])
    scores = np.full((5, 3), 1 / 3)
    prediction = Prediction(np.array([0, 1, 1, 1, 0]), scores)
    weights = np.array([1.0, 1, 1, 1, 0])
    of = split_evaluation("multiclass_classification", truth, prediction, weights=weights)
    assert of.metrics["accuracy"] == 0.75
    assert of.not_computable["roc_auc"] == "no row is of class 2"
    assert (of.n_rows, of.effective_rows) == (5, 4.0)
    with pytest.raises(E2iError, match="all 5 rows have the weight 0"):
        split_evaluation("multiclass_classification", truth, prediction, weights=np.zeros(5))


def test_the_threshold_and_the_calibration_use_the_weights() -> None:
    truth, prediction = rows("binary_classification")
    assert prediction.scores is not None
    copies, scores, weights = np.repeat(np.arange(N), repeats()), prediction.scores, repeats().astype(float)
    present = weights > 0
    assert youden_threshold(truth, scores, weights) == youden_threshold(truth[copies], scores[copies])
    assert youden_threshold(truth, scores, weights) != youden_threshold(truth, scores)
    assert calibration_error(truth, scores, weights) == pytest.approx(calibration_error(truth[copies], scores[copies]))
    assert calibration_slope(truth[present], scores[present], weights[present]) == pytest.approx(
        calibration_slope(truth[copies], scores[copies]), rel=1e-4
    )


def test_precision_at_k_is_the_weighted_share_of_k_rows() -> None:
    scores = np.array([[0.1, 0.9], [0.2, 0.8], [0.5, 0.5], [0.5, 0.5]])
    truth, weights = np.array([1, 0, 1, 0]), np.array([3.0, 1, 2, 2])
    assert precision_at(2, truth, scores, weights) == pytest.approx(0.75)
    # One of the two tied rows is the third: half of each.
    assert precision_at(3, truth, scores, weights) == pytest.approx((3 + 1) / (3 + 1 + 2))


def test_segments_use_their_own_weights() -> None:
    truth, prediction = rows("regression")
    weights, sides = repeats().astype(float), np.where(np.arange(N) % 2, "odd", "even")
    found = segment_evaluations("regression", truth, prediction, {"side": sides}, weights=weights)
    for one in found:
        of = sides == one.segment
        expected = split_metrics("regression", truth[of], prediction.at(of), weights=weights[of])
        assert one.metrics == pytest.approx(expected)
        assert one.intervals["rmse"].low < one.metrics["rmse"] < one.intervals["rmse"].high


def test_the_champion_is_compared_with_the_weights() -> None:
    """The challenger is right where the weight is, the champion everywhere else."""
    truth = np.random.default_rng(0).normal(size=N)
    heavy = np.arange(N) < 20
    weights = np.where(heavy, 100.0, 1.0)
    challenger, champion = Prediction(truth + 1.0 * ~heavy), Prediction(truth + 1.0 * heavy)
    rmse = measure("rmse", "regression")
    assert rmse is not None
    gains = [
        compared(
            PairedRows(problem_type="regression", truth=truth, weights=one),
            rmse,
            Contender(challenger),
            Contender(champion),
            0,
        )
        for one in (weights, None)
    ]
    assert gains[0] is not None
    assert gains[1] is not None
    assert gains[0].gain > 0 > gains[1].gain
    assert gains[0].gain_low is not None
    assert gains[0].gain_low > 0


class OfOneColumn:
    """Predicts the column ``a`` in the rows where ``heavy`` is 1, and ``b`` in the others."""

    classes_ = None

    def predict(self, table: pd.DataFrame) -> Array:
        return np.where(table["heavy"] == 1, table["a"], table["b"])


def test_the_importance_of_a_feature_is_that_in_the_weighted_rows() -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame({"a": random.normal(size=N), "b": random.normal(size=N), "heavy": np.arange(N) % 2})
    truth = OfOneColumn().predict(table)
    weights = np.where(table["heavy"] == 1, 1.0, 0.0)
    rmse = metric(default_metric("regression"), "regression")
    found = permutation_importances(OfOneColumn(), table, truth, rmse, 0, weights)  # type: ignore[arg-type]
    assert {one.feature: one.loss > 0 for one in found} == {"a": True, "b": False, "heavy": False}


def test_the_plots_draw_the_weighted_rows() -> None:
    truth, prediction = rows("binary_classification")
    plain, same, other = (
        pictures(truth, prediction, ("no", "yes"), None, weights)
        for weights in (None, np.full(N, 1.0), repeats().astype(float))
    )
    curves = {"roc_curve.png", "calibration_curve.png"}
    assert curves <= plain.keys()
    assert all(plain[name] == same[name] != other[name] for name in curves)


def test_intervals_are_wider_where_few_rows_carry_the_weight() -> None:
    truth, prediction = rows("regression")
    weights = np.where(np.arange(N) < 10, 50.0, 1.0)
    narrow, wide = (bootstrap_intervals("regression", truth, prediction, seed=0, weights=w) for w in (None, weights))
    assert wide["mae"].high - wide["mae"].low > 2 * (narrow["mae"].high - narrow["mae"].low)
