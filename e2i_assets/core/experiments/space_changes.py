"""The search space of an experiment: the algorithm's own, changed by the file, with no parameter that cannot apply."""

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

    A parameter that is fixed or taken out leaves the space. A condition on it is then decided: where it holds it is
    dropped, where it does not the waiting parameter leaves too.

    Args:
        algorithm: Whose space is changed.
        problem_type: Of the experiment.
        changes: Parameter to changed keys, to a whole definition (one with a type), or to None.
        fixed: Parameters with one value.
    """
    space = _changed(algorithm, problem_type, changes, fixed)
    constants = {**algorithm.default_values, **algorithm.fixed_values, **fixed}
    own = {name for name in space if not changes.get(name)}
    while (decided := _one_round(space, constants, algorithm.parameters, own)) != space:
        space = decided
    return space


def undrawn_values(
    algorithm: Algorithm, problem_type: ProblemType, changes: Changes, fixed: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what those parameters are ``otherwise`` whose condition what is fixed or taken out can never meet."""
    asked = _changed(algorithm, problem_type, changes, fixed)
    settled = settled_space(algorithm, problem_type, changes, fixed)
    return {name: one["otherwise"] for name, one in asked.items() if "otherwise" in one and name not in settled}


def violations(
    algorithm: Algorithm,
    problem_type: ProblemType,
    changes: Changes,
    fixed: Mapping[str, Any],
    is_searched: bool = True,
) -> Iterator[Violation]:
    """Judge the changes and the fixed parameters of an experiment.

    Args:
        algorithm: Whose parameters they are.
        problem_type: Of the experiment.
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
            yield Violation(f"search_space.{name}", dict(change), "can never apply: see the parameter it depends on")
    wrongly_fixed = [*_fixed_violations(algorithm, problem_type, space, fixed)]
    yield from wrongly_fixed
    named = {violation.where for violation in wrongly_fixed}
    for violation in _unread(algorithm, problem_type, space if is_searched else {}, fixed):
        if violation.where not in named:
            yield violation


def _unread(
    algorithm: Algorithm, problem_type: ProblemType, space: Documents, fixed: Mapping[str, Any]
) -> Iterator[Violation]:
    """Find what some fit of the experiment would not read, of its fixed parameters and of the searched ones."""
    constants = {**algorithm.default_values, **algorithm.fixed_values, **fixed}

    def possible(name: str, other: str) -> list[Any]:
        condition = (space.get(name, {}).get("when") or {}).get(other)
        if condition is not None:
            return list(condition)
        if other not in space:
            return [constants.get(other, ABSENT)]
        definition = space[other]
        values = list(definition.get("choices", [definition.get("low")]))
        waits_for_it = name in (definition.get("when") or {})
        if "when" in definition and "otherwise" not in definition and not waits_for_it:
            values.append(constants.get(other, ABSENT))
        return values

    own = {name: value for name, value in fixed.items() if algorithm.fixed_values.get(name) != value}
    for where, names in (("fixed", own), ("search_space", space)):
        for violation in algorithm.consumption.violations(names, problem_type, possible):
            yield Violation(f"{where}.{violation.where}", violation.value, violation.rule)


def _changed(algorithm: Algorithm, problem_type: ProblemType, changes: Changes, fixed: Mapping[str, Any]) -> Documents:
    """Return the algorithm's space with the changes, and without what is fixed."""
    space: Documents = as_documents(algorithm.search_space(problem_type))
    for name, change in changes.items():
        if change is None:
            space.pop(name, None)
        elif "type" in change or name not in space:
            space[name] = dict(change)
        else:
            space[name] = {**space[name], **change}
    return {name: definition for name, definition in space.items() if name not in fixed}


def _one_round(space: Documents, constants: Mapping[str, Any], parameters: frozenset[str], own: set[str]) -> Documents:
    """Decide every condition on a parameter that has left, and narrow the algorithm's own to what is left."""
    decided: Documents = {}
    for name, definition in space.items():
        conditions = dict(definition.get("when") or {})
        for parent, allowed in list(conditions.items()):
            if parent in space:
                choices = space[parent].get("choices")
                if name in own and choices is not None:
                    conditions[parent] = [value for value in allowed if value in choices]
            elif parent in parameters and isinstance(allowed, list):
                conditions[parent] = [] if constants.get(parent) not in allowed else None
        if [] in conditions.values():
            continue
        left = {parent: allowed for parent, allowed in conditions.items() if allowed is not None}
        decided[name] = {key: value for key, value in definition.items() if key not in ("when", "otherwise")}
        if left:
            decided[name] = {**definition, "when": left}
    return decided


def _name_violations(algorithm: Algorithm, changes: Changes, fixed: Mapping[str, Any]) -> Iterator[Violation]:
    parameters = sorted(algorithm.parameters)
    for name, change in changes.items():
        where = f"search_space.{name}"
        if name not in algorithm.parameters:
            yield Violation(where, name, f"is no parameter of {algorithm.name}: it {not_one_of(name, parameters)}")
        elif change is not None and name in fixed:
            yield Violation(where, dict(change), "is fixed under `fixed` as well: take it out of one of the two")
        elif change is not None and name in algorithm.fixed_values:
            yield Violation(where, dict(change), f"is always fixed for {algorithm.name}: set it under `fixed`")
    for name in fixed:
        if name not in algorithm.parameters:
            rule = f"is no parameter of {algorithm.name}: it {not_one_of(name, parameters)}"
            yield Violation(f"fixed.{name}", name, rule)


def _fixed_violations(
    algorithm: Algorithm, problem_type: ProblemType, space: Documents, fixed: Mapping[str, Any]
) -> Iterator[Violation]:
    """Find a fixed value that some draw of the search could not be combined with, such as l1 while lbfgs is drawn."""
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
                yield Violation(f"fixed.{name}", value, f"needs {parent} {needed}: fix {parent} too")
