from typing import Any

import pytest

from e2i_assets.core.algorithms import registry
from e2i_assets.core.errors import ExperimentInvalid
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from


def experiment(
    algorithm: str, search_space: dict[str, Any], fixed: dict[str, Any] | None = None, **sections: Any
) -> Experiment:
    raw = {
        "name": "x",
        "owner": "team:a",
        "source": {"csv": "a.csv"},
        "target": "y",
        "problem_type": registry.algorithm(algorithm).problem_types[0],
        "algorithm": algorithm,
        "search_space": search_space,
        "fixed": fixed or {},
        **sections,
    }
    return experiment_from(raw, "x")


@pytest.mark.parametrize("name", registry.installed())
def test_without_changes_the_space_is_the_default_of_the_algorithm(name: str) -> None:
    algorithm = registry.algorithm(name)
    for problem_type in algorithm.problem_types:
        plain = experiment(name, {}).model_copy(update={"problem_type": problem_type})
        own = dict(algorithm.search_space(problem_type))
        if plain.stops_rounds:  # with early stopping, the search does not sample the rounds
            own.pop(algorithm.rounds_parameter)
        assert plain.search_space() == own


def test_an_override_of_one_key_changes_only_that_key() -> None:
    space = experiment("XGBoost", {"max_depth": {"high": 6}, "learning_rate": {"low": 0.05}}).search_space()
    assert space["max_depth"].document() == {
        "type": "int",
        "low": 3,
        "high": 6,
        "step": 1,
        "log": False,
    }
    assert space["learning_rate"].model_dump()["log"] is True
    assert space["learning_rate"].model_dump()["low"] == 0.05


def test_an_override_with_a_type_redefines_the_parameter() -> None:
    space = experiment("XGBoost", {"learning_rate": {"type": "float", "low": 0.1, "high": 0.2}}).search_space()
    assert space["learning_rate"].model_dump()["log"] is False


def test_null_removes_a_parameter_and_a_new_name_adds_one() -> None:
    space = experiment("XGBoost", {"subsample": None, "gamma": {"low": 0.0, "high": 2.0}}).search_space()
    assert "subsample" not in space
    assert space["gamma"].model_dump()["type"] == "float"


WIDE = {"hpo": {"preset": "wide"}}


@pytest.mark.parametrize("name", ["LightGBM", "XGBoost"])
def test_the_wide_preset_replaces_the_space_that_the_file_changes(name: str) -> None:
    contract, wide = experiment(name, {}), experiment(name, {}, **WIDE)
    assert wide.search_space().keys() == registry.algorithm(name).wide_space.keys() - {"n_estimators"}
    assert wide.search_space()["learning_rate"].low < contract.search_space()["learning_rate"].low
    assert wide.default_parameters() == contract.default_parameters()
    changed = experiment(name, {"learning_rate": {"low": 0.02}, "reg_lambda": None}, {"max_depth": 4}, **WIDE)
    space = changed.search_space()
    assert (space["learning_rate"].low, space["learning_rate"].high) == (0.02, 0.2)
    assert space.keys().isdisjoint({"reg_lambda", "max_depth"})
    assert (wide.spec_hash, wide.run_hash) != (contract.spec_hash, contract.run_hash)


def test_the_wide_preset_is_refused_where_there_is_no_such_space() -> None:
    with pytest.raises(ExperimentInvalid, match=r"hpo\.preset: 'wide' is not a search space of Ridge: choose contract"):
        experiment("Ridge", {}, **WIDE)


def test_the_hashes_of_experiments_without_a_preset_are_those_of_earlier_releases() -> None:
    named = experiment("LightGBM", {}, hpo={"preset": "contract", "folds": 3, "objective": "cross_validation"})
    unnamed = experiment("LightGBM", {}, hpo={"folds": 3, "objective": "cross_validation"})
    assert named.spec_hash == unnamed.spec_hash == "2c15a39bc5ee1cdd9f2a5f6ce888bf41b2dd1f0a1807fe794602f809fc22c578"
    assert "preset" not in named.model_dump()["hpo"]


def test_a_fixed_parameter_is_not_searched() -> None:
    fixed = experiment("XGBoost", {}, {"max_depth": 4, "n_jobs": 2})
    assert "max_depth" not in fixed.search_space()
    assert fixed.fixed_parameters() == {"random_state": 42, "n_jobs": 2, "verbosity": 0, "max_depth": 4}


@pytest.mark.parametrize(
    ("search_space", "fixed", "left"),
    [
        ({"solver": None}, {}, {"C"}),
        ({}, {"solver": "lbfgs"}, {"C"}),
        ({}, {"solver": "saga"}, {"C", "penalty", "l1_ratio"}),
        ({}, {"solver": "saga", "penalty": "l1"}, {"C"}),
        ({}, {"solver": "saga", "penalty": "elasticnet"}, {"C", "l1_ratio"}),
        ({"solver": {"choices": ["lbfgs"]}}, {}, {"C", "solver"}),
        ({"penalty": {"choices": ["l1", "l2"]}}, {}, {"C", "solver", "penalty"}),
    ],
)
def test_no_parameter_is_left_whose_condition_can_never_hold(
    search_space: dict[str, Any], fixed: dict[str, Any], left: set[str]
) -> None:
    """A condition on a parameter with one value is resolved when the space is built, not in a failing trial."""
    assert set(experiment("LogisticRegression", search_space, fixed).search_space()) == left


@pytest.mark.parametrize(
    ("algorithm", "search_space", "fixed", "expected"),
    [
        (
            "Ridge",
            {"alfa": {"low": 1, "high": 2}},
            {},
            "search_space.alfa: 'alfa' is not a parameter of Ridge: it is not one of",
        ),
        ("Ridge", {"alfa": None}, {}, "did you mean 'alpha'?"),
        ("Ridge", {"alpha": {"low": 5, "high": 2}}, {}, "has low above high"),
        ("Ridge", {"alpha": {"low": 0}}, {}, "needs low > 0 for log"),
        ("Ridge", {"alpha": {"type": "real", "low": 1, "high": 2}}, {}, "search_space.alpha"),
        ("Ridge", {"alpha": {"lo": 1}}, {}, "search_space.alpha.lo"),
        ("XGBoost", {"gamma": {"low": 1}}, {}, "search_space.gamma.high"),
        ("XGBoost", {"max_depth": {"high": 6.5}}, {}, "search_space.max_depth.high: 6.5"),
        (
            "Ridge",
            {"alpha": {"high": 2}},
            {"alpha": 1},
            "is also under `fixed`: remove it from one of the two",
        ),
        (
            "XGBoost",
            {"n_jobs": {"type": "int", "low": 1, "high": 4}},
            {},
            "because XGBoost always fixes it",
        ),
        ("Ridge", {}, {"alhpa": 1}, "fixed.alhpa: 'alhpa' is not a parameter of Ridge"),
        ("LogisticRegression", {}, {"penalty": "l3"}, "fixed.penalty: 'l3' must be one of"),
        (
            "LogisticRegression",
            {},
            {"penalty": "l1"},
            "fixed.penalty: 'l1' needs solver to be 'saga': add solver",
        ),
        ("LogisticRegression", {}, {"penalty": "l1", "solver": "lbfgs"}, "needs solver to be 'saga'"),
        ("LogisticRegression", {"penalty": {"choices": ["l1"]}}, {"solver": "lbfgs"}, "can never apply"),
    ],
)
def test_a_space_in_which_a_trial_could_fail_is_rejected(
    algorithm: str, search_space: dict[str, Any], fixed: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ExperimentInvalid) as caught:
        experiment(algorithm, search_space, fixed)
    assert expected in str(caught.value)


def test_every_mistake_of_a_space_is_reported_at_once() -> None:
    space = {"max_depth": {"low": 20}, "subsample": {"high": "a"}, "depth": {"low": 1, "high": 2}}
    with pytest.raises(ExperimentInvalid) as caught:
        experiment("XGBoost", space, {"njobs": 1})
    assert {violation.where for violation in caught.value.violations} == {
        "search_space.max_depth",
        "search_space.subsample.high",
        "search_space.depth",
        "fixed.njobs",
    }
