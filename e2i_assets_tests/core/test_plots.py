"""Plots of an evaluation: one for each defined curve, small, and without pyplot's global state."""

import sys

import numpy as np
import pytest

from e2i_assets.core.evaluation.evaluation import split_evaluation
from e2i_assets.core.metrics import Array, Prediction, ProblemType
from e2i_assets.core.plots.evaluation import pictures

CURVES = {"roc_curve.png", "precision_recall_curve.png", "calibration_curve.png", "confusion_matrix.png"}


def of_classes(k: int, n: int = 3000) -> tuple[Array, Prediction]:
    random = np.random.default_rng(0)
    y = random.integers(0, k, n)
    scores = random.dirichlet(np.ones(k), n) + np.eye(k)[y]
    scores /= scores.sum(axis=1, keepdims=True)
    return np.where(random.random(n) < 0.2, random.integers(0, k, n), y), Prediction(scores.argmax(axis=1), scores)


def drawn(problem_type: ProblemType, y: Array, prediction: Prediction, classes: list[str]) -> dict[str, bytes]:
    return pictures(y, prediction, classes, split_evaluation(problem_type, y, prediction).confusion)


def test_a_binary_model_has_its_curves_and_its_confusion_matrix() -> None:
    found = drawn("binary_classification", *of_classes(2), ["no", "yes"])
    assert set(found) == CURVES
    assert all(png.startswith(b"\x89PNG\r\n") for png in found.values())
    # They are stored in asset metadata, where a value should stay below 100 kB; base64 adds a third.
    assert max(map(len, found.values())) < 60_000


def test_a_multiclass_model_has_one_curve_for_each_class() -> None:
    found = drawn("multiclass_classification", *of_classes(15), [f"class {code}" for code in range(15)])
    assert set(found) == CURVES
    assert max(map(len, found.values())) < 75_000


def test_a_regression_has_a_residual_plot_for_any_number_of_rows() -> None:
    y = np.random.default_rng(0).gamma(2, 3, 50_000)
    found = drawn("regression", y, Prediction(y + 1), [])
    assert set(found) == {"residuals.png"}
    assert len(found["residuals.png"]) < 60_000


@pytest.mark.parametrize("code", [0, 1])
def test_plots_that_need_both_classes_are_not_drawn_for_one(code: int) -> None:
    _, prediction = of_classes(2, 50)
    assert set(drawn("binary_classification", np.full(50, code), prediction, ["no", "yes"])) == {"confusion_matrix.png"}


def test_without_probabilities_only_the_confusion_matrix_is_drawn() -> None:
    y, prediction = of_classes(2, 50)
    found = drawn("binary_classification", y, Prediction(prediction.labels), ["no", "yes"])
    assert set(found) == {"confusion_matrix.png"}


def test_equal_predictions_give_equal_plots_and_no_open_pyplot_figure() -> None:
    first, again = (drawn("binary_classification", *of_classes(2), ["no", "yes"]) for _ in range(2))
    assert first == again
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []
