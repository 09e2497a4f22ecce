"""What a study may draw from: dimensions, the conditions between them, and what makes a configuration legal.

A whole space is judged before the first trial, and every mistake is named at once.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from e2i_assets.core.errors import SearchSpaceInvalid, Violation
from e2i_assets.core.search_space.dimensions import (
    BaseDimension,
    CategoricalDimension,
    Dimension,
    IntDimension,
    same,
)

if TYPE_CHECKING:
    import optuna

SearchSpace = Mapping[str, Dimension]


class _Entry(BaseModel):
    dimension: Dimension


def parse_space(raw: Mapping[str, Any]) -> SearchSpace:
    """Read a search space in the format of the contract; a missing type means float.

    Args:
        raw: Parameter name to its definition, or to an already parsed dimension.

    Raises:
        SearchSpaceInvalid: With every mistake of every parameter.
    """
    space: dict[str, Any] = {}
    mistakes: list[Violation] = []
    for name, definition in raw.items():
        if isinstance(definition, BaseDimension):
            definition = definition.document()
        if not isinstance(definition, Mapping):
            mistakes.append(Violation(name, definition, "must be a mapping with type, low and high, or choices"))
            continue
        try:
            entry = _Entry.model_validate({"dimension": {"type": "float", **definition}})
        except ValidationError as error:
            mistakes += [_as_violation(name, dict(problem)) for problem in error.errors(include_url=False)]
            continue
        space[name] = entry.dimension
        wrong = [*entry.dimension.mistakes(), *entry.dimension.condition_mistakes()]
        mistakes += [Violation(name, dict(definition), rule) for rule in wrong]
    mistakes += _condition_mistakes(space)
    if mistakes:
        raise SearchSpaceInvalid("search space", mistakes)
    return _parents_first(space)


def violations(
    values: Mapping[str, object],
    space: SearchSpace,
    exempt_from_grid: frozenset[str] = frozenset(),
    defaults: Mapping[str, object] | None = None,
) -> list[Violation]:
    """Judge one configuration: every active parameter is there and legal, no inactive one is.

    Args:
        values: Parameter values; names that are not in the space are not judged.
        space: The space they were drawn from.
        exempt_from_grid: Parameters that only have to be whole numbers between 1 and the top of their range: the
            rounds at which early stopping ended below a cap.
        defaults: Values that an inactive parameter may keep, for a configuration that was merged over the defaults: it
            then has every parameter that says what it is ``otherwise``.
    """
    found = []
    drawn = active(values, space)
    for name, dimension in space.items():
        if name not in values:
            if name in drawn:
                found.append(Violation(name, None, "is missing: it was searched"))
            elif dimension.has_otherwise and defaults is not None:
                found.append(Violation(name, None, f"is missing: it must be {dimension.otherwise!r}, not being drawn"))
        elif name not in drawn:
            found += _undrawn_violations(name, values[name], dimension, defaults)
        elif name in exempt_from_grid and isinstance(dimension, IntDimension):
            value = values[name]
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= dimension.high:
                found.append(Violation(name, value, f"must be a whole number in [1, {dimension.high}]"))
        elif rule := dimension.broken_rule(values[name]):
            found.append(Violation(name, values[name], rule))
    return found


def active(values: Mapping[str, object], space: SearchSpace) -> dict[str, Any]:
    """Return those values that are drawn: a parameter that is not drawn itself lets nothing that waits for it be."""
    drawn: dict[str, Any] = {}
    for name, dimension in space.items():
        outside = {parent: values[parent] for parent in dimension.when or {} if parent in values.keys() - space.keys()}
        if dimension.is_active({**outside, **drawn}):
            drawn[name] = values.get(name)
    return drawn


def _undrawn_violations(
    name: str, value: object, dimension: Dimension, defaults: Mapping[str, object] | None
) -> list[Violation]:
    if dimension.has_otherwise:
        if same(value, dimension.otherwise):
            return []
        return [Violation(name, value, f"must be {dimension.otherwise!r}: to be drawn it needs {dimension.when}")]
    if defaults is not None and name in defaults and value == defaults[name]:
        return []
    return [Violation(name, value, f"does not apply: it needs {dimension.when}")]


def brought_into(values: Mapping[str, object], space: SearchSpace) -> tuple[dict[str, Any], list[str]]:
    """Bring a configuration from elsewhere into this space: onto the grid where that is near, else dropped.

    Returns:
        The legal part of the configuration, and a note for each value that was moved or dropped.
    """
    legal: dict[str, Any] = {}
    notes = []
    for name in values:
        if name not in space:
            notes.append(f"{name}={values[name]!r} dropped: not searched here")
    for name, dimension in space.items():
        if name not in values or not dimension.is_active(legal):
            continue
        value = values[name]
        if dimension.broken_rule(value) is None:
            legal[name] = value
            continue
        nearest = dimension.nearest(value)
        if nearest is None:
            notes.append(f"{name}={value!r} dropped: {dimension.broken_rule(value)}")
        else:
            legal[name] = nearest
            notes.append(f"{name}={value!r} moved to {nearest!r}: {dimension.broken_rule(value)}")
    return legal, notes


def suggest(trial: "optuna.Trial", space: SearchSpace) -> dict[str, Any]:
    """Draw one configuration; parameters whose condition does not hold are left out."""
    values: dict[str, Any] = {}
    for name, dimension in space.items():
        if dimension.is_active(values):
            values[name] = dimension.suggest(name, trial)
    return values


def settled(drawn: Mapping[str, Any], space: SearchSpace) -> dict[str, Any]:
    """Return a drawn configuration with the values that the parameters which were not drawn take instead."""
    instead = {name: one.otherwise for name, one in space.items() if one.has_otherwise and name not in drawn}
    return {**drawn, **instead}


def as_documents(space: SearchSpace) -> dict[str, dict[str, Any]]:
    """Return the space as JSON-able definitions that `parse_space` reads back to the same space."""
    return {name: dimension.document() for name, dimension in space.items()}


def _condition_mistakes(space: SearchSpace) -> list[Violation]:
    found = []
    for name, dimension in space.items():
        for parent, allowed in (dimension.when or {}).items():
            other = space.get(parent)
            if not isinstance(other, CategoricalDimension):
                found.append(Violation(name, parent, "can only depend on a categorical parameter of the same space"))
            elif illegal := [value for value in allowed if other.broken_rule(value)]:
                found.append(Violation(name, illegal, f"waits for values that {parent} cannot take"))
    return found


def _parents_first(space: SearchSpace) -> SearchSpace:
    """Order a space so that every parameter comes after those that its condition names."""
    ordered: dict[str, Any] = {}
    while ready := {
        name: dimension
        for name, dimension in space.items()
        if name not in ordered and set(dimension.when or {}) <= ordered.keys()
    }:
        ordered |= ready
    if circular := [Violation(name, space[name].when, "waits for itself") for name in space if name not in ordered]:
        raise SearchSpaceInvalid("search space", circular)
    return ordered


def _as_violation(name: str, problem: dict[str, Any]) -> Violation:
    where = ".".join([name, *(str(part) for part in problem["loc"][1:] if part not in ("int", "float", "categorical"))])
    return Violation(where, problem["input"], f"is wrong: {problem['msg']}")
