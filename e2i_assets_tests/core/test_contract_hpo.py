"""The contract of a study output: valid output is accepted, invalid output is rejected with the name of the field."""

import copy
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from e2i_assets.core.contracts.contract import HpoOutput, TrainingOutput
from e2i_assets.core.contracts.violations import hpo_output, training_violations_of, violations_of
from e2i_assets.core.errors import ContractBroken
from e2i_assets.core.search_space.space import parse_space

SPACE = parse_space(
    {
        "n_estimators": {"type": "int", "low": 100, "high": 500, "step": 50},
        "learning_rate": {"type": "float", "low": 0.01, "high": 0.3, "log": True},
        "subsample": {"type": "float", "low": 0.6, "high": 1.0, "step": 0.1},
        "solver": {"type": "categorical", "choices": ["lbfgs", "saga"]},
        "penalty": {"type": "categorical", "choices": ["l1", "l2", None], "when": {"solver": ["saga"]}},
    }
)
FIXED = {"random_state": 42, "verbose": False}
DEFAULTS = {"n_estimators": 300, "learning_rate": 0.1, "max_depth": 6}
EXEMPT = frozenset({"n_estimators"})


def completed() -> dict[str, Any]:
    return {
        "hpo_completed": True,
        "best_hyperparameters": {
            "n_estimators": 250,
            "learning_rate": 0.05,
            "subsample": 0.8,
            "solver": "saga",
            "penalty": None,
            "max_depth": 6,
            **FIXED,
        },
        "hpo_best_trial": 7,
        "hpo_best_value": -12345.6,
        "hpo_trials_run": 9,
        "hpo_trials_pruned": 3,
        "hpo_trials_failed": 1,
        "hpo_duration_seconds": 1.5,
        "hpo_study_name": "visits:1f2e",
        "hpo_metric": "rmse",
    }


def changed(document: dict[str, Any], where: str, value: object) -> dict[str, Any]:
    """Return a copy with one field replaced, or removed where the value is ``...``."""
    document = copy.deepcopy(document)
    *path, last = where.split(".")
    inner = document
    for part in path:
        inner = inner[part]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return document


def named(found: list[Any]) -> list[str]:
    return [violation.where for violation in found]


texts = st.text(min_size=1).filter(lambda text: any(not character.isspace() for character in text))
counts = st.integers(0, 10**6)


@st.composite
def valid_outputs(draw: st.DrawFn) -> dict[str, Any]:
    solver = draw(st.sampled_from(["lbfgs", "saga"]))
    found = draw(st.booleans())
    tuned = {
        "n_estimators": draw(st.integers(1, 500)),
        "learning_rate": draw(st.floats(0.01, 0.3)),
        "subsample": round(0.6 + 0.1 * draw(st.integers(0, 4)), 12),
        "solver": solver,
        **({"penalty": draw(st.sampled_from(["l1", "l2", None]))} if solver == "saga" else {}),
    }
    ran, other = draw(st.integers(1, 999)) if found else 0, draw(counts)
    return {
        "hpo_completed": found,
        "best_hyperparameters": {**DEFAULTS, **(tuned if found else {}), **FIXED},
        "hpo_best_trial": draw(st.integers(0, ran + other - 1)) if found else None,
        "hpo_best_stopped_early": found,
        "hpo_best_value": draw(st.floats(allow_nan=False, allow_infinity=False)) if found else None,
        "hpo_trials_run": ran,
        "hpo_trials_pruned": other,
        "hpo_duration_seconds": draw(st.floats(0, 1e9)),
        "hpo_study_name": draw(texts),
        "hpo_stop_reason": draw(texts),
        "hpo_pattern_id": draw(st.none() | texts),
        "validation_warnings": draw(st.lists(texts, max_size=2)),
    }


@settings(deadline=None)
@given(valid_outputs())
def test_every_valid_output_is_accepted_and_survives_json(raw: dict[str, Any]) -> None:
    output = hpo_output(raw, SPACE, FIXED, DEFAULTS, EXEMPT)
    assert HpoOutput.model_validate(json.loads(output.model_dump_json())) == output


RIGHT_TYPES: dict[str, tuple[type, ...]] = {
    "hpo_completed": (bool,),
    "hpo_best_trial": (int,),
    "hpo_best_stopped_early": (bool,),
    "hpo_best_value": (float, int),
    "hpo_default_value": (float, int, type(None)),
    "hpo_duration_seconds": (float, int),
    "hpo_study_name": (str,),
    "hpo_trials_run": (int,),
    "hpo_trials_pruned": (int,),
    "hpo_trials_failed": (int,),
    "validation_warnings": (list,),
    "hyperparameter_warnings": (list,),
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.dictionaries(st.sampled_from([*HpoOutput.model_fields, *TrainingOutput.model_fields]), ANYTHING)


@settings(deadline=None)
@given(ANYTHING | FIELDS)
def test_no_input_crashes_the_validation(raw: object) -> None:
    assert violations_of(raw, SPACE, FIXED, DEFAULTS)
    assert all(str(violation) for violation in training_violations_of(raw))


@settings(deadline=None)
@given(st.sampled_from(sorted(HpoOutput.model_fields)), ANYTHING)
def test_every_single_invalid_field_is_found(field: str, value: object) -> None:
    """A replaced field is rejected unless the replacement is valid too."""
    raw = changed({**completed(), "error": None}, field, value)
    if violations_of(raw, SPACE, FIXED, DEFAULTS):
        with pytest.raises(ContractBroken):
            hpo_output(raw, SPACE, FIXED, DEFAULTS)
    else:
        assert json.loads(json.dumps(raw, allow_nan=False)) == raw
        assert type(value) in RIGHT_TYPES.get(field, (str, type(None)))


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("hpo_completed", "true"),
        ("hpo_completed", 1),
        ("hpo_completed", None),
        ("hpo_completed", ...),
        ("best_hyperparameters", ...),
        ("best_hyperparameters", [("n_estimators", 250)]),
        ("hpo_best_value", None),
        ("hpo_best_value", math.nan),
        ("hpo_best_value", math.inf),
        ("hpo_best_value", -math.inf),
        ("hpo_best_value", "0.9"),
        ("hpo_best_value", True),
        ("hpo_default_value", math.inf),
        ("hpo_best_trial", None),
        ("hpo_best_trial", -1),
        ("hpo_best_trial", True),
        ("hpo_best_trial", 7.0),
        ("hpo_trials_run", 0),
        ("hpo_trials_run", -3),
        ("hpo_trials_run", True),
        ("hpo_trials_run", "9"),
        ("hpo_trials_run", None),
        ("hpo_trials_pruned", -1),
        ("hpo_trials_failed", 1.5),
        ("hpo_duration_seconds", -0.1),
        ("hpo_duration_seconds", math.nan),
        ("hpo_study_name", ""),
        ("hpo_study_name", "  "),
        ("hpo_study_name", None),
        ("hpo_metric", ""),
        ("hpo_stop_reason", 3),
        ("error", "it broke"),
        ("error_type", "hpo_error"),
        ("error_type", "something"),
        ("validation_warnings", "a warning"),
        ("validation_warnings", [""]),
        ("best_hyperparameters.n_estimators", 260),
        ("best_hyperparameters.n_estimators", 50),
        ("best_hyperparameters.n_estimators", 550),
        ("best_hyperparameters.n_estimators", 250.0),
        ("best_hyperparameters.n_estimators", True),
        ("best_hyperparameters.n_estimators", ...),
        ("best_hyperparameters.learning_rate", math.nan),
        ("best_hyperparameters.learning_rate", math.inf),
        ("best_hyperparameters.learning_rate", 0.31),
        ("best_hyperparameters.learning_rate", "0.1"),
        ("best_hyperparameters.learning_rate", 10**400),
        ("best_hyperparameters.learning_rate", ...),
        ("best_hyperparameters.subsample", 0.85),
        ("best_hyperparameters.solver", "newton"),
        ("best_hyperparameters.solver", ...),
        ("best_hyperparameters.penalty", ...),
        ("best_hyperparameters.penalty", "elasticnet"),
        ("best_hyperparameters.max_depth", 7),
        ("best_hyperparameters.max_depth", ...),
        ("best_hyperparameters.random_state", 43),
        ("best_hyperparameters.random_state", ...),
        ("best_hyperparameters.verbose", 0),
        ("best_hyperparameters.gamma", 1.0),
        ("best_hyperparameters.solver", ["saga"]),
        ("hpo_trials", 12),
    ],
)
def test_a_single_mistake_is_rejected_with_the_name_of_its_field(where: str, value: object) -> None:
    raw = changed({**completed(), "validation_warnings": ["fine"]}, where, value)
    found = violations_of(raw, SPACE, FIXED, DEFAULTS)
    assert any(name == where or name.startswith(f"{where}.") for name in named(found))
    with pytest.raises(ContractBroken, match=where.rpartition(".")[2]):
        hpo_output(raw, SPACE, FIXED, DEFAULTS)


def test_all_mistakes_are_reported_at_once() -> None:
    """An invalid field does not prevent the evaluation of the rules between the other fields."""
    raw = completed() | {"hpo_completed": True, "hpo_best_value": math.nan, "hpo_best_trial": None, "typo": 1}
    raw["hpo_trials_run"] = -1
    raw["best_hyperparameters"] = {"n_estimators": 260, "random_state": 1}
    found = set(named(violations_of(raw, SPACE, FIXED, DEFAULTS)))
    assert found == {
        "hpo_best_value",
        "hpo_best_trial",
        "hpo_trials_run",
        "typo",
        "best_hyperparameters.n_estimators",
        "best_hyperparameters.random_state",
        "best_hyperparameters.verbose",
        "best_hyperparameters.max_depth",
        "best_hyperparameters.learning_rate",
        "best_hyperparameters.subsample",
        "best_hyperparameters.solver",
    }


@pytest.mark.parametrize("raw", [None, "completed", 3, [], [("hpo_completed", True)], True])
def test_a_value_that_is_not_a_mapping_is_rejected(raw: object) -> None:
    (violation,) = violations_of(raw, SPACE, FIXED, DEFAULTS)
    assert str(violation).startswith("hpo_output: ")
    assert violation.rule == "must be a mapping"


@pytest.mark.parametrize("rounds", [1, 41, 500])
def test_an_early_stopped_round_may_be_off_the_grid_below_its_maximum(rounds: int) -> None:
    raw = changed(completed(), "best_hyperparameters.n_estimators", rounds) | {"hpo_best_stopped_early": True}
    assert violations_of(raw, SPACE, FIXED, DEFAULTS, EXEMPT) == []


@pytest.mark.parametrize("rounds", [0, 501, 41.0, True])
def test_an_early_stopped_round_above_its_maximum_or_below_one_is_rejected(rounds: object) -> None:
    raw = changed(completed(), "best_hyperparameters.n_estimators", rounds) | {"hpo_best_stopped_early": True}
    assert named(violations_of(raw, SPACE, FIXED, DEFAULTS, EXEMPT)) == ["best_hyperparameters.n_estimators"]


def test_rounds_off_the_grid_are_rejected_without_early_stopping() -> None:
    raw = changed(completed(), "best_hyperparameters.n_estimators", 41)
    assert named(violations_of(raw, SPACE, FIXED, DEFAULTS, EXEMPT)) == ["best_hyperparameters.n_estimators"]


def test_early_stopping_may_reduce_a_fixed_maximum() -> None:
    fixed = {**FIXED, "n_estimators": 1000}
    raw = changed(completed(), "best_hyperparameters.n_estimators", 612) | {"hpo_best_stopped_early": True}
    assert violations_of(raw, SPACE, fixed, DEFAULTS, EXEMPT) == []
    raw["best_hyperparameters"]["n_estimators"] = 0
    assert named(violations_of(raw, SPACE, fixed, DEFAULTS, EXEMPT)) == ["best_hyperparameters.n_estimators"]


def test_a_parameter_with_an_unmet_condition_must_be_absent() -> None:
    raw = changed(changed(completed(), "best_hyperparameters.solver", "lbfgs"), "best_hyperparameters.penalty", ...)
    assert violations_of(raw, SPACE, FIXED, DEFAULTS) == []
    raw["best_hyperparameters"]["penalty"] = "l1"
    assert named(violations_of(raw, SPACE, FIXED, DEFAULTS)) == ["best_hyperparameters.penalty"]


def not_completed(**fields: object) -> dict[str, Any]:
    return {"hpo_completed": False, "best_hyperparameters": {**DEFAULTS, **FIXED}, **fields}


def test_a_disabled_search_is_valid_with_the_defaults() -> None:
    assert hpo_output(not_completed(), {}, FIXED, DEFAULTS).hpo_trials_run == 0


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"hpo_best_value": 0.9}, "hpo_best_value"),
        ({"hpo_best_trial": 0}, "hpo_best_trial"),
        ({"hpo_best_stopped_early": True}, "hpo_best_stopped_early"),
        ({"hpo_trials_run": 3, "hpo_study_name": "s"}, "hpo_stop_reason"),
        ({"hpo_trials_pruned": 3, "hpo_study_name": "s"}, "hpo_stop_reason"),
        ({"hpo_trials_failed": 3, "hpo_study_name": "s", "hpo_stop_reason": "no trial completed"}, "error"),
        (
            {"hpo_trials_pruned": 3, "hpo_trials_begun": 2, "hpo_study_name": "s", "hpo_stop_reason": "no trial"},
            "hpo_trials_begun",
        ),
        ({"hpo_trials_pruned": 3, "hpo_stop_reason": "timeout"}, "hpo_study_name"),
        ({"error": "no rows"}, "error_type"),
        ({"best_hyperparameters": {**DEFAULTS, **FIXED, "learning_rate": 0.2}}, "best_hyperparameters.learning_rate"),
        ({"best_hyperparameters": {**DEFAULTS, **FIXED, "subsample": 0.8}}, "best_hyperparameters.subsample"),
    ],
)
def test_an_incomplete_study_has_a_reason_and_no_best_trial(fields: dict[str, object], where: str) -> None:
    assert named(violations_of(not_completed(**fields), SPACE, FIXED, DEFAULTS)) == [where]


@pytest.mark.parametrize(("begun", "right"), [(None, 12), (13, 12), (20, 19)])
def test_the_best_trial_is_one_of_the_started_trials(begun: int | None, right: int) -> None:
    raw = completed() | {"hpo_trials_begun": begun}
    assert violations_of(raw | {"hpo_best_trial": right}, SPACE, FIXED, DEFAULTS) == []
    for number in (right + 1, 999):
        assert named(violations_of(raw | {"hpo_best_trial": number}, SPACE, FIXED, DEFAULTS)) == ["hpo_best_trial"]


def test_a_partial_study_with_a_reason_is_valid() -> None:
    failed = {"error": "3 of 3 trials failed", "error_type": "hpo_error"}
    raw = not_completed(hpo_trials_failed=3, hpo_study_name="s", hpo_stop_reason="no trial completed", **failed)
    assert violations_of(raw, SPACE, FIXED, DEFAULTS) == []


def test_no_trial_is_completed_without_a_search() -> None:
    assert "hpo_completed" in named(violations_of(completed(), {}, FIXED, DEFAULTS))


def test_an_unknown_search_space_is_not_evaluated() -> None:
    raw = changed(completed(), "best_hyperparameters.n_estimators", 260)
    assert violations_of(raw, None, FIXED, DEFAULTS) == []
    assert named(violations_of(changed(raw, "best_hyperparameters.random_state", 1), None, FIXED, DEFAULTS)) == [
        "best_hyperparameters.random_state"
    ]


def test_outputs_are_frozen() -> None:
    output = hpo_output(completed(), SPACE, FIXED, DEFAULTS)
    with pytest.raises(ValidationError, match="frozen"):
        output.hpo_completed = False  # type: ignore[misc]


def test_the_algorithm_to_train_is_the_first_of_the_leaderboard() -> None:
    row = {
        "value": 0.7,
        "low": 0.6,
        "high": 0.8,
        "trials": 3,
        "seconds": 1.5,
        "study_key": "1f2e",
        "verdict": "trained",
    }
    board = [{"algorithm": "Ridge", **row}, {"algorithm": "Lasso", **row}]

    def found(algorithm: object, leaderboard: object) -> list[str]:
        raw = {**completed(), "hpo_algorithm": algorithm, "hpo_leaderboard": leaderboard}
        return named(violations_of(raw, SPACE, FIXED, DEFAULTS))

    assert found("Ridge", board) == found(None, None) == []
    assert found("Lasso", board) == found("Ridge", None) == found(None, board) == ["hpo_algorithm"]
    assert found("Ridge", []) == ["hpo_leaderboard"]
    assert found("Ridge", [{**board[0], "trials": -1}]) == ["hpo_leaderboard.0.trials"]
