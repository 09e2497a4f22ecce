"""The ten algorithms: every sampled configuration fits, and a refit with its parameters gives the same model."""

import numpy as np
import optuna
import pytest
from sklearn import datasets

from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.early_stopping import report_rounds
from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.errors import E2iError
from e2i_assets.core.fitting.fit_context import Rows, fit_context, merged
from e2i_assets.core.metrics import default_metric, metric
from e2i_assets.core.search_space.space import suggest, violations

SETS = {
    "binary_classification": datasets.load_breast_cancer,
    "multiclass_classification": datasets.load_wine,
    "regression": datasets.load_diabetes,
}
PAIRS = [(name, kind) for name in registry.installed() for kind in registry.algorithm(name).problem_types]
ROUNDED = [pair for pair in PAIRS if registry.algorithm(pair[0]).rounds_parameter]
REPORTING = [pair for pair in PAIRS if registry.algorithm(pair[0]).family != "linear"]


def prepared(name, problem_type):
    data = SETS[problem_type](as_frame=True)
    order = np.random.default_rng(0).permutation(len(data.data))
    part = order[: int(len(order) * 0.7)], order[int(len(order) * 0.7) :]
    train, validation = (Rows(data.data.iloc[rows], data.target.iloc[rows]) for rows in part)
    classes = () if problem_type == "regression" else tuple(sorted(data.target.unique()))
    return fit_context(registry.algorithm(name), Task(problem_type, len(classes)), train, validation, classes)


def value(prepared_rows, fit, problem_type):
    score = metric(default_metric(problem_type), problem_type)
    return score.score(prepared_rows.y_validation, prepared_rows.on_validation(fit))


def configurations(algorithm, problem_type, count):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    drawn = [suggest(study.ask(), algorithm.search_space(problem_type)) for _ in range(count)]
    return [merged(algorithm.default_values, values, algorithm.fixed_values) for values in drawn]


def test_all_ten_algorithms_are_registered():
    """Every registered algorithm has defaults, a search space and a fit function."""
    assert set(registry.names()) == {
        *("XGBoost", "LightGBM", "RandomForest", "ExtraTrees"),
        *("GradientBoosting", "HistGradientBoosting", "LogisticRegression", "Ridge", "Lasso", "CatBoost"),
    }
    for name in registry.names():
        algorithm = registry.algorithm(name)
        assert algorithm.default_values, name
        assert all(algorithm.search_space(kind) for kind in algorithm.problem_types), name


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # a sampled C may need more iterations
@pytest.mark.parametrize(("name", "problem_type"), PAIRS)
def test_refitting_with_the_reported_parameters_gives_the_same_value(name, problem_type):
    """The tuned parameters, with the round at which early stopping ended, are those that are trained."""
    rows = prepared(name, problem_type)
    algorithm = registry.algorithm(name)
    # One fit in each further space of the algorithm.
    spaces = [(algorithm, 3), *((algorithm.with_preset(preset), 1) for preset in algorithm.presets[1:])]
    tried = [(one, values) for one, count in spaces for values in configurations(one, problem_type, count)]
    for searched, parameters in tried:
        fit = rows.fit(parameters, patience=10, report=lambda rounds, prediction: None)
        used = rows.used(parameters, fit)
        again = rows.fit(used)
        assert value(rows, fit, problem_type) == pytest.approx(value(rows, again, problem_type), abs=1e-9)
        exempt = frozenset({"n_estimators"}) if algorithm.rounds_parameter else frozenset()
        space = searched.search_space(problem_type)
        assert violations(used, space, exempt, algorithm.default_values) == []


@pytest.mark.parametrize(("name", "problem_type"), ROUNDED)
def test_boosters_stop_early(name, problem_type):
    """A booster that overfits stops long before its maximum number of rounds."""
    rows = prepared(name, problem_type)
    algorithm = registry.algorithm(name)
    parameters = merged(algorithm.default_values, {"n_estimators": 300, "learning_rate": 0.3}, algorithm.fixed_values)
    fit = rows.fit(parameters, patience=10)
    assert fit.stopped_early
    assert fit.rounds is not None
    assert fit.rounds < 300
    assert rows.used(parameters, fit)["n_estimators"] == fit.rounds


@pytest.mark.parametrize(("name", "problem_type"), REPORTING)
def test_reports_follow_the_schedule_and_hold_the_predictions_of_a_model_of_that_size(name, problem_type):
    """Each report during the fit holds the value of the model at that round."""
    rows = prepared(name, problem_type)
    algorithm = registry.algorithm(name)
    parameters = merged(algorithm.default_values, {"n_estimators": 30}, algorithm.fixed_values)
    seen = {}
    rows.fit(parameters, report=seen.__setitem__)
    assert tuple(seen) == report_rounds(30)
    small = rows.fit({**parameters, "n_estimators": 8})
    score = metric(default_metric(problem_type), problem_type)
    assert score.score(rows.y_validation, seen[8]) == pytest.approx(value(rows, small, problem_type), abs=1e-6)


@pytest.mark.parametrize(("name", "problem_type"), REPORTING)
def test_a_fit_can_be_pruned_at_a_report(name, problem_type):
    """Pruning stops the computation and does not only mark the trial."""

    class CutShort(Exception):
        pass

    seen = []

    def report(rounds, prediction):
        seen.append(rounds)
        if rounds >= 8:
            raise CutShort

    rows = prepared(name, problem_type)
    algorithm = registry.algorithm(name)
    with pytest.raises(CutShort):
        rows.fit(merged(algorithm.default_values, {}, algorithm.fixed_values), report=report)
    assert seen == [5, 8]


def test_an_unused_parameter_is_an_error():
    """No parameter is dropped before it reaches the estimator."""
    with pytest.raises(E2iError, match="XGBoost does not take num_leaves"):
        registry.algorithm("XGBoost").estimator({"num_leaves": 31}, "regression")


def test_lightgbm_receives_its_native_parameter_names():
    """Fractions and bagging reach the booster under LightGBM's names."""
    algorithm = registry.algorithm("LightGBM")
    tuned = {"feature_fraction": 0.55, "bagging_fraction": 0.65, "n_estimators": 20}
    rows = prepared("LightGBM", "regression")
    fit = rows.fit(merged(algorithm.default_values, tuned, algorithm.fixed_values))
    text = fit.estimator.booster_.model_to_string()
    for line in ("[feature_fraction: 0.55]", "[bagging_fraction: 0.65]", "[bagging_freq: 1]"):
        assert line in text


def test_an_algorithm_rejects_an_unsupported_problem_type():
    with pytest.raises(E2iError, match="Ridge does not support binary_classification"):
        registry.algorithm("Ridge").estimator({}, "binary_classification")


def test_an_unknown_algorithm_is_an_error():
    with pytest.raises(E2iError, match="unknown algorithm 'XGBost'"):
        registry.algorithm("XGBost")


@pytest.mark.parametrize("cap", [1, 5, 6, 100, 500])
def test_the_report_schedule_ends_below_the_maximum_and_stays_short(cap):
    found = report_rounds(cap)
    assert list(found) == sorted(set(found))
    assert all(report_round < cap for report_round in found)
    assert len(found) <= 11
