"""Sample weights in fits: a whole weight equals repeated rows, and equal weights change nothing."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.algorithm import predicted
from e2i_assets.core.algorithms.early_stopping import FitMonitor
from e2i_assets.core.algorithms.prepared_data import PreparedData, Task
from e2i_assets.core.data.folds import folds
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts
from e2i_assets.core.fitting.fit_context import FitContext, Rows, fit_context
from e2i_assets.core.imbalance import STRATEGIES, Balancing, Strategy
from e2i_assets.core.metrics import Array, ProblemType

N = 150
RANDOM = np.random.default_rng(11)
# Few values, so that bins and split points do not depend on how often a row is repeated.
X = RANDOM.integers(0, 6, (N, 3)).astype(np.float32)
SIGNAL = X[:, 0] - X[:, 1] + RANDOM.normal(0, 1.5, N)
TARGETS: dict[ProblemType, Array] = {
    "regression": SIGNAL * 7 + 100,
    "binary_classification": (SIGNAL > 0).astype(np.int64),
    "multiclass_classification": np.digitize(SIGNAL, [-1.5, 1.5]).astype(np.int64),
}
TIMES = RANDOM.integers(1, 4, N)
COPIES = np.repeat(np.arange(N), TIMES)
MEAN = float(TIMES.mean())
BOOSTED = {"n_estimators": 12, "max_depth": 3, "random_state": 0}
# Without what counts rows, draws rows, or compares a sum of weights with a constant. The penalties of linear models are
# in the unit of the summed weights, whose mean in a fit is 1.
EXACT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "XGBoost": (dict(BOOSTED, subsample=1.0, reg_lambda=0.0, min_child_weight=0, max_bin=16),) * 2,
    "LightGBM": (dict(BOOSTED, min_child_samples=1, min_child_weight=0.0, max_bin=16, n_jobs=1, verbose=-1),) * 2,
    "CatBoost": (
        dict(n_estimators=12, depth=3, random_state=0, l2_leaf_reg=0.0, random_strength=0.0, bootstrap_type="No"),
    )
    * 2,
    "HistGradientBoosting": ({"n_estimators": 12, "min_samples_leaf": 1, "max_leaf_nodes": 8},) * 2,
    "GradientBoosting": (dict(BOOSTED, subsample=1.0, max_features=None),) * 2,
    "RandomForest": ({"n_estimators": 3, "max_depth": 4, "bootstrap": False, "max_features": None},) * 2,
    "ExtraTrees": ({"n_estimators": 3, "max_depth": 4, "max_features": None, "random_state": 0},) * 2,
    "Lasso": ({"alpha": 0.5},) * 2,
    "Ridge": ({"alpha": 2.0}, {"alpha": 2.0 * MEAN}),
    "LogisticRegression": ({"C": 0.5, "tol": 1e-8}, {"C": 0.5 / MEAN, "tol": 1e-8}),
}
PAIRS = [
    (name, problem_type) for name in registry.installed() for problem_type in registry.algorithm(name).problem_types
]


def prepared(problem_type: ProblemType, rows: Array, weights: Array | None, checked: Array) -> PreparedData:
    target = TARGETS[problem_type]
    task = Task(problem_type, 0 if problem_type == "regression" else len(np.unique(target)))
    return PreparedData(
        task=task,
        prepare_train=lambda: X[rows],
        y_train=target[rows],
        x_validation=X[checked],
        y_validation=target[checked],
        train_weights=weights,
        validation_weights=None if weights is None else TIMES / MEAN,
    )


def values(name: str, data: PreparedData, parameters: dict[str, Any], patience: int | None = None) -> tuple[Array, Any]:
    algorithm = registry.algorithm(name)
    fit = algorithm.fit(parameters, data, FitMonitor(patience) if patience else None)
    found = predicted(fit.estimator, X, data.task, fit.unit)
    return (found.labels if found.scores is None else found.scores), fit.rounds


@pytest.mark.parametrize(("name", "problem_type"), PAIRS)
def test_a_whole_weight_equals_repeated_rows_in_a_fit(name: str, problem_type: ProblemType) -> None:
    once, repeated = EXACT[name]
    everything = np.arange(N)
    weighted, _ = values(name, prepared(problem_type, everything, TIMES / MEAN, everything), once)
    expected, _ = values(name, prepared(problem_type, COPIES, None, COPIES), repeated)
    plain, _ = values(name, prepared(problem_type, everything, None, everything), once)
    spread = float(np.ptp(expected))
    # Ties between thresholds of equal gain may be resolved by rounding in the trees of scikit-learn.
    assert np.quantile(np.abs(weighted - expected), 0.95) < 1e-3 * spread
    assert np.abs(plain - expected).mean() > 1e-3 * spread


@pytest.mark.parametrize("name", ["XGBoost", "LightGBM", "GradientBoosting"])
@pytest.mark.parametrize("problem_type", TARGETS)
def test_early_stopping_weights_the_validation_rows(name: str, problem_type: ProblemType) -> None:
    parameters = {**EXACT[name][0], "n_estimators": 80, "learning_rate": 0.3}
    everything = np.arange(N)
    # The target of half of the validation rows is another one, so the loss rises soon.
    held_out = {"weighted": everything, "repeated": COPIES}
    found = {}
    for key, rows in held_out.items():
        data = prepared(problem_type, rows, TIMES / MEAN if key == "weighted" else None, rows)
        truth = np.where(rows % 2, data.y_validation, np.roll(TARGETS[problem_type], 7)[rows])
        object.__setattr__(data, "y_validation", truth)
        found[key] = values(name, data, parameters, patience=10)[1]
    assert found["weighted"] == found["repeated"] < 80


FRAME = pd.DataFrame(
    {"a": X[:, 0] + RANDOM.normal(0, 1, N), "b": X[:, 1].astype(np.float64), "c": pd.Categorical(X[:, 2].astype(str))}
)
LABELS = ("no", "yes")


def context(name: str, weights: Array | None, strategy: Strategy = "none", regression: bool = False) -> FitContext:
    codes = (SIGNAL > 1.5).astype(int)
    target = pd.Series(TARGETS["regression"] if regression else np.array(LABELS, dtype=object)[codes])
    train = Rows(FRAME[:100], target[:100], None, None if weights is None else weights[:100])
    held_out = Rows(FRAME[100:], target[100:], None, None if weights is None else weights[100:])
    task = Task("regression") if regression else Task("binary_classification", 2)
    classes = () if regression else LABELS
    return fit_context(registry.algorithm(name), task, train, held_out, classes, balancing=Balancing(strategy))


@pytest.mark.parametrize(("name", "problem_type"), [pair for pair in PAIRS if pair[1] != "multiclass_classification"])
def test_equal_weights_give_the_same_model(name: str, problem_type: ProblemType) -> None:
    algorithm = registry.algorithm(name)
    parameters = {**algorithm.default_values, **algorithm.fixed_values}
    if "n_estimators" in parameters:
        parameters["n_estimators"] = 10
    found = []
    for weights in (None, np.full(N, 3.7)):
        made = context(name, weights, regression=problem_type == "regression")
        prediction = made.on_validation(made.fit(parameters, patience=5))
        found.append(prediction.labels if prediction.scores is None else prediction.scores)
    assert np.abs(found[0] - found[1]).max() < 1e-9


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_equal_weights_do_not_change_the_balancing(strategy: Strategy) -> None:
    plain, same = (context("LightGBM", weights, strategy).prepared_data for weights in (None, np.full(N, 0.2)))
    assert np.array_equal(plain.x_train, same.x_train, equal_nan=True)
    for one, other in [
        (plain.train_weights, same.train_weights),
        (plain.validation_weights, same.validation_weights),
    ]:
        assert (one is None and other is None) or np.allclose(one, other, rtol=1e-12)  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", ["class_weight", "random_oversample", "random_undersample", "smote"])
def test_balanced_classes_have_the_same_total_weight(strategy: Strategy) -> None:
    """The rarer class has the larger weights, so equal numbers of rows would not be balanced."""
    weights = np.where(SIGNAL > 1.5, 4.0, 1.0) * RANDOM.uniform(0.5, 1.5, N)
    weights[3] = 0.0
    made = context("XGBoost", weights, strategy)
    data = made.prepared_data
    assert data.train_weights is not None
    totals = np.bincount(data.y_train, data.train_weights)
    assert totals[0] == pytest.approx(totals[1])
    assert len(np.unique(data.train_weights.round(6))) > 2
    # The loss of early stopping has the same factor for each class as the fit.
    assert data.validation_weights is not None
    assert made.validation_weights is not None
    factors = data.validation_weights / made.validation_weights
    before = np.bincount(made.y_train, made.train_weights)
    for code in (0, 1):
        assert factors[data.y_validation == code] == pytest.approx(totals[code] / before[code])


def test_the_trees_of_weighted_rows_follow_the_heavy_rows() -> None:
    """Two halves of the rows contradict each other; the heavy half decides."""
    flipped = np.arange(N) % 2 == 0
    frame = pd.DataFrame({"a": X[:, 0]})
    target = pd.Series(np.where(flipped, -X[:, 0], X[:, 0]).astype(float))
    for name in registry.installed():
        algorithm = registry.algorithm(name)
        if "regression" not in algorithm.classes:
            continue
        for heavy in (flipped, ~flipped):
            rows = Rows(frame, target, None, np.where(heavy, 100.0, 1.0))
            made = fit_context(algorithm, Task("regression"), rows, rows, ())
            fit = made.fit({**algorithm.default_values, **algorithm.fixed_values})
            error = np.abs(made.on_validation(fit).labels - target.to_numpy())
            assert error[heavy].mean() < 0.3 < error[~heavy].mean(), name


def test_folds_keep_the_weight_of_each_row() -> None:
    facts = SplitFacts(
        experiment="x", problem_type="regression", target="y", features=("a",), classes=(), data_hash="d",
        split_hash="e", search_hash="f", strategy="random", seed=1, left_out=0,
        counts={"train": 100, "validation": 50, "test": 0, "holdout": 0},
    )  # fmt: skip
    numbers = np.arange(N, dtype=float)
    frame, target = pd.DataFrame({"a": numbers}), pd.Series(numbers)
    train = Rows(frame[:100], target[:100], None, numbers[:100])
    validation = Rows(frame[100:], target[100:], None, numbers[100:])
    for fold in folds(SearchRows(facts, train, validation), 3, 1, 0):
        for rows in (fold.train, fold.held_out):
            assert rows.weights is not None
            assert rows.weights.tolist() == rows.target.tolist()
