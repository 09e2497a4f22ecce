"""Search spaces: validated as a whole before the first trial, and the rules for a legal value."""

import json

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2i_assets.core.errors import SearchSpaceInvalid
from e2i_assets.core.search_space.space import adapted_to, as_documents, parse_space, settled, suggest, violations

SPACE = parse_space(
    {
        "rounds": {"type": "int", "low": 50, "high": 500, "step": 50},
        "rate": {"low": 0.01, "high": 0.3, "log": True},
        "share": {"type": "float", "low": 0.6, "high": 1.0, "step": 0.1},
        "kind": {"type": "categorical", "choices": ["a", "b", None]},
        "extra": {"type": "int", "low": 1, "high": 3, "when": {"kind": ["b"]}},
    }
)
LEGAL = {"rounds": 100, "rate": 0.1, "share": 0.8, "kind": "a"}


@pytest.mark.parametrize(
    ("definition", "rule"),
    [
        ({"type": "int", "low": 5, "high": 1}, "low above high"),
        ({"type": "int", "low": 1, "high": 9, "step": 2, "log": True}, "both log and step"),
        ({"type": "float", "low": 0.1, "high": 1.0, "step": 0.1, "log": True}, "both log and step"),
        ({"type": "float", "low": 0.0, "high": 1.0, "log": True}, "low > 0"),
        ({"type": "int", "low": 0, "high": 8, "log": True}, "low >= 1"),
        ({"type": "int", "low": 1, "high": 8, "step": 0}, "step above 0"),
        ({"type": "integer", "low": 1, "high": 8}, "integer"),
        ({"type": "categorical", "choices": []}, "at least one choice"),
        ({"type": "categorical", "choices": ["a", "a"]}, "twice"),
        ({"type": "float", "low": float("nan"), "high": 1.0}, "finite"),
        ({"type": "int", "low": True, "high": 3}, "int"),
        ({"low": 1.0}, "Field required"),
        ("100", "mapping"),
        ({"type": "int", "low": 1, "high": 2, "when": {"missing": ["x"]}}, "categorical parameter"),
    ],
)
def test_a_mistake_is_named_with_its_rule(definition, rule):
    """An impossible definition is an error, not a warning."""
    with pytest.raises(SearchSpaceInvalid, match=rule):
        parse_space({"parameter": definition})


def test_all_mistakes_are_named_at_once():
    """All mistakes can be fixed in one round."""
    with pytest.raises(SearchSpaceInvalid) as error:
        parse_space({"a": {"type": "int", "low": 5, "high": 1}, "b": {"type": "nothing"}, "c": 3})
    assert [violation.where for violation in error.value.violations] == ["a", "b", "c"]


def test_a_cycle_of_conditions_is_rejected():
    choice = {"type": "categorical", "choices": ["x"]}
    with pytest.raises(SearchSpaceInvalid, match="depends on itself"):
        parse_space({"a": {**choice, "when": {"b": ["x"]}}, "b": {**choice, "when": {"a": ["x"]}}})


def test_a_space_survives_serialisation():
    assert parse_space(as_documents(SPACE)) == SPACE


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"rounds": 125}, "rounds"),
        ({"rounds": 100.0}, "rounds"),
        ({"rounds": True}, "rounds"),
        ({"rate": 0.5}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"rate": "0.1"}, "rate"),
        ({"share": 0.65}, "share"),
        ({"kind": "c"}, "kind"),
        ({"extra": 2}, "extra"),
        ({"kind": "b"}, "extra"),
    ],
)
def test_an_illegal_value_is_named(change, where):
    """The value is off the grid, out of range, of another type, missing or not applicable."""
    assert [violation.where for violation in violations({**LEGAL, **change}, SPACE)] == [where]


@pytest.mark.parametrize("change", [{}, {"share": 0.7}, {"share": 1}, {"kind": None}, {"kind": "b", "extra": 3}])
def test_a_legal_configuration_has_no_violation(change):
    assert violations({**LEGAL, **change}, SPACE) == []


def test_rounds_after_early_stopping_may_be_off_the_grid():
    assert violations({**LEGAL, "rounds": 37}, SPACE, exempt_from_grid=frozenset({"rounds"})) == []
    assert violations({**LEGAL, "rounds": 501}, SPACE, exempt_from_grid=frozenset({"rounds"})) != []


@pytest.mark.parametrize(
    ("foreign", "legal"),
    [
        ({"rounds": 12}, {"rounds": 50}),
        ({"rounds": 9999}, {"rounds": 500}),
        ({"rounds": 130}, {"rounds": 150}),
        ({"rate": 1e-9}, {"rate": 0.01}),
        ({"share": 0.77}, {"share": 0.8}),
        ({"kind": "zzz"}, {}),
        ({"kind": "b", "extra": 7}, {"kind": "b", "extra": 3}),
        ({"kind": "a", "extra": 2}, {"kind": "a"}),
        ({"unknown": 1, "rate": 0.2}, {"rate": 0.2}),
        ({"rate": "fast"}, {}),
    ],
)
def test_a_configuration_of_another_space_is_clipped_to_the_grid_or_dropped(foreign, legal):
    """The result is never out of range."""
    values, notes = adapted_to(foreign, SPACE)
    assert values == legal
    assert bool(notes) == (values != foreign) or "extra" in foreign


RANGE = {"type": "int", "low": 1, "high": 3}


def growers():
    """Return a space in which depth-wise trees have a depth, and leaf-wise trees a number of leaves."""
    return parse_space(
        {
            "grow_policy": {"type": "categorical", "choices": ["depthwise", "lossguide"]},
            "max_depth": {"type": "int", "low": 2, "high": 6, "when": {"grow_policy": ["depthwise"]}, "otherwise": 0},
            "max_leaves": {
                **{"type": "int", "low": 8, "high": 128, "log": True},
                **{"when": {"grow_policy": ["lossguide"]}, "otherwise": 0},
            },
        }
    )


def test_a_parameter_that_is_not_sampled_takes_its_otherwise_value():
    assert settled({"grow_policy": "depthwise", "max_depth": 4}, growers()) == {
        **{"grow_policy": "depthwise", "max_depth": 4},
        **{"max_leaves": 0},
    }
    unsaid = parse_space(
        {"kind": {"type": "categorical", "choices": ["a", "b"]}, "x": {**RANGE, "when": {"kind": ["b"]}}}
    )
    assert settled({"kind": "a"}, unsaid) == {"kind": "a"}


@pytest.mark.parametrize("value", [0, None, "none", False])
def test_an_otherwise_value_survives_serialisation(value):
    """Null is a value and differs from a missing key."""
    space = parse_space(
        {"kind": {"type": "categorical", "choices": ["a", "b"]}, "x": {**RANGE, "when": {"kind": ["b"]}}}
        | {"y": {**RANGE, "when": {"kind": ["b"]}, "otherwise": value}}
    )
    for again in (parse_space(json.loads(json.dumps(as_documents(space)))), parse_space(space)):
        assert as_documents(again) == as_documents(space)
        assert settled({"kind": "a"}, again) == {"kind": "a", "y": value}


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"grow_policy": "depthwise", "max_depth": 4, "max_leaves": 0}, []),
        ({"grow_policy": "lossguide", "max_depth": 0, "max_leaves": 8}, []),
        ({"grow_policy": "depthwise", "max_depth": 4, "max_leaves": 31}, ["max_leaves"]),
        ({"grow_policy": "depthwise", "max_depth": 4, "max_leaves": False}, ["max_leaves"]),
        ({"grow_policy": "lossguide", "max_depth": 6, "max_leaves": 8}, ["max_depth"]),
        ({"grow_policy": "depthwise", "max_depth": 0, "max_leaves": 0}, ["max_depth"]),
        ({"grow_policy": "depthwise", "max_depth": 4}, ["max_leaves"]),
    ],
)
def test_a_parameter_that_is_not_sampled_must_have_its_otherwise_value(values, wrong):
    found = violations(values, growers(), defaults={"max_depth": 6})
    assert [violation.where for violation in found] == wrong


def test_a_condition_ignores_the_otherwise_value_of_its_parent():
    """A grandchild is sampled if its parent was sampled, not if the parent's `otherwise` value meets the condition."""
    space = parse_space(
        {
            "a": {"type": "categorical", "choices": ["x", "y"]},
            "b": {"type": "categorical", "choices": ["p", "q"], "when": {"a": ["y"]}, "otherwise": "q"},
            "c": {**RANGE, "when": {"b": ["q"]}, "otherwise": 0},
        }
    )
    assert violations({"a": "x", "b": "q", "c": 0}, space, defaults={}) == []
    assert [one.where for one in violations({"a": "x", "b": "q", "c": 2}, space, defaults={})] == ["c"]


@pytest.mark.parametrize(
    ("definition", "rule"),
    [
        ({**RANGE, "otherwise": 0}, "otherwise and no when"),
        ({**RANGE, "when": {"kind": ["b"]}, "otherwise": [0]}, "otherwise"),
        ({**RANGE, "when": {"kind": [True]}}, "cannot take"),
    ],
)
def test_an_invalid_condition_is_rejected(definition, rule):
    with pytest.raises(SearchSpaceInvalid, match=rule):
        parse_space({"kind": {"type": "categorical", "choices": [1, "b"]}, "x": definition})


numbers = st.integers(-50, 50)


@st.composite
def definitions(draw):
    """Return a legal dimension of any kind: grids that do not reach their maximum, log scales, null as a choice."""
    kind = draw(st.sampled_from(["int", "int_log", "int_step", "float", "float_log", "float_step", "categorical"]))
    if kind == "categorical":
        return {
            "type": "categorical",
            "choices": draw(st.permutations(["a", None, True, 2, 0.5]))[: draw(numbers) % 4 + 1],
        }
    low, span = draw(numbers), draw(st.integers(0, 60))
    if kind.startswith("int"):
        low = abs(low) + 1 if kind == "int_log" else low
        step = {"step": draw(st.integers(1, 9))} if kind == "int_step" else {}
        return {"type": "int", "low": low, "high": low + span, "log": kind == "int_log", **step}
    scale = draw(st.sampled_from([1.0, 0.1, 1e-3]))
    low = abs(low) + 1 if kind == "float_log" else low
    step = {"step": round(draw(st.integers(1, 9)) * scale, 6)} if kind == "float_step" else {}
    low, high = round(low * scale, 6), round((low + span) * scale, 6)
    return {"type": "float", "low": low, "high": high, "log": kind == "float_log", **step}


@given(st.dictionaries(st.sampled_from("abcdef"), definitions(), min_size=1), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_every_sampled_value_is_legal_also_after_serialisation(raw, seed):
    """Log, step and choices are kept, and the serialised space samples the same values."""
    space = parse_space(raw)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for _ in range(3):
        drawn = suggest(study.ask(), space)
        assert violations(drawn, space) == []
        assert adapted_to(drawn, space) == (drawn, [])
    assert parse_space(json.loads(json.dumps(as_documents(space)))) == space
