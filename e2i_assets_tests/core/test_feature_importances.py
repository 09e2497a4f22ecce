"""The native feature importances of a fitted model, for every algorithm."""

import math

import numpy as np
import pandas as pd
import pytest

from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.algorithms.registry import algorithm
from e2i_assets.core.fitting.feature_importances import feature_importances
from e2i_assets.core.fitting.fit_context import Rows, fit_context
from e2i_assets.core.fitting.fitted_model import FittedModel
from e2i_assets.core.metrics import ProblemType

SEVERAL: ProblemType = "multiclass_classification"


def fitted(name: str, problem: ProblemType) -> FittedModel:
    """Return a model of a target that depends on the column `informative` only."""
    random = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "noise": random.normal(size=300),
            "informative": random.normal(size=300),
            "where": pd.Categorical(random.choice(["north", "south"], 300)),
        }
    )
    classes = () if problem == "regression" else ("high", "low", "middle")[: 2 + (problem == SEVERAL)]
    edges = [-0.5, 0.5] if problem == SEVERAL else [0.0]
    labels = ("low", "middle", "high") if problem == SEVERAL else ("low", "high")
    target = (
        10 * frame.informative
        if problem == "regression"
        else pd.Series([labels[np.digitize(x, edges)] for x in frame.informative])
    )
    rows, chosen = Rows(frame, target), algorithm(name)
    on_bench = fit_context(chosen, Task(problem, len(classes)), rows, rows, classes)
    return on_bench.model(on_bench.fit({**chosen.default_values, **chosen.fixed_values}))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        *((name, "regression") for name in ("XGBoost", "LightGBM", "RandomForest", "ExtraTrees", "Ridge", "Lasso")),
        ("GradientBoosting", "binary_classification"),
        ("LogisticRegression", "binary_classification"),
        ("LogisticRegression", SEVERAL),
        ("LightGBM", SEVERAL),
    ],
)
def test_the_column_that_determines_the_target_has_the_largest_importance(name: str, problem: ProblemType) -> None:
    worth = feature_importances(fitted(name, problem))
    assert next(iter(worth)).rpartition("__")[2] == "informative"
    assert list(worth.values()) == sorted(worth.values(), reverse=True)
    assert all(math.isfinite(value) and value >= 0 for value in worth.values())
    assert any("where" in column for column in worth)


def test_a_column_and_a_category_of_another_column_may_have_one_name() -> None:
    random = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "a": pd.Categorical(random.choice(["b", "b_c", "d"], 90)),
            "a_b": pd.Categorical(random.choice(["c", "e"], 90)),
            "a_d": random.normal(size=90),
        }
    )
    rows, chosen = Rows(frame, frame["a_d"]), algorithm("Ridge")
    context = fit_context(chosen, Task("regression"), rows, rows, ())
    worth = feature_importances(context.model(context.fit({**chosen.default_values, **chosen.fixed_values})))
    assert sorted(worth) == ["a_b", "a_b_c", "a_b_c (2)", "a_b_e", "a_d", "a_d (2)"]
