"""The search space of an experiment: the algorithm's space with the changes of the file, reduced to what can apply."""

from collections.abc import Iterator, Mapping
from typing import Any

from e2i_assets.core.algorithms.algorithm import Algorithm
from e2i_assets.core.algorithms.consumption import ABSENT
from e2i_assets.core.errors import SearchSpaceInvalid, Violation
from e2i_assets.core.metrics import ProblemType
from e2i_assets.core.search_space.space import as_documents, parse_space
from e2i_assets.core.suggestions import not_one_of

Changes = Mapping[str, Mapping[str, Any] | None]
Documents = dict[str, dict[str, Any]]


def settled_space(
    algorithm: Algorithm, problem_type: ProblemType, changes: Changes, fixed: Mapping[str, Any]
) -> Documents:
    """Return the resulting space as definitions for `search_space.parse_space`.

    A parameter that is fixed or removed leaves the space. Conditions on it are then constant: a condition that is
    always met is dropped, and a parameter whose condition is never met leaves the space too.

    Args:
        algorithm: The algorithm whose space is changed.
        problem_type: The problem type of the experiment.
        changes: Parameter to changed keys, to a complete definition (with a type), or to None.
        fixed: Parameters with one value.
    """
    space = _changed(algorithm, problem_type, changes, fixed)
    constants = {**algorithm.default_values, **algorithm.fixed_values, **fixed}
    unchanged = {name for name in space if not changes.get(name)}
    while (resolved := _one_round(space, constants, algorithm.parameters, unchanged)) != space:
        space = resolved
    return space


def undrawn_values(
    algorithm: Algorithm, problem_type: ProblemType, changes: Changes, fixed: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the ``otherwise`` values of the parameters whose condition is never met with these changes."""
    changed = _changed(algorithm, problem_type, changes, fixed)
    settled = settled_space(algorithm, problem_type, changes, fixed)
    return {name: one["otherwise"] for name, one in changed.items() if "otherwise" in one and name not in settled}


def violations(
    algorithm: Algorithm,
    problem_type: ProblemType,
    changes: Changes,
    fixed: Mapping[str, Any],
    is_searched: bool = True,
) -> Iterator[Violation]:
    """Check the search-space changes and the fixed parameters of an experiment.

    Args:
        algorithm: The algorithm that has the parameters.
        problem_type: The problem type of the experiment.
        changes: See `settled_space`.
        fixed: Parameters with one value.
        is_searched: Whether there is a search; without one the defaults and the fixed parameters are fitted.
    """
    yield from _name_violations(algorithm, changes, fixed)
    known = {name: change for name, change in changes.items() if name in algorithm.parameters}
    space = settled_space(algorithm, problem_type, known, fixed)
    try:
        parse_space(space)
    except SearchSpaceInvalid as invalid:
        for broken in invalid.violations:
            yield Violation(f"search_space.{broken.where}", broken.value, broken.rule)
    for name, change in known.items():
        if change is not None and name not in space and name not in fixed:
            rule = "can never apply, because its condition is never met: change the parameter that it depends on"
            yield Violation(f"search_space.{name}", dict(change), rule)
    wrongly_fixed = [*_fixed_violations(algorithm, problem_type, space, fixed)]
    yield from wrongly_fixed
    named = {violation.where for violation in wrongly_fixed}
    for violation in _unread(algorithm, problem_type, space if is_searched else {}, fixed):
        if violation.where not in named:
            yield violation


def _unread(
    algorithm: Algorithm, problem_type: ProblemType, space: Documents, fixed: Mapping[str, Any]
) -> Iterator[Violation]:
    """Find the fixed and the searched parameters that at least one fit of the experiment ignores."""
    constants = {**algorithm.default_values, **algorithm.fixed_values, **fixed}

    def possible(name: str, other: str) -> list[Any]:
        condition = (space.get(name, {}).get("when") or {}).get(other)
        if condition is not None:
            return list(condition)
        if other not in space:
            return [constants.get(other, ABSENT)]
        definition = space[other]
        values = list(definition.get("choices", [definition.get("low")]))
        depends_on_name = name in (definition.get("when") or {})
        if "when" in definition and "otherwise" not in definition and not depends_on_name:
            values.append(constants.get(other, ABSENT))
        return values

    fixed_by_file = {name: value for name, value in fixed.items() if algorithm.fixed_values.get(name) != value}
    for where, names in (("fixed", fixed_by_file), ("search_space", space)):
        for violation in algorithm.consumption.violations(names, problem_type, possible):
            yield Violation(f"{where}.{violation.where}", violation.value, violation.rule)


def _changed(algorithm: Algorithm, problem_type: ProblemType, changes: Changes, fixed: Mapping[str, Any]) -> Documents:
    """Return the algorithm's space with the changes and without the fixed parameters."""
    space: Documents = as_documents(algorithm.search_space(problem_type))
    for name, change in changes.items():
        if change is None:
            space.pop(name, None)
        elif "type" in change or name not in space:
            space[name] = dict(change)
        else:
            space[name] = {**space[name], **change}
    return {name: definition for name, definition in space.items() if name not in fixed}


def _one_round(
    space: Documents, constants: Mapping[str, Any], parameters: frozenset[str], unchanged: set[str]
) -> Documents:
    """Resolve every condition on a parameter outside the space; limit unchanged conditions to the choices that exist.

    Args:
        space: The definitions so far.
        constants: The values of the parameters that are not searched.
        parameters: All parameters of the algorithm.
        unchanged: Parameters that keep the algorithm's definition.
    """
    resolved: Documents = {}
    for name, definition in space.items():
        conditions = dict(definition.get("when") or {})
        for parent, allowed in list(conditions.items()):
            if parent in space:
                choices = space[parent].get("choices")
                if name in unchanged and choices is not None:
                    conditions[parent] = [value for value in allowed if value in choices]
            elif parent in parameters and isinstance(allowed, list):
                conditions[parent] = [] if constants.get(parent) not in allowed else None
        if [] in conditions.values():
            continue
        remaining = {parent: allowed for parent, allowed in conditions.items() if allowed is not None}
        resolved[name] = {key: value for key, value in definition.items() if key not in ("when", "otherwise")}
        if remaining:
            resolved[name] = {**definition, "when": remaining}
    return resolved


def _name_violations(algorithm: Algorithm, changes: Changes, fixed: Mapping[str, Any]) -> Iterator[Violation]:
    parameters = sorted(algorithm.parameters)
    for name, change in changes.items():
        where = f"search_space.{name}"
        if name not in algorithm.parameters:
            yield Violation(where, name, f"is not a parameter of {algorithm.name}: it {not_one_of(name, parameters)}")
        elif change is not None and name in fixed:
            yield Violation(where, dict(change), "is also under `fixed`: remove it from one of the two")
        elif change is not None and name in algorithm.fixed_values:
            rule = f"cannot be searched, because {algorithm.name} always fixes it: set it under `fixed`"
            yield Violation(where, dict(change), rule)
    for name in fixed:
        if name not in algorithm.parameters:
            rule = f"is not a parameter of {algorithm.name}: it {not_one_of(name, parameters)}"
            yield Violation(f"fixed.{name}", name, rule)


def _fixed_violations(
    algorithm: Algorithm, problem_type: ProblemType, space: Documents, fixed: Mapping[str, Any]
) -> Iterator[Violation]:
    """Find fixed values that conflict with a value the search may draw, such as l1 when lbfgs may be drawn."""
    constants = {**algorithm.default_values, **algorithm.fixed_values, **fixed}
    conditional = algorithm.search_space(problem_type)
    for name, value in fixed.items():
        if name not in conditional or value == algorithm.default_values.get(name):
            continue
        if rule := conditional[name].broken_rule(value) if "choices" in conditional[name].model_dump() else None:
            yield Violation(f"fixed.{name}", value, rule)
        for parent, allowed in (conditional[name].when or {}).items():
            possible = space[parent].get("choices", []) if parent in space else [constants.get(parent)]
            if any(choice not in allowed for choice in possible):
                needed = " or ".join(repr(choice) for choice in allowed)
                yield Violation(f"fixed.{name}", value, f"needs {parent} to be {needed}: add {parent} under `fixed`")
