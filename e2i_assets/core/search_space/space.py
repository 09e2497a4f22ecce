"""The search space of a study: its dimensions, the conditions between them, and the rules for a valid configuration.

A space is validated as a whole before the first trial, and all errors are reported at once.
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
    """Return the search space for a definition in the format of the contract; a missing type means float.

    Args:
        raw: Definition of each parameter by name, or a dimension that is parsed already.

    Raises:
        SearchSpaceInvalid: It contains all errors of all parameters.
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
    """Return the errors of a configuration: each active parameter must be present and valid, and no inactive one.

    Args:
        values: Parameter values; names that are not in the space are ignored.
        space: The space from which they were sampled.
        exempt_from_grid: Parameters that only have to be integers between 1 and their upper bound, such as the rounds
            after early stopping.
        defaults: For a configuration that was merged with the defaults: the values that an inactive parameter may
            have. Each parameter with ``otherwise`` is then required.
    """
    found = []
    drawn = active(values, space)
    for name, dimension in space.items():
        if name not in values:
            if name in drawn:
                found.append(Violation(name, None, "is missing: it is a searched parameter"))
            elif dimension.has_otherwise and defaults is not None:
                found.append(Violation(name, None, f"is missing: when not sampled it must be {dimension.otherwise!r}"))
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
    """Return the values of the active parameters; a parameter whose condition names an inactive one is inactive."""
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
        return [Violation(name, value, f"must be {dimension.otherwise!r}: it is only sampled with {dimension.when}")]
    if defaults is not None and name in defaults and value == defaults[name]:
        return []
    return [Violation(name, value, f"does not apply: it is only sampled with {dimension.when}")]


def adapted_to(values: Mapping[str, object], space: SearchSpace) -> tuple[dict[str, Any], list[str]]:
    """Adapt a configuration of another space to this one: move values to the nearest valid value, or drop them.

    Returns:
        The valid part of the configuration, and a note for each value that was moved or dropped.
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
    """Sample one configuration; parameters whose condition is not met are left out."""
    values: dict[str, Any] = {}
    for name, dimension in space.items():
        if dimension.is_active(values):
            values[name] = dimension.suggest(name, trial)
    return values


def settled(drawn: Mapping[str, Any], space: SearchSpace) -> dict[str, Any]:
    """Return a sampled configuration, completed by the ``otherwise`` values of parameters that were not sampled."""
    instead = {name: one.otherwise for name, one in space.items() if one.has_otherwise and name not in drawn}
    return {**drawn, **instead}


def as_documents(space: SearchSpace) -> dict[str, dict[str, Any]]:
    """Return the space as JSON-compatible definitions, which `parse_space` parses to the same space."""
    return {name: dimension.document() for name, dimension in space.items()}


def _condition_mistakes(space: SearchSpace) -> list[Violation]:
    found = []
    for name, dimension in space.items():
        for parent, allowed in (dimension.when or {}).items():
            other = space.get(parent)
            if not isinstance(other, CategoricalDimension):
                found.append(Violation(name, parent, "can only depend on a categorical parameter of the same space"))
            elif illegal := [value for value in allowed if other.broken_rule(value)]:
                found.append(Violation(name, illegal, f"depends on values that {parent} cannot take"))
    return found


def _parents_first(space: SearchSpace) -> SearchSpace:
    """Return the space in an order in which every parameter follows the parameters of its condition."""
    ordered: dict[str, Any] = {}
    while ready := {
        name: dimension
        for name, dimension in space.items()
        if name not in ordered and set(dimension.when or {}) <= ordered.keys()
    }:
        ordered |= ready
    if circular := [Violation(name, space[name].when, "depends on itself") for name in space if name not in ordered]:
        raise SearchSpaceInvalid("search space", circular)
    return ordered


def _as_violation(name: str, problem: dict[str, Any]) -> Violation:
    where = ".".join([name, *(str(part) for part in problem["loc"][1:] if part not in ("int", "float", "categorical"))])
    return Violation(where, problem["input"], f"is wrong: {problem['msg']}")
