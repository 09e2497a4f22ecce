"""Every parameter of an algorithm changes the fitted model; a parameter that a fit would not read is a violation."""

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest

from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.errors import E2iError, ExperimentInvalid
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.core.fitting.fit_context import FitContext, Rows, fit_context, merged
from e2i_assets.core.search import tuning

PAIRS = [(name, kind) for name in registry.installed() for kind in registry.algorithm(name).problem_types]
CLASSES: dict[str, tuple[int, ...]] = {
    "binary_classification": (0, 1), "multiclass_classification": (0, 1, 2), "regression": (),
}  # fmt: skip
# Parameters of the computation only: the model is the same except for rounding.
COMPUTING = {"n_jobs", "verbosity", "verbose", "deterministic", "force_row_wise", "force_col_wise", "thread_count"}
# A different value of each parameter, and the other settings that it needs to take effect.
OTHER: dict[str, Any] = {
    "n_estimators": 17, "max_depth": 2, "learning_rate": 0.31, "subsample": 0.55, "colsample_bytree": 0.5,
    "min_child_weight": 100, "reg_alpha": 3.0, "reg_lambda": 9.0, "gamma": 2.0, "max_bin": 9, "max_leaves": 3,
    "grow_policy": "lossguide", "max_delta_step": 0.05, "colsample_bylevel": 0.4, "colsample_bynode": 0.4,
    "scale_pos_weight": 7.0, "num_parallel_tree": 3, "sampling_method": "gradient_based", "max_cat_to_onehot": 50,
    "max_cat_threshold": 2, "random_state": 7, "num_leaves": 4, "feature_fraction": 0.4, "bagging_fraction": 0.4,
    "min_child_samples": 60, "bagging_freq": 3, "cat_smooth": 300.0, "cat_l2": 300.0, "min_data_per_group": 5,
    "min_split_gain": 2.0, "is_unbalance": True, "path_smooth": 50.0, "extra_trees": True,
    "feature_fraction_bynode": 0.3, "min_samples_split": 90, "min_samples_leaf": 40, "max_features": "log2",
    "max_leaf_nodes": 4, "min_impurity_decrease": 0.9, "class_weight": "balanced", "ccp_alpha": 0.05,
    "max_samples": 0.3, "bootstrap": False, "C": 0.01, "penalty": "l1", "solver": "saga", "l1_ratio": 0.5,
    "l2_regularization": 90.0, "max_bins": 9, "depth": 2, "l2_leaf_reg": 90.0, "random_strength": 9.0,
    "bagging_temperature": 3.0, "rsm": 0.4,
    "bootstrap_type": "No", "boosting_type": "Ordered", "max_ctr_complexity": 1, "border_count": 9,
    "one_hot_max_size": 50, "min_data_in_leaf": 90,
    "max_iter": 1, "tol": 0.5, "fit_intercept": False, "alpha": 0.01, "positive": True,
}  # fmt: skip
BY_KIND = {
    ("criterion", "regression"): "absolute_error",
    ("criterion", "classes"): "entropy",
    ("loss", "regression"): "absolute_error",
    ("loss", "classes"): "exponential",
}
BY_NAME = {("CatBoost", "grow_policy"): "Lossguide"}
BESIDES: dict[tuple[str, str], dict[str, Any]] = {
    ("LightGBM", "bagging_freq"): {"bagging_fraction": 0.5},
    ("CatBoost", "min_data_in_leaf"): {"grow_policy": "Lossguide"},
    ("LightGBM", "random_state"): {"bagging_fraction": 0.5},
    ("XGBoost", "grow_policy"): {"max_leaves": 5},
    ("LogisticRegression", "penalty"): {"solver": "saga"},
    ("LogisticRegression", "l1_ratio"): {"solver": "saga", "penalty": "elasticnet", "C": 0.1},
    ("LogisticRegression", "random_state"): {"solver": "saga", "max_iter": 2},
    ("Lasso", "positive"): {"alpha": 0.01},
    ("Lasso", "max_iter"): {"alpha": 0.001, "tol": 1e-9},
    ("Lasso", "tol"): {"alpha": 0.001},
    ("Ridge", "tol"): {"positive": True},
    ("Ridge", "max_iter"): {"positive": True},
}
BASE_OF_BESIDES = {"l1_ratio": {"l1_ratio": 0.9}}


@functools.cache
def prepared(name: str, kind: Any) -> FitContext:
    """Return a fit context with numbers, two categorical columns and imbalanced classes."""
    random, n = np.random.default_rng(0), 900
    table = pd.DataFrame({f"x{i}": random.normal(size=n) for i in range(6)})
    table["x6"] = table["x0"] * 0.9 + random.normal(size=n) * 0.1
    table["many"] = pd.Categorical(random.integers(0, 40, n).astype(str))
    table["few"] = pd.Categorical(random.integers(0, 3, n).astype(str))
    signal = table["x0"] - 0.5 * table["x1"] * table["x2"] + table["many"].astype(int) * 0.02
    signal += table["few"].astype(int) * 0.4 + random.normal(0, 0.7, n) - 0.3 * table["x3"]
    classes = CLASSES[kind]
    labels = signal * 3 if not classes else np.digitize(signal, [1.2] if len(classes) == 2 else [0.8, 2.0])
    target = pd.Series(np.asarray(labels), name="y")
    parts = (Rows(table[:600], target[:600]), Rows(table[600:], target[600:]))
    return fit_context(registry.algorithm(name), Task(kind, len(classes)), *parts, classes)


def predicted(name: str, kind: str, values: dict[str, Any]) -> bytes:
    algorithm, rows = registry.algorithm(name), prepared(name, kind)
    few = {"n_estimators": 30} if "n_estimators" in algorithm.default_values else {}
    prediction = rows.on_validation(
        rows.fit(merged({**algorithm.default_values, **few}, {}, {**algorithm.fixed_values, **values}))
    )
    return (prediction.labels if prediction.scores is None else prediction.scores).tobytes()


def other(parameter: str, kind: str) -> Any:
    return OTHER.get(parameter, BY_KIND.get((parameter, kind if kind == "regression" else "classes")))


def experiment(name: str, kind: str, more: str) -> Experiment:
    text = f"name: a\nowner: team:t\nsource: {{csv: a.csv}}\ntarget: y\nproblem_type: {kind}\nalgorithm: {name}\n"
    return parse_experiment(f"{text}{more}\n", "test")


def refused(name: str, kind: str, more: str) -> list[str]:
    with pytest.raises(ExperimentInvalid) as invalid:
        experiment(name, kind, more)
    return [violation.where for violation in invalid.value.violations]


READ = [(n, k, p) for n, k in PAIRS for p in sorted(registry.algorithm(n).parameters - COMPUTING)]


@pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)  # max_iter is one of the changed parameters
@pytest.mark.parametrize(("name", "kind", "parameter"), READ)
def test_a_parameter_changes_the_fitted_model_or_is_a_violation(name: str, kind: str, parameter: str) -> None:
    algorithm = registry.algorithm(name)
    besides, value = BESIDES.get((name, parameter), {}), BY_NAME.get((name, parameter), other(parameter, kind))
    changed = {**besides, parameter: value}
    if algorithm.unread({**algorithm.default_values, **algorithm.fixed_values, **changed}, kind):  # type: ignore[arg-type]
        with pytest.raises(E2iError, match=f"does not read {parameter}"):
            predicted(name, kind, changed)
        assert refused(name, kind, f"fixed: {{{parameter}: {value}}}") == [f"fixed.{parameter}"]
        return
    before = {**besides, **BASE_OF_BESIDES.get(parameter, {})}
    assert predicted(name, kind, before) != predicted(name, kind, changed)


NOT_READ = [
    ("LightGBM", "is_unbalance", "multiclass_classification"), ("LightGBM", "is_unbalance", "regression"),
    ("LightGBM", "scale_pos_weight", "multiclass_classification"), ("LightGBM", "scale_pos_weight", "regression"),
    ("XGBoost", "scale_pos_weight", "multiclass_classification"), ("XGBoost", "scale_pos_weight", "regression"),
    ("RandomForest", "class_weight", "regression"), ("ExtraTrees", "class_weight", "regression"),
    ("GradientBoosting", "loss", "multiclass_classification"), ("Ridge", "random_state", "regression"),
    ("Lasso", "random_state", "regression"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "parameter", "kind"), NOT_READ)
def test_a_parameter_unused_by_the_problem_type_is_rejected_fixed_and_searched(
    name: str, parameter: str, kind: str
) -> None:
    assert refused(name, kind, f"fixed: {{{parameter}: {other(parameter, kind)}}}") == [f"fixed.{parameter}"]
    choices = f"search_space: {{{parameter}: {{type: categorical, choices: [{other(parameter, kind)}]}}}}"
    assert f"search_space.{parameter}" in refused(name, kind, choices)


@pytest.mark.parametrize("kind", ["binary_classification", "multiclass_classification"])
@pytest.mark.parametrize("more", ["search_space: {l1_ratio: null}", "hpo: {enabled: false}"])
def test_elasticnet_without_l1_ratio_is_rejected(kind: str, more: str) -> None:
    fixed = "fixed: {solver: saga, penalty: elasticnet}\n"
    assert refused("LogisticRegression", kind, fixed + more) == ["fixed.penalty"]
    with pytest.raises(E2iError, match="'elasticnet' has no effect without l1_ratio"):
        predicted("LogisticRegression", kind, {"solver": "saga", "penalty": "elasticnet"})


def test_a_search_that_samples_elasticnet_without_l1_ratio_is_rejected() -> None:
    assert refused("LogisticRegression", "binary_classification", "search_space: {l1_ratio: null}") == [
        "search_space.penalty"
    ]


def test_the_defaults_of_a_fixed_elasticnet_have_l1_ratio() -> None:
    """The defaults are evaluated before the first trial, and trained if no trial completes."""
    asked = experiment("LogisticRegression", "binary_classification", "fixed: {solver: saga, penalty: elasticnet}")
    defaults = merged(tuning.defaults(asked), {}, tuning.fixed(asked))
    assert defaults["l1_ratio"] == 0.5
    assert predicted("LogisticRegression", "binary_classification", defaults)
    assert "l1_ratio" not in tuning.defaults(experiment("LogisticRegression", "binary_classification", ""))


@pytest.mark.parametrize(
    ("name", "kind", "more", "where"),
    [
        ("XGBoost", "regression", "fixed: {grow_policy: lossguide}", "fixed.grow_policy"),
        ("LightGBM", "regression", "fixed: {bagging_freq: 3}\nhpo: {enabled: false}", "fixed.bagging_freq"),
        ("Ridge", "regression", "fixed: {tol: 0.1}", "fixed.tol"),
        ("Ridge", "regression", "search_space: {max_iter: {type: int, low: 5, high: 9}}", "search_space.max_iter"),
        ("RandomForest", "regression", "fixed: {bootstrap: false, max_samples: 0.5}", "fixed.max_samples"),
        (
            "LightGBM", "binary_classification", "fixed: {is_unbalance: true, scale_pos_weight: 2.0}",
            "fixed.is_unbalance",
        ),
        (
            "Ridge", "regression",
            "fixed: {tol: 0.1}\nsearch_space: {positive: {type: categorical, choices: [true, false]}}", "fixed.tol",
        ),
    ],
)  # fmt: skip
def test_a_parameter_is_rejected_without_the_parameter_that_it_needs(
    name: str, kind: str, more: str, where: str
) -> None:
    assert refused(name, kind, more) == [where]


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("XGBoost", "fixed: {grow_policy: lossguide, max_leaves: 8}"),
        ("LightGBM", "fixed: {bagging_freq: 3}"),
        ("Ridge", "fixed: {tol: 0.1, positive: true}"),
        (
            "Ridge",
            "search_space: {positive: {type: categorical, choices: [true, false]}, "
            "tol: {type: float, low: 0.001, high: 0.1, when: {positive: [true]}}}",
        ),
        ("RandomForest", "fixed: {max_samples: 0.5}"),
    ],
)
def test_a_parameter_is_accepted_with_the_parameter_that_it_needs(name: str, more: str) -> None:
    assert experiment(name, "regression", more).name == "a"
