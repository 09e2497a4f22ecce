"""The objectives other than the metric: defined as documented, and the same for the same fit."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes

from e2i_assets.core import metrics
from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.core.experiments.objective_rules import objective_names
from e2i_assets.core.fitting.fit_context import Rows, fit_context, merged
from e2i_assets.core.metrics import Prediction, metric
from e2i_assets.core.search.goals import goals, group_columns, limits
from e2i_assets.core.search.measures_of_models import SMALLEST_GROUP, fairness_gap, model_size, prediction_time

SMALL = {
    **{"XGBoost": {"n_estimators": 40}, "LightGBM": {"n_estimators": 40}, "RandomForest": {"n_estimators": 13}},
    **{"ExtraTrees": {"n_estimators": 13}, "GradientBoosting": {"n_estimators": 20}},
    **{"HistGradientBoosting": {"n_estimators": 30}, "CatBoost": {"n_estimators": 30}},
}


def rows(kind, groups=()):
    data = (load_diabetes if kind == "regression" else load_breast_cancer)(as_frame=True)
    features = data.data.assign(sex=np.where(np.arange(len(data.data)) % 3 == 0, "f", "m")).astype({"sex": "category"})
    order = np.random.default_rng(0).permutation(len(features))
    parts = [Rows(features.iloc[part], data.target.iloc[part]) for part in (order[:300], order[300:])]
    return parts, Task(kind, 0 if kind == "regression" else 2), () if kind == "regression" else (0, 1), groups


def made(name, groups=()):
    algorithm = registry.algorithm(name)
    (train, validation), task, classes, columns = rows(algorithm.problem_types[0], groups)
    return fit_context(algorithm, task, train, validation, classes, columns)


def experiment(hpo):
    return parse_experiment(
        "{name: e, owner: team:t, source: {csv: rows.csv}, target: y, problem_type: binary_classification, "
        f"algorithm: XGBoost, hpo: {hpo}}}",
        "test",
    )


def parameters(name, **changes):
    algorithm = registry.algorithm(name)
    return merged(algorithm.default_values, {**SMALL.get(name, {}), **changes}, algorithm.fixed_values)


@pytest.mark.parametrize("name", registry.installed())
def test_a_refit_has_the_same_model_size_with_and_without_early_stopping(name):
    """The size that a trial reports is that of the model trained from its parameters."""
    prepared = made(name)
    asked = parameters(name)
    stopped = prepared.fit(asked, patience=3, report=lambda step, prediction: None)
    again = prepared.fit(prepared.used(asked, stopped))
    assert model_size(stopped) == model_size(again) > 0


@pytest.mark.parametrize("name", ["XGBoost", "LightGBM", "RandomForest", "GradientBoosting"])
def test_more_trees_give_a_larger_model_size(name):
    prepared = made(name)
    few, many = (prepared.fit(parameters(name, n_estimators=count)) for count in (5, 50))
    assert model_size(many) > 3 * model_size(few)


def test_prediction_time_is_measured_on_a_thousand_rows():
    prepared = made("XGBoost")
    few, many = (prepared.fit(parameters("XGBoost", n_estimators=count, max_depth=9)) for count in (1, 3000))
    assert 0 < prediction_time(prepared, few) < prediction_time(prepared, many)


def test_a_fairness_gap_is_the_largest_difference_between_groups():
    prepared = made("XGBoost", ["sex"])
    prediction = prepared.on_validation(prepared.fit(parameters("XGBoost", n_estimators=2, max_depth=1)))
    sex = rows("binary_classification")[0][1].features["sex"].to_numpy()
    auc = metric("roc_auc", "binary_classification")
    by_hand = [
        auc.score(
            prepared.y_validation[sex == one], Prediction(prediction.labels[sex == one], prediction.scores[sex == one])
        )
        for one in ("f", "m")
    ]
    assert fairness_gap(prepared, prediction, "sex", auc) == pytest.approx(abs(by_hand[0] - by_hand[1]), abs=1e-12)


def grouped(codes, y):
    """Return a fit context whose validation rows are in these groups."""
    algorithm = registry.algorithm("Ridge" if y.dtype.kind == "f" else "LogisticRegression")
    kind, classes = ("regression", ()) if y.dtype.kind == "f" else ("binary_classification", (0, 1))
    frame = Rows(pd.DataFrame({"x": np.arange(len(y), dtype=float), "group": codes}), pd.Series(y))
    return fit_context(algorithm, Task(kind, len(classes)), frame, frame, classes, ["group"])


def test_small_groups_and_groups_of_one_class_are_ignored():
    """Three rows are too few for an estimate, and a ranking metric is undefined for one class."""
    codes = np.array(["a"] * 40 + ["b"] * 40 + ["few"] * (SMALLEST_GROUP - 1) + ["pure"] * 30)
    y = np.array([0, 1] * 40 + [0, 1] * 9 + [1] + [1] * 30)
    labels = np.where(np.arange(len(y)) < 40, y, 1)
    gap = fairness_gap(grouped(codes, y), Prediction(labels), "group", metric("accuracy", "binary_classification"))
    assert gap == 0.5


def test_a_missing_value_is_a_group():
    y = np.arange(60, dtype=float)
    codes = np.array(["a"] * 30 + [None] * 30, dtype=object)
    prediction = Prediction(np.where(np.arange(60) < 30, y, y + 2.0))
    assert fairness_gap(grouped(codes, y), prediction, "group", metric("mae", "regression")) == 2.0


def test_groups_that_cannot_be_compared_are_an_error_with_a_fix():
    y = np.arange(60, dtype=float)
    with pytest.raises(E2iError, match="two groups with at least 20 validation rows each; it has 0: choose a column"):
        fairness_gap(grouped(np.arange(60), y), Prediction(y), "group", metric("mae", "regression"))
    with pytest.raises(E2iError, match="'colour' is not a feature"):
        made("XGBoost", ["colour"])


def test_goals_are_the_metric_followed_by_the_named_objectives():
    asked = experiment("{objectives: [model_size, log_loss, {name: fairness_gap, column: sex}]}")
    assert [(goal.name, goal.greater_is_better) for goal in goals(asked)] == [
        *[("roc_auc", True), ("model_size", False), ("log_loss", False), ("fairness_gap_sex", False)]
    ]
    assert group_columns(asked) == ("sex",)


def test_the_direction_of_a_constraint_follows_the_direction_of_its_objective():
    asked = experiment(
        "{constraints: {model_size: 5000, accuracy: 0.7, fairness_gap: {limit: 0.1, column: sex}, prediction_time: 2}}"
    )
    assert [str(limit) for limit in limits(asked)] == [
        *["model_size at most 5000", "accuracy at least 0.7", "fairness_gap_sex at most 0.1"],
        "prediction_time at most 2",
    ]
    assert [limit.excess(0.5) for limit in limits(asked)] == [-4999.5, pytest.approx(0.2), 0.4, -1.5]
    assert [limit.goal.is_repeatable for limit in limits(asked)] == [True, True, True, False]


@pytest.mark.parametrize("kind", metrics.PROBLEM_TYPES)
def test_every_metric_may_be_an_objective(kind):
    assert {*metrics.names(kind), "model_size", "prediction_time", "fairness_gap"} == set(objective_names(kind))
