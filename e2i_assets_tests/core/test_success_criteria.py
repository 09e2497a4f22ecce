"""Success criteria: accepted names, mistakes reported at once, and verdicts that never pass by accident."""

import math

import numpy as np
import pytest

from e2i_assets.core.errors import ExperimentInvalid
from e2i_assets.core.evaluation.evaluation import split_evaluation
from e2i_assets.core.evaluation.success_criteria import accepted_names, criteria, violations
from e2i_assets.core.evaluation.verdict import evaluated_criteria, results
from e2i_assets.core.metrics import METRICS, PROBLEM_TYPES, Prediction, ProblemType

PERFECT = {"roc_auc": 1.0, "f1_score": 1.0, "precision": 1.0, "recall": 1.0, "false_positive_rate": 0.0}


@pytest.mark.parametrize(
    ("problem_type", "name", "metric", "bound"),
    [
        ("binary_classification", "roc_auc", "roc_auc", "minimum"),
        ("binary_classification", "auc", "roc_auc", "minimum"),
        ("binary_classification", "minimum_auc", "roc_auc", "minimum"),
        ("binary_classification", "f1", "f1_score", "minimum"),
        ("binary_classification", "minimum_f1", "f1_score", "minimum"),
        ("binary_classification", "minimum_precision", "precision", "minimum"),
        ("binary_classification", "maximum_fpr", "false_positive_rate", "maximum"),
        ("binary_classification", "brier_score", "brier_score", "maximum"),
        ("binary_classification", "minimum_precision_at_100", "precision_at_100", "minimum"),
        ("binary_classification", "minimum_precision_at_k", "precision_at_k", "minimum"),
        ("multiclass_classification", "minimum_f1", "f1_weighted", "minimum"),
        ("multiclass_classification", "minimum_auc", "roc_auc", "minimum"),
        ("regression", "rmse", "rmse", "maximum"),
        ("regression", "minimum_rmse", "rmse", "maximum"),
        ("regression", "minimum_mape", "mape", "maximum"),
        ("regression", "maximum_mae", "mae", "maximum"),
        ("regression", "minimum_r2", "r2", "minimum"),
        ("regression", "minimum_lift_over_baseline", "lift_over_baseline", "minimum"),
    ],
)
def test_common_names_of_criteria_are_accepted(problem_type: ProblemType, name: str, metric: str, bound: str) -> None:
    """A minimum for a metric to minimise is a minimum of quality, hence a maximum of the metric."""
    (criterion,) = criteria({name: 0.6}, problem_type)
    assert (criterion.name, criterion.metric, criterion.bound, criterion.threshold) == (name, metric, bound, 0.6)


@pytest.mark.parametrize("problem_type", PROBLEM_TYPES)
def test_every_accepted_name_and_every_metric_of_a_study_can_be_a_criterion(problem_type: ProblemType) -> None:
    assert violations(dict.fromkeys(accepted_names(problem_type), 0.6), problem_type) == []
    assert set(METRICS[problem_type]) <= set(accepted_names(problem_type))


@pytest.mark.parametrize(
    ("name", "threshold", "says"),
    [
        ("minimum_aux", 0.7, "did you mean 'minimum_auc'"),
        ("rmse", 3.0, "is not one of"),
        ("minimum_rmse", 3.0, "is not one of"),
        ("maximum_auc", 0.7, "write minimum_auc"),
        ("minimum_auc", 75, "between 0.5 and 1"),
        ("minimum_auc", 0.3, "between 0.5 and 1"),
        ("minimum_auc", "0.7", "finite number"),
        ("minimum_auc", True, "finite number"),
        ("minimum_auc", math.nan, "finite number"),
        ("maximum_fpr", -0.1, "between 0 and 1"),
        ("lift_over_baseline", 0.1, "is not one of"),
        ("minimum_aux", None, "finite number"),
    ],
)
def test_a_mistake_is_rejected_with_the_allowed_values(name: str, threshold: object, says: str) -> None:
    (violation,) = violations({name: threshold}, "binary_classification")
    assert violation.where == name
    assert says in violation.rule


def test_all_mistakes_are_reported_at_once() -> None:
    with pytest.raises(ExperimentInvalid) as error:
        criteria({"minimum_auc": 0.8, "sharpness": 1, "maximum_fpr": 2}, "binary_classification")
    assert [violation.where for violation in error.value.violations] == ["sharpness", "maximum_fpr"]


def test_the_scoping_stage_output_is_read_and_null_entries_are_ignored() -> None:
    raw = {
        "experiment_id": "exp_1",
        "baseline_model": "majority",
        "minimum_auc": 0.75,
        "minimum_f1": 0.70,
        "minimum_rmse": None,
        "minimum_mape": None,
        "minimum_lift_over_baseline": 0.10,
    }
    names = [criterion.name for criterion in criteria(raw, "binary_classification")]
    assert names == ["minimum_auc", "minimum_f1", "minimum_lift_over_baseline"]


def test_a_perfect_model_meets_every_criterion() -> None:
    """The criteria use the metric names of the evaluation."""
    y = np.arange(1200) % 2
    perfect = split_evaluation("binary_classification", y, Prediction(y, np.eye(2)[y]), minority_class=1).metrics
    raw = dict.fromkeys(accepted_names("binary_classification"), 0.5)
    raw |= {"minimum_lift_over_baseline": 1.0, "minimum_lift_over_defaults": 0.1}
    dummy, defaults = {"roc_auc": 0.5}, {"roc_auc": 0.9}
    assert all(results(criteria(raw, "binary_classification"), perfect, dummy, defaults).values())


def test_thresholds_are_inclusive_in_both_directions() -> None:
    asked = criteria({"minimum_auc": 0.8, "maximum_fpr": 0.1}, "binary_classification")
    assert results(asked, {"roc_auc": 0.8, "false_positive_rate": 0.1}) == {"minimum_auc": True, "maximum_fpr": True}
    assert results(asked, {"roc_auc": 0.799, "false_positive_rate": 0.101}) == {
        "minimum_auc": False,
        "maximum_fpr": False,
    }


def test_a_metric_that_was_not_computed_fails_its_criterion_with_the_reason() -> None:
    (one,) = evaluated_criteria(
        criteria({"minimum_auc": 0.8}, "binary_classification"), {}, not_computable={"roc_auc": "no row is of class 1"}
    )
    assert not one.met
    assert one.value is None
    assert "no row is of class 1" in one.reason


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_non_finite_value_fails_its_criterion(value: float) -> None:
    assert results(criteria({"minimum_auc": 0.8}, "binary_classification"), {"roc_auc": value}) == {
        "minimum_auc": False
    }


def test_an_empty_set_of_criteria_is_met() -> None:
    """The verdict is explicit, not a side effect."""
    assert results((), PERFECT) == {}
    assert all(results((), PERFECT).values())


def test_precision_at_k_must_pass_at_every_measured_k() -> None:
    asked = criteria({"minimum_precision_at_k": 0.5}, "binary_classification")
    assert results(asked, {"precision_at_100": 0.9, "precision_at_500": 0.5}) == {"minimum_precision_at_k": True}
    assert results(asked, {"precision_at_100": 0.9, "precision_at_500": 0.4}) == {"minimum_precision_at_k": False}
    assert results(asked, PERFECT) == {"minimum_precision_at_k": False}


@pytest.mark.parametrize(
    ("problem_type", "optimised", "value", "baseline", "met"),
    [
        ("binary_classification", None, {"roc_auc": 0.55}, {"roc_auc": 0.5}, True),
        ("binary_classification", None, {"roc_auc": 0.54}, {"roc_auc": 0.5}, False),
        ("binary_classification", "f1", {"f1_score": 0.33}, {"f1_score": 0.2}, True),
        ("regression", None, {"rmse": 8.9}, {"rmse": 10.0}, True),
        ("regression", None, {"rmse": 11.0}, {"rmse": 10.0}, False),
        ("regression", "r2", {"r2": -0.1}, {"r2": -0.2}, True),
        ("regression", "r2", {"r2": 0.3}, {"r2": 0.0}, False),
        ("regression", None, {"rmse": 8.9}, None, False),
        ("regression", None, {}, {"rmse": 10.0}, False),
    ],
)
def test_a_lift_is_the_gain_as_a_share_of_the_reference(
    problem_type: ProblemType,
    optimised: str | None,
    value: dict[str, float],
    baseline: dict[str, float] | None,
    met: bool,
) -> None:
    asked = criteria({"minimum_lift_over_baseline": 0.0999}, problem_type, optimised)
    assert results(asked, value, baseline) == {"minimum_lift_over_baseline": met}
