"""Fits share binned rows across threads and give the results of the libraries' own interfaces."""

import importlib
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.prepared_data import Binned, Task
from e2i_assets.core.algorithms.target_unit import AS_IT_IS, target_unit
from e2i_assets.core.fitting.fit_context import Rows, fit_context, merged

BOOSTERS = ("XGBoost", "LightGBM")
PROBLEMS = {"binary_classification": 2, "multiclass_classification": 3, "regression": 0}
PAIRS = [(name, kind) for name in registry.installed() for kind in registry.algorithm(name).problem_types]
BOOSTED = [(name, kind) for name in BOOSTERS for kind in PROBLEMS]


def table(problem_type, rows=900):
    random = np.random.default_rng(5)
    frame = pd.DataFrame(random.normal(size=(rows, 6)), columns=[f"f{i}" for i in range(6)])
    frame.loc[::13, "f1"] = np.nan
    frame["region"] = random.choice(["north", "south", "west"], rows)
    signal = frame["f0"] + np.abs(frame["f2"]) * (frame["region"] == "west") + random.normal(scale=0.5, size=rows)
    if problem_type == "regression":
        return frame, signal
    return frame, pd.Series(
        np.digitize(signal, np.quantile(signal, [0.5] if PROBLEMS[problem_type] == 2 else [0.3, 0.7]))
    )


def prepared(name, problem_type):
    frame, target = table(problem_type)
    parts = (Rows(frame[:600], target[:600]), Rows(frame[600:], target[600:]))
    classes = tuple(range(PROBLEMS[problem_type]))
    return fit_context(registry.algorithm(name), Task(problem_type, len(classes)), *parts, classes)


def values(rows, fit):
    prediction = rows.on_validation(fit)
    return prediction.labels if prediction.scores is None else prediction.scores


def drawn(name, count=4):
    """Return different parameter sets, some of which need separate bins."""
    algorithm = registry.algorithm(name)
    sets = []
    for i in range(count):
        tuned = {
            "n_estimators": 15 + 10 * i,
            "max_depth": 3 + i,
            "alpha": 0.01 * (i + 1),
            "C": 0.1 * (i + 1),
            "learning_rate": 0.05 * (i + 1),
            "max_bin": (64, 255)[i % 2],
        }
        known = {key: value for key, value in tuned.items() if key in algorithm.parameters}
        sets.append(merged(algorithm.default_values, known, algorithm.fixed_values))
    return sets


def with_categories(rows, x):
    """Return the matrix as a table with categorical columns, the native input of both libraries."""
    frame = pd.DataFrame(x)
    for position in rows.prepared_data.categories:
        codes = frame[position].fillna(-1).astype(int)
        frame[position] = pd.Categorical.from_codes(codes, categories=range(3))
    return frame


def plain_estimator(name, parameters, problem_type):
    plain = registry.algorithm(name).estimator(parameters, problem_type)
    return plain.set_params(enable_categorical=True) if name == "XGBoost" else plain


@pytest.mark.parametrize(("name", "problem_type"), BOOSTED)
def test_a_booster_predicts_what_the_librarys_own_interface_predicts(name, problem_type):
    """Shared bins do not change the result."""
    rows = prepared(name, problem_type)
    algorithm = registry.algorithm(name)
    parameters = merged(algorithm.default_values, {"n_estimators": 40, "reg_lambda": 0.3}, algorithm.fixed_values)
    plain = plain_estimator(name, parameters, problem_type)
    unit = target_unit(rows.y_train) if problem_type == "regression" else AS_IT_IS
    plain.fit(with_categories(rows, rows.prepared_data.x_train), unit.learnt(rows.y_train))
    x = rows.prepared_data.x_validation
    of_table = with_categories(rows, x)
    expected = plain.predict(of_table) if problem_type == "regression" else plain.predict_proba(of_table)
    ours = rows.fit(parameters).estimator
    assert type(ours) is type(plain)
    found = ours.predict(x) if problem_type == "regression" else ours.predict_proba(x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert ours.n_features_in_ == plain.n_features_in_
    if problem_type != "regression":
        assert ours.classes_.tolist() == plain.classes_.tolist()
        assert ours.n_classes_ == plain.n_classes_


@pytest.mark.parametrize("name", BOOSTERS)
def test_a_booster_splits_categories_that_no_threshold_on_codes_separates(name):
    """One categorical split separates alternate categories of twelve; thresholds on codes would need eleven splits."""
    draw = np.random.default_rng(3)
    codes = draw.integers(0, 12, 2000)
    frame = pd.DataFrame({"town": [f"t{code:02d}" for code in codes], "noise": draw.normal(size=2000)})
    frame.loc[::50, "town"] = None
    target = pd.Series(codes % 2)
    parts = (Rows(frame[:1000], target[:1000]), Rows(frame[1000:], target[1000:]))
    rows = fit_context(registry.algorithm(name), Task("binary_classification", 2), *parts, (0, 1))
    assert rows.prepared_data.categories == (1,)
    algorithm = registry.algorithm(name)
    tuned = {"n_estimators": 5, "max_depth": 1, "learning_rate": 1.0}
    fit = rows.fit(merged(algorithm.default_values, tuned, algorithm.fixed_values))
    known = frame["town"][1000:].notna().to_numpy()
    hits = (rows.on_validation(fit).labels == rows.y_validation)[known]
    assert hits.mean() > 0.99
    unheard = rows.model(fit).predict(pd.DataFrame({"town": ["nowhere", None], "noise": [0.0, 0.0]}))
    assert set(unheard) <= {0, 1}


@pytest.mark.parametrize(("name", "problem_type"), BOOSTED)
def test_early_stopping_ends_at_the_round_that_the_librarys_own_interface_ends_at(name, problem_type):
    """Shared bins with our own training loop stop at the same round as the plain estimator."""
    rows = prepared(name, problem_type)
    algorithm = registry.algorithm(name)
    parameters = merged(algorithm.default_values, {"n_estimators": 300, "learning_rate": 0.2}, algorithm.fixed_values)
    plain = plain_estimator(name, parameters, problem_type)
    x, of_table = (with_categories(rows, x) for x in (rows.prepared_data.x_train, rows.prepared_data.x_validation))
    unit = target_unit(rows.y_train) if problem_type == "regression" else AS_IT_IS
    y, watched = unit.learnt(rows.y_train), (of_table, unit.learnt(rows.y_validation))
    loss = {"XGBoost": ("logloss", "mlogloss", "rmse"), "LightGBM": ("binary_logloss", "multi_logloss", "rmse")}
    loss = dict(zip(PROBLEMS, loss[name], strict=True))[problem_type]
    if name == "XGBoost":
        plain.set_params(early_stopping_rounds=10, eval_metric=loss).fit(x, y, eval_set=[watched], verbose=False)
        expected = plain.best_iteration + 1
    else:
        stopping = importlib.import_module("lightgbm").early_stopping(10, verbose=False)
        plain.fit(x, y, eval_X=watched[0], eval_y=watched[1], eval_metric=loss, callbacks=[stopping])
        expected = plain.best_iteration_
    fit = rows.fit(parameters, patience=10)
    assert fit.rounds == expected
    assert fit.stopped_early


@pytest.mark.parametrize(("name", "problem_type"), PAIRS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # convergence does not matter here
def test_concurrent_fits_equal_sequential_fits(name, problem_type):
    """Threads share one fit context: every prediction at every report is bit-identical."""

    def outcome(rows, parameters):
        seen = []
        fit = rows.fit(parameters, patience=10, report=lambda grown, prediction: seen.append((grown, prediction)))
        report_rounds = [(grown, np.asarray(one.labels if one.scores is None else one.scores)) for grown, one in seen]
        return fit.rounds, values(rows, fit), report_rounds

    alone = [outcome(prepared(name, problem_type), parameters) for parameters in drawn(name)]
    shared = prepared(name, problem_type)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda parameters: outcome(shared, parameters), drawn(name)))
    for one, other in zip(alone, together, strict=True):
        assert one[0] == other[0]
        assert np.array_equal(one[1], other[1])
        assert [grown for grown, _ in one[2]] == [grown for grown, _ in other[2]]
        assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(one[2], other[2], strict=True))


@pytest.mark.parametrize("name", BOOSTERS)
def test_the_rows_are_binned_once_for_all_fits_with_the_same_bins(name):
    rows = prepared(name, "regression")
    made = []
    once = rows.prepared_data.binned.once
    for parameters in drawn(name, 4):
        rows.fit(parameters, patience=5)
        made.append(once((name.lower(), parameters["max_bin"], *([42] if name == "LightGBM" else [])), lambda: None))
    assert made[0] is made[2]
    assert made[1] is made[3]
    assert made[0] is not made[1]
    assert None not in made


@pytest.mark.parametrize("name", BOOSTERS)
def test_no_setting_of_one_fit_affects_the_next(name):
    """A minimum leaf size of 300 rows must not remove features from the next fit."""
    algorithm = registry.algorithm(name)
    large = {"LightGBM": {"min_child_samples": 300}, "XGBoost": {"min_child_weight": 300}}[name]
    plain = merged(algorithm.default_values, {"n_estimators": 20}, algorithm.fixed_values)
    rows = prepared(name, "regression")
    rows.fit({**plain, **large})
    after = values(rows, rows.fit(plain))
    fresh = prepared(name, "regression")
    assert np.array_equal(after, values(fresh, fresh.fit(plain)))


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("LightGBM", {"is_unbalance": True}, "[is_unbalance: 1]"),
        ("LightGBM", {"scale_pos_weight": 3}, "[scale_pos_weight: 3]"),
    ],
)
def test_the_weight_of_the_minority_class_reaches_lightgbm(name, given, expected):
    rows = prepared(name, "binary_classification")
    algorithm = registry.algorithm(name)
    fit = rows.fit(merged(algorithm.default_values, {"n_estimators": 5, **given}, algorithm.fixed_values))
    assert expected in fit.estimator.booster_.model_to_string()


def test_the_weight_of_the_minority_class_reaches_xgboost():
    rows = prepared("XGBoost", "binary_classification")
    algorithm = registry.algorithm("XGBoost")
    plain = merged(algorithm.default_values, {"n_estimators": 5}, algorithm.fixed_values)
    heavier = values(rows, rows.fit({**plain, "scale_pos_weight": 5.0}))[:, 1]
    assert heavier.mean() > values(rows, rows.fit(plain))[:, 1].mean() + 0.05


@pytest.mark.parametrize("name", [name for name in registry.installed() if name not in ("Ridge", "Lasso")])
def test_a_class_missing_in_the_train_rows_keeps_its_column(name):
    """A fold without a rare class still predicts a probability for each class of the dataset."""
    frame, target = table("multiclass_classification")
    train = target[:600] != 1
    parts = (Rows(frame[:600][train], target[:600][train]), Rows(frame[600:], target[600:]))
    algorithm = registry.algorithm(name)
    rows = fit_context(algorithm, Task("multiclass_classification", 3), *parts, (0, 1, 2))
    few = {"n_estimators": 9} if "n_estimators" in algorithm.parameters else {}
    fit = rows.fit(merged(algorithm.default_values, few, algorithm.fixed_values), 5, lambda rounds, prediction: None)
    scores = rows.on_validation(fit).scores
    assert scores.shape == (300, 3)
    assert scores[:, 1].max() < 0.05
    assert rows.model(fit).predict_proba(frame).shape == (900, 3)


def test_a_cached_value_is_computed_once_for_concurrent_calls():
    binned, made, start = Binned(), [], threading.Barrier(4)

    def ask(_):
        start.wait()
        return binned.once("bins", lambda: made.append(None) or object())

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(ask, range(4)))
    assert len(answers) == len(made) == 1


def test_the_least_recently_used_value_is_evicted():
    binned, made = Binned(kept=2), []
    for key in (1, 2, 1, 3, 1, 2):
        binned.once(key, lambda key=key: made.append(key))
    assert made == [1, 2, 3, 2]


@pytest.mark.parametrize(("name", "problem_type"), [pair for pair in PAIRS if registry.algorithm(pair[0]).bins_rows])
def test_a_refit_with_the_kept_rounds_is_the_same_model_on_categories(name, problem_type):
    """CatBoost encodes categories in another way in a fit of fewer than 200 rounds."""
    rows, algorithm = prepared(name, problem_type), registry.algorithm(name)
    parameters = merged(algorithm.default_values, {"n_estimators": 300}, algorithm.fixed_values)
    stopped = rows.fit(parameters, patience=5)
    assert stopped.rounds < 200
    np.testing.assert_allclose(values(rows, stopped), values(rows, rows.fit(rows.used(parameters, stopped))), atol=1e-9)
