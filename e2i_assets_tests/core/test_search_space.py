"""Search spaces: judged as a whole before the first trial, and what makes one value legal."""

import pytest

from e2i_assets.core.errors import SearchSpaceInvalid
from e2i_assets.core.search_space.space import as_documents, brought_into, parse_space, violations

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
    """T6: an impossible definition is an error, not a warning."""
    with pytest.raises(SearchSpaceInvalid, match=rule):
        parse_space({"parameter": definition})


def test_all_mistakes_are_named_at_once():
    """T6: one round of corrections is enough."""
    with pytest.raises(SearchSpaceInvalid) as error:
        parse_space({"a": {"type": "int", "low": 5, "high": 1}, "b": {"type": "nothing"}, "c": 3})
    assert [violation.where for violation in error.value.violations] == ["a", "b", "c"]


def test_a_circle_of_conditions_is_refused():
    choice = {"type": "categorical", "choices": ["x"]}
    with pytest.raises(SearchSpaceInvalid, match="waits for itself"):
        parse_space({"a": {**choice, "when": {"b": ["x"]}}, "b": {**choice, "when": {"a": ["x"]}}})


def test_a_space_survives_being_written_down():
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
    """T13: off the grid, out of range, of another type, missing or not applicable."""
    assert [violation.where for violation in violations({**LEGAL, **change}, SPACE)] == [where]


@pytest.mark.parametrize("change", [{}, {"share": 0.7}, {"share": 1}, {"kind": None}, {"kind": "b", "extra": 3}])
def test_a_legal_configuration_has_no_violation(change):
    assert violations({**LEGAL, **change}, SPACE) == []


def test_rounds_that_early_stopping_left_need_not_lie_on_the_grid():
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
def test_a_foreign_configuration_is_clipped_to_the_grid_or_dropped(foreign, legal):
    """T21: never out of range."""
    values, notes = brought_into(foreign, SPACE)
    assert values == legal
    assert bool(notes) == (values != foreign) or "extra" in foreign
