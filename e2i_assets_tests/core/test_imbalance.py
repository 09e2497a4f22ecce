"""Imbalanced classes: the detection, the strategies, and their restriction to the train rows."""

import math
from dataclasses import replace

import numpy as np
import optuna
import pandas as pd
import pytest
from fitted_again import value_again
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.utils.class_weight import compute_sample_weight

from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.prepared_data import Binned, Task
from e2i_assets.core.errors import E2iError
from e2i_assets.core.fitting.fit_context import FitContext, Rows, fit_context
from e2i_assets.core.fitting.resampling import resampled
from e2i_assets.core.imbalance import STRATEGIES, Balancing, balanced_weights, imbalance
from e2i_assets.core.metrics import metric
from e2i_assets.core.search.goals import metric_goal
from e2i_assets.core.search.objective import Objective
from e2i_assets.core.search.schemes import OnValidation

LABELS = ("lapsed", "stays")
RESAMPLING = [one for one in STRATEGIES if one not in ("none", "class_weight")]
CLASSIFIERS = [
    name for name in registry.installed() if "binary_classification" in registry.algorithm(name).problem_types
]


def table(rows: int, seed: int = 0) -> pd.DataFrame:
    """Return a table of numbers, a category and a boolean, with missing values in the first two."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": draw.normal(50, 10, rows),
            "visits": draw.integers(0, 9, rows),
            "region": draw.choice(["north", "south", "west"], rows).astype(object),
            "insured": draw.random(rows) < 0.5,
        }
    )
    frame.loc[draw.random(rows) < 0.1, "age"] = np.nan
    frame.loc[draw.random(rows) < 0.1, "region"] = None
    return frame


def rare(rows: int, share: float, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a table in which a class with the given share differs by age."""
    frame = table(rows, seed)
    codes = (np.arange(rows) < rows * share).astype(np.int64)
    frame["age"] = frame["age"] + 12 * codes
    return frame, codes


def rows_of(share: float, seed: int, count: int = 400) -> Rows:
    frame, codes = rare(count, share, seed)
    return Rows(frame, pd.Series(np.array(LABELS, dtype=object)[codes]))


def on(name: str, balancing: Balancing, share: float = 0.1, count: int = 400) -> FitContext:
    task = Task("binary_classification", 2)
    train, validation = rows_of(share, 1, count), rows_of(share, 2, count)
    return fit_context(registry.algorithm(name), task, train, validation, LABELS, balancing=balancing)


@pytest.mark.parametrize(
    ("counts", "severity", "for_trees", "for_others"),
    [
        ((500, 500), "none", "none", "none"),
        ((400, 600), "none", "none", "none"),
        ((399, 601), "moderate", "class_weight", "random_oversample"),
        ((200, 800), "moderate", "class_weight", "random_oversample"),
        ((199, 801), "severe", "smote", "smote"),
        ((9, 91), "severe", "random_oversample", "random_oversample"),
        ((50, 950), "severe", "smote", "smote"),
        ((49, 951), "extreme", "combined", "combined"),
        ((9, 991), "extreme", "random_oversample", "random_oversample"),
        ((4, 996), "extreme", "class_weight", "class_weight"),
        # Three classes of equal size are balanced, although each has a third of the rows.
        ((300, 300, 300), "none", "none", "none"),
        ((100, 450, 450), "severe", "smote", "smote"),
        ((0, 700), "degenerate", "none", "none"),
    ],
)
def test_severity_and_recommendation_follow_the_class_counts(counts, severity, for_trees, for_others):
    codes = np.repeat(np.arange(len(counts)), counts)
    labels = tuple(f"class {code}" for code in range(len(counts)))
    trees, others = (imbalance(codes, labels, grows_trees) for grows_trees in (True, False))
    assert (trees.severity, trees.recommended, others.recommended) == (severity, for_trees, for_others)
    assert trees.detected == (severity in ("moderate", "severe", "extreme"))
    assert trees.class_distribution == dict(zip(labels, counts, strict=True))


def test_the_minority_class_is_named_whether_it_is_positive_or_not():
    for counts, label in (((90, 910), "lapsed"), ((910, 90), "stays")):
        found = imbalance(np.repeat([0, 1], counts), LABELS, grows_trees=True)
        assert found.rationale.startswith(f"{label!r} has 90 of 1000 rows")
        assert (found.ratio, found.minority_ratio) == (pytest.approx(910 / 90), 0.09)


def test_a_regression_has_no_classes():
    found = imbalance(np.random.default_rng(0).random(9), (), grows_trees=True)
    assert (found.severity, found.recommended, found.ratio) == ("not_applicable", "none", None)


def test_weights_favour_the_minority_class_also_when_the_majority_is_positive():
    """An earlier version gave the larger weight to the positive class even if it was the majority."""
    assert balanced_weights(np.repeat([0, 1], [100, 900]), 2) == pytest.approx([5.0, 1000 / 1800])
    assert balanced_weights(np.repeat([0, 1], [900, 100]), 2) == pytest.approx([1000 / 1800, 5.0])
    assert balanced_weights(np.repeat([0, 2], [5, 15]), 3) == pytest.approx([2.0, 1.0, 2 / 3])


@pytest.mark.parametrize("strategy", RESAMPLING)
@pytest.mark.parametrize("columns", [["age", "visits"], ["region", "insured"], ["age", "visits", "region", "insured"]])
def test_resampling_changes_the_counts_and_no_original_row(strategy, columns):
    features, codes = rare(300, 0.1)
    features = features[columns]
    table, chosen, _ = resampled(features, codes, strategy, 7, LABELS)
    again, _, _ = resampled(features, codes, strategy, 7, LABELS)
    pd.testing.assert_frame_equal(table, again)
    counts = np.bincount(chosen)
    assert list(table.columns) == columns
    if strategy == "random_undersample":
        assert list(counts) == [30, 30]
    elif strategy == "combined":
        assert list(counts) == [270, 135]
    elif strategy == "smote_tomek":
        assert counts.min() > 30
        assert counts.max() <= 270
    else:
        assert list(counts) == [270, 270]
    if strategy in ("smote", "combined"):
        pd.testing.assert_frame_equal(table.iloc[:300].astype(object), features.astype(object), check_dtype=False)
        made = table.iloc[300:]
        assert (chosen[300:] == 1).all()
        if "age" in columns:
            assert made["age"].between(features["age"].min(), features["age"].max()).all()
        if "region" in columns:
            assert set(made["region"].dropna()) <= {"north", "south", "west"}
            assert set(made["insured"]) <= {True, False}


def test_interpolated_rows_lie_between_rows_of_their_class():
    features, codes = rare(300, 0.1)
    table, _, _ = resampled(features, codes, "smote", 7, LABELS)
    assert table["age"][300:].mean() == pytest.approx(features["age"][codes == 1].mean(), abs=2.5)
    assert table["age"][300:].nunique() > 200


def test_one_row_has_no_neighbour_and_the_message_names_alternatives():
    features, codes = rare(300, 1 / 300)
    with pytest.raises(E2iError, match="'stays' has 1 train row: choose random_oversample or class_weight"):
        resampled(features, codes, "smote", 7, LABELS)
    assert list(np.bincount(resampled(features, codes, "random_oversample", 7, LABELS)[1])) == [299, 299]


def test_few_rows_use_each_other_as_neighbours():
    features, codes = rare(300, 3 / 300)
    assert list(np.bincount(resampled(features, codes, "smote", 7, LABELS)[1])) == [297, 297]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_algorithm_accepts_every_strategy_with_text_labels(name, strategy):
    """Text labels crashed once. Validation rows stay unchanged, and the model predicts labels."""
    algorithm = registry.algorithm(name)
    made = on(name, Balancing(strategy, 3))
    assert len(made.y_validation) == len(made.prepared_data.x_validation) == 400
    assert list(np.bincount(made.y_train)) == [360, 40]
    assert (made.prepared_data.train_weights is not None) == (strategy == "class_weight")
    resized = len(made.prepared_data.y_train) != 400
    assert resized == (strategy in RESAMPLING)
    few = {"n_estimators": 20} if "n_estimators" in algorithm.default_values else {}
    parameters = {**algorithm.default_values, **few, **algorithm.fixed_values}
    model = made.model(made.fit(parameters, patience=5))
    assert set(model.predict(rows_of(0.1, 2).features)) <= set(LABELS)


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("strategy", ["class_weight", "random_oversample"])
def test_recall_of_the_minority_class_rises(name, strategy):
    algorithm = registry.algorithm(name)
    few = {"n_estimators": 40} if "n_estimators" in algorithm.default_values else {}
    parameters = {**algorithm.default_values, **few, **algorithm.fixed_values}
    found = {}
    for one in ("none", strategy):
        made = on(name, Balancing(one, 3))
        labels = made.on_validation(made.fit(parameters)).labels
        found[one] = (labels[made.y_validation == 1] == 1).mean()
    assert found[strategy] > found["none"]


def test_a_weighted_forest_equals_the_balanced_forest_of_scikit_learn():
    made = on("RandomForest", Balancing("class_weight"))
    options = {"n_estimators": 20, "max_depth": 6, "random_state": 42, "n_jobs": 1}
    ours = made.fit(options).estimator.predict_proba(made.prepared_data.x_validation)
    theirs = RandomForestClassifier(**options, class_weight="balanced").fit(made.prepared_data.x_train, made.y_train)
    np.testing.assert_allclose(ours, theirs.predict_proba(made.prepared_data.x_validation))


@pytest.mark.parametrize("name", ["XGBoost", "LightGBM", "GradientBoosting", "LogisticRegression"])
def test_weights_equal_the_balanced_weights_of_scikit_learn(name):
    algorithm = registry.algorithm(name)
    few = {"n_estimators": 20} if "n_estimators" in algorithm.default_values else {}
    parameters = {**algorithm.default_values, **algorithm.fixed_values, **few}
    made = on(name, Balancing("class_weight"))
    x, y = made.prepared_data.x_train, made.y_train
    theirs = algorithm.estimator(parameters, "binary_classification")
    options = {"categorical_feature": list(made.prepared_data.categories)} if name == "LightGBM" else {}
    if name == "XGBoost":
        kinds = ["c" if position in made.prepared_data.categories else "q" for position in range(x.shape[1])]
        theirs.set_params(enable_categorical=True, feature_types=kinds)
    theirs.fit(x, y, sample_weight=compute_sample_weight("balanced", y), **options)
    ours = made.fit(parameters).estimator
    over = made.prepared_data.x_validation
    np.testing.assert_allclose(ours.predict_proba(over), theirs.predict_proba(over), atol=1e-6)


@pytest.mark.parametrize("name", ["XGBoost", "LightGBM", pytest.param("GradientBoosting", marks=pytest.mark.drill)])
@pytest.mark.parametrize("strategy", ["class_weight", "random_oversample", "smote"])
def test_early_stopping_uses_the_minimised_loss(name, strategy):
    """Without weights, the validation loss of a balanced model still falls when the model already overfits."""
    algorithm = registry.algorithm(name)
    parameters = {**algorithm.default_values, **algorithm.fixed_values, "n_estimators": 400, "learning_rate": 0.05}
    made = on(name, Balancing(strategy), share=0.05, count=4000)
    as_they_come = replace(made, prepared_data=replace(made.prepared_data, validation_weights=None, binned=Binned()))
    rounds, auc = zip(*(watched(fit_context, parameters) for fit_context in (made, as_they_come)), strict=True)
    assert rounds[0] < 60 < 150 < rounds[1]
    assert auc[0] > auc[1]


def watched(made: FitContext, parameters: dict[str, object]) -> tuple[int, float]:
    fit = made.fit(parameters, patience=10)
    return fit.rounds, roc_auc_score(made.y_validation, made.on_validation(fit).scores[:, 1])


@pytest.mark.parametrize("strategy", ["class_weight", "smote"])
@pytest.mark.parametrize("name", ["XGBoost", "LightGBM", "RandomForest", "GradientBoosting"])
def test_a_trial_and_the_final_fit_use_the_same_rows(name, strategy):
    algorithm = registry.algorithm(name)
    space = algorithm.search_space("binary_classification")
    goal = metric_goal(metric("f1", "binary_classification"))
    scheme = OnValidation(on(name, Balancing(strategy, 3)))
    objective = Objective(scheme, (goal,), space, algorithm.default_values, algorithm.fixed_values, 5)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(1))
    study.optimize(objective, n_trials=2)
    again = OnValidation(on(name, Balancing(strategy, 3)))
    fresh = Objective(again, (goal,), space, algorithm.default_values, algorithm.fixed_values, 5)
    for trial in study.trials:
        value = value_again(fresh, trial.user_attrs["fitted"]["parameters"])
        assert value == pytest.approx(trial.value, abs=1e-9)
        assert math.isfinite(value)
