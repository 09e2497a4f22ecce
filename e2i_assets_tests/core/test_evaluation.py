"""Evaluation: each metric has its textbook definition, and an undefined metric is absent with its reason."""

import json
import math

import numpy as np
import pytest
from sklearn import metrics as reference
from sklearn.calibration import calibration_curve

from e2i_assets.core.errors import E2iError
from e2i_assets.core.evaluation import measures
from e2i_assets.core.evaluation.calibration import calibration_error, calibration_intercept, calibration_slope
from e2i_assets.core.evaluation.evaluation import (
    Evaluation,
    contract_metrics,
    evaluation,
    split_evaluation,
    split_metrics,
)
from e2i_assets.core.evaluation.thresholds import youden_threshold
from e2i_assets.core.metrics import METRICS, PROBLEM_TYPES, Array, Prediction, ProblemType


def rows(problem_type: ProblemType, seed: int = 0, n: int = 600) -> tuple[Array, Prediction]:
    random = np.random.default_rng(seed)
    if problem_type == "regression":
        y = random.gamma(2, 3, n)
        return y, Prediction(y + random.normal(0, 2, n))
    k = 2 if problem_type == "binary_classification" else 4
    y = random.integers(0, k, n)
    scores = random.dirichlet(np.ones(k), n) + 0.3 * np.eye(k)[y]
    scores /= scores.sum(axis=1, keepdims=True)
    return y, Prediction(scores.argmax(axis=1), scores)


@pytest.mark.parametrize("problem_type", PROBLEM_TYPES)
def test_a_metric_has_the_same_value_in_the_study_and_the_evaluation(problem_type: ProblemType) -> None:
    """A metric name has one definition."""
    y, prediction = rows(problem_type)
    reported = split_metrics(problem_type, y, prediction, ordered=True)
    for name, metric in METRICS[problem_type].items():
        measure = measures.measure(name, problem_type)
        assert measure is not None
        assert reported[measure.name] == pytest.approx(metric.score(y, prediction), abs=1e-12)
        assert measure.greater_is_better == metric.greater_is_better


def test_the_binary_metrics_are_the_textbook_ones() -> None:
    y, prediction = rows("binary_classification")
    labels, scores = (prediction.scores[:, 1] >= 0.3).astype(int), prediction.scores[:, 1]  # type: ignore[index]
    reported = split_metrics("binary_classification", y, prediction, threshold=0.3)
    expected = {
        "f1_score": reference.f1_score(y, labels),
        "f1_macro": reference.f1_score(y, labels, average="macro"),
        "f1_weighted": reference.f1_score(y, labels, average="weighted"),
        "precision_class_0": reference.precision_score(y, labels, pos_label=0),
        "recall_class_0": reference.recall_score(y, labels, pos_label=0),
        "precision_class_1": reference.precision_score(y, labels),
        "recall_class_1": reference.recall_score(y, labels),
        "false_positive_rate": labels[y == 0].mean(),
        "balanced_accuracy": reference.balanced_accuracy_score(y, labels),
        "roc_auc": reference.roc_auc_score(y, scores),
        "brier_score": reference.brier_score_loss(y, scores),
        "precision_at_100": y[np.argsort(-scores)[:100]].mean(),
    }
    assert {name: reported[name] for name in expected} == pytest.approx(expected)


def test_the_multiclass_metrics_are_the_textbook_ones() -> None:
    """One-vs-rest over the whole probability matrix."""
    y, prediction = rows("multiclass_classification")
    reported = split_metrics("multiclass_classification", y, prediction)
    expected = {
        "precision_macro": reference.precision_score(y, prediction.labels, average="macro"),
        "recall_macro": reference.recall_score(y, prediction.labels, average="macro"),
        "f1_macro": reference.f1_score(y, prediction.labels, average="macro"),
        "roc_auc": reference.roc_auc_score(y, prediction.scores, multi_class="ovr", average="macro"),
    }
    assert {name: reported[name] for name in expected} == pytest.approx(expected)


def test_a_constant_classifier_has_a_roc_auc_of_one_half() -> None:
    y = np.array([0, 1] * 50)
    constant = Prediction(np.ones(100, dtype=int), np.tile([0.1, 0.9], (100, 1)))
    assert split_metrics("binary_classification", y, constant)["roc_auc"] == 0.5


def test_the_regression_metrics_are_the_textbook_ones() -> None:
    y, prediction = rows("regression")
    assert split_metrics("regression", y, prediction) == pytest.approx(
        {
            "mse": reference.mean_squared_error(y, prediction.labels),
            "rmse": reference.root_mean_squared_error(y, prediction.labels),
            "mae": reference.mean_absolute_error(y, prediction.labels),
            "mape": reference.mean_absolute_percentage_error(y, prediction.labels),
            "r2": reference.r2_score(y, prediction.labels),
        }
    )


def test_the_calibration_error_is_the_gap_to_the_observed_share() -> None:
    y, prediction = rows("binary_classification")
    positive = prediction.scores[:, 1]  # type: ignore[index]
    observed, predicted = calibration_curve(y, positive, n_bins=10)
    sizes = np.histogram(positive, bins=np.linspace(0, 1, 11))[0]
    expected = np.sum(np.abs(observed - predicted) * sizes[sizes > 0]) / len(y)
    assert calibration_error(y, prediction.scores) == pytest.approx(expected)  # type: ignore[arg-type]


def test_a_confident_model_is_calibrated_only_if_it_is_right() -> None:
    y = np.array([0, 1, 2, 1])
    assert calibration_error(y, np.eye(3)[y]) == 0
    assert calibration_error(y, np.eye(3)[(y + 1) % 3]) == 1


def test_the_calibration_slope_is_that_of_an_unpenalised_regression_on_the_log_odds() -> None:
    """Cox (1958); statsmodels fits the same model by another method."""
    from statsmodels.api import Logit, add_constant

    y, prediction = rows("binary_classification")
    positive = prediction.scores[:, 1]  # type: ignore[index]
    odds = np.log(positive / (1 - positive))
    expected = Logit(y, add_constant(odds)).fit(disp=0).params[1]
    assert calibration_slope(y, prediction.scores) == pytest.approx(expected, rel=1e-3)  # type: ignore[arg-type]


def test_calibrated_probabilities_have_slope_one_and_doubled_log_odds_slope_one_half() -> None:
    random = np.random.default_rng(0)
    odds = random.normal(0, 1.5, 50_000)
    y = (random.random(50_000) < 1 / (1 + np.exp(-odds))).astype(int)
    said = [1 / (1 + np.exp(-times * odds)) for times in (1, 2)]
    slopes = [calibration_slope(y, np.column_stack([1 - one, one])) for one in said]
    assert slopes == pytest.approx([1, 0.5], abs=0.03)


def test_the_calibration_intercept_is_how_far_the_log_odds_are_too_low() -> None:
    random = np.random.default_rng(0)
    odds = random.normal(-1, 1, 20_000)
    y = (random.random(20_000) < 1 / (1 + np.exp(-odds))).astype(int)
    said = [1 / (1 + np.exp(shift - odds)) for shift in (0, 0.7)]
    found = [calibration_intercept(y, np.column_stack([1 - one, one])) for one in said]
    assert found == pytest.approx([0, 0.7], abs=0.04)
    assert calibration_intercept(np.ones(3), np.full((3, 2), 0.5)) is None


@pytest.mark.parametrize(
    ("y", "positive"),
    [([0, 0, 0], [0.1, 0.2, 0.3]), ([0, 1, 1], [0.5, 0.5, 0.5]), ([0, 1, 1], [0.1, 0.8, 0.9]), ([1, 0], [0.0, 1.0])],
)
def test_without_a_finite_slope_the_calibration_slope_is_absent(y: list[int], positive: list[float]) -> None:
    scores = np.column_stack([1 - np.array(positive), positive])
    assert calibration_slope(np.array(y), scores) is None


def test_minority_recall_is_reported_at_one_half_and_at_the_threshold() -> None:
    y, prediction = rows("binary_classification")
    split = split_evaluation("binary_classification", y, prediction, threshold=0.2, minority_class=1)
    at_half = split_evaluation("binary_classification", y, prediction, minority_class=1)
    assert split.metrics["minority_recall_at_05"] == at_half.metrics["minority_recall"]
    assert split.metrics["minority_recall"] > split.metrics["minority_recall_at_05"]


def edge_cases() -> list[tuple[str, ProblemType, Array, Prediction]]:
    even = np.full((20, 2), 0.5)
    y3, prediction3 = rows("multiclass_classification", n=20)
    return [
        ("no positive", "binary_classification", np.zeros(20, int), Prediction(np.arange(20) % 2, even)),
        ("no negative", "binary_classification", np.ones(20, int), Prediction(np.zeros(20, int), even)),
        ("nobody called positive", "binary_classification", np.arange(20) % 2, Prediction(np.zeros(20, int), even)),
        ("no probabilities", "binary_classification", np.arange(20) % 2, Prediction(np.arange(20) % 2)),
        ("one row", "binary_classification", np.array([1]), Prediction(np.array([1]), np.array([[0.0, 1.0]]))),
        ("a class is missing", "multiclass_classification", np.minimum(y3, 2), prediction3),
        ("one class of four", "multiclass_classification", np.zeros(20, int), prediction3),
        ("labels only", "multiclass_classification", y3, Prediction(prediction3.labels)),
        ("constant target", "regression", np.full(20, 3.0), Prediction(np.arange(20.0))),
        ("a target of zero", "regression", np.arange(20.0), Prediction(np.arange(20.0) + 1)),
        ("one row", "regression", np.array([0.0]), Prediction(np.array([1.0]))),
    ]


@pytest.mark.parametrize(("case", "problem_type", "y", "prediction"), edge_cases())
def test_each_metric_is_a_finite_number_or_has_a_reason(
    case: str, problem_type: ProblemType, y: Array, prediction: Prediction
) -> None:
    """No metric is NaN or missing without a reason."""
    split = split_evaluation(problem_type, y, prediction)
    assert split.metrics.keys() | split.not_computable.keys() == set(measures.names(problem_type))
    assert not split.metrics.keys() & split.not_computable.keys()
    assert split.not_computable
    assert all(math.isfinite(value) for value in split.metrics.values())
    assert all(split.not_computable.values()), case


def test_metrics_that_need_both_classes_are_not_computed_on_one() -> None:
    split = split_evaluation("binary_classification", *edge_cases()[0][2:])
    assert {"roc_auc", "pr_auc", "recall", "balanced_accuracy", "f1_macro"} <= split.not_computable.keys()
    assert {"accuracy", "brier_score", "log_loss", "false_positive_rate"} <= split.metrics.keys()
    assert split.not_computable["recall"] == "no row is of class 1"


def test_precision_at_k_is_skipped_with_fewer_than_k_rows() -> None:
    split = split_evaluation("binary_classification", *rows("binary_classification", n=500))
    assert {"precision_at_100", "precision_at_500"} <= split.metrics.keys()
    assert split.not_computable["precision_at_1000"] == "there are only 500 rows"


def test_the_minority_class_is_defined_by_the_train_rows() -> None:
    y, prediction = rows("binary_classification")
    split = split_evaluation("binary_classification", y, prediction, minority_class=0)
    assert split.metrics["minority_recall"] == split.metrics["recall_class_0"]


def test_the_confusion_matrix_uses_the_threshold() -> None:
    y = np.array([0, 0, 0, 1, 1, 1])
    positive = np.array([0.1, 0.4, 0.9, 0.2, 0.4, 0.8])
    prediction = Prediction((positive > 0.5).astype(int), np.column_stack([1 - positive, positive]))
    matrix = split_evaluation("binary_classification", y, prediction, threshold=0.4).confusion_matrix
    assert matrix is not None
    assert matrix.model_dump() == {"TP": 2, "TN": 1, "FP": 2, "FN": 1}
    y3, prediction3 = rows("multiclass_classification")
    split = split_evaluation("multiclass_classification", y3, prediction3)
    assert split.confusion == reference.confusion_matrix(y3, prediction3.labels).tolist()


@pytest.mark.parametrize(
    ("problem_type", "prediction", "threshold"),
    [
        ("regression", Prediction(np.array([1.0, np.nan])), None),
        ("regression", Prediction(np.array([1.0])), None),
        ("regression", Prediction(np.array([1.0, 2.0])), 0.5),
        ("binary_classification", Prediction(np.array([0, 1]), np.array([[0.5, np.inf], [0.5, 0.5]])), None),
        ("binary_classification", Prediction(np.array([0, 1]), np.array([0.5, 0.5])), None),
        ("binary_classification", Prediction(np.array([0, 1])), 0.5),
    ],
)
def test_a_prediction_of_the_wrong_shape_is_an_error(
    problem_type: ProblemType, prediction: Prediction, threshold: float | None
) -> None:
    with pytest.raises(E2iError):
        split_metrics(problem_type, np.array([0, 1]), prediction, threshold)


@pytest.mark.parametrize("problem_type", PROBLEM_TYPES)
def test_a_report_card_survives_json_and_fits_the_contract(problem_type: ProblemType) -> None:
    of = {role: rows(problem_type, seed) for seed, role in enumerate(["train", "validation", "test"])}
    card = evaluation(problem_type, of, seed=1, n_resamples=50)
    assert Evaluation.model_validate(json.loads(card.model_dump_json())) == card
    assert contract_metrics(card.splits["validation"]).all_metrics == card.splits["validation"].metrics


def test_the_threshold_of_validation_is_used_unchanged_on_every_split() -> None:
    """Other test rows do not change the threshold, and the metrics at 0.5 are stored as well."""
    of = {role: rows("binary_classification", seed) for seed, role in enumerate(["validation", "test"])}
    y, prediction = of["validation"]
    assert prediction.scores is not None
    threshold = youden_threshold(y, prediction.scores)
    card = evaluation("binary_classification", of, threshold=threshold, n_resamples=50)
    assert card.threshold == threshold
    for role, (truth, predicted) in of.items():
        assert card.splits[role].metrics == split_metrics("binary_classification", truth, predicted, threshold)
        assert card.at_predicted_labels[role].metrics == split_metrics("binary_classification", truth, predicted)
    assert card.intervals["recall"].low < card.splits["test"].metrics["recall"] < card.intervals["recall"].high
