"""What a study may draw from: dimensions, the conditions between them, and what makes a value legal.

A whole space is judged before the first trial, and every mistake is named at once.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, ValidationError

from e2i_assets.core.errors import SearchSpaceInvalid, Violation

if TYPE_CHECKING:
    import optuna

Choice = StrictStr | StrictBool | StrictInt | StrictFloat | None
_GRID_TOLERANCE = 1e-9


class _Dimension(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    when: dict[str, list[Choice]] | None = None

    def is_active(self, values: Mapping[str, Any]) -> bool:
        """Return whether the parameters drawn so far let this one be drawn."""
        return all(name in values and values[name] in allowed for name, allowed in (self.when or {}).items())


class IntDimension(_Dimension):
    """Whole numbers from ``low`` to ``high``, both included, on a grid of ``step`` or log-uniform."""

    type: Literal["int"]
    low: StrictInt
    high: StrictInt
    step: StrictInt = 1
    log: bool = False

    def mistakes(self) -> list[str]:
        found = _range_mistakes(self.low, self.high, self.step, self.log)
        if self.log and self.low < 1:
            found.append("needs low >= 1 for log")
        return found

    def broken_rule(self, value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int):
            return "must be a whole number"
        if not self.low <= value <= self.high:
            return f"must lie in [{self.low}, {self.high}]"
        if (value - self.low) % self.step:
            return f"must be {self.low} plus a multiple of {self.step}"
        return None

    def nearest(self, value: object) -> int | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        top = self.low + (self.high - self.low) // self.step * self.step
        on_grid = self.low + round((value - self.low) / self.step) * self.step
        return min(max(on_grid, self.low), top)

    def suggest(self, name: str, trial: "optuna.Trial") -> int:
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)


class FloatDimension(_Dimension):
    """Real numbers from ``low`` to ``high``, both included, uniform, on a grid of ``step`` or log-uniform."""

    type: Literal["float"] = "float"
    low: float
    high: float
    step: float | None = None
    log: bool = False

    def mistakes(self) -> list[str]:
        found = _range_mistakes(self.low, self.high, self.step, self.log)
        if self.log and self.low <= 0:
            found.append("needs low > 0 for log")
        return found

    def broken_rule(self, value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return "must be a finite number"
        if not self.low <= value <= self.high:
            return f"must lie in [{self.low}, {self.high}]"
        if self.step is not None:
            steps = (value - self.low) / self.step
            if abs(steps - round(steps)) > _GRID_TOLERANCE * max(1.0, abs(steps)):
                return f"must be {self.low} plus a multiple of {self.step}"
        return None

    def nearest(self, value: object) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        clipped = min(max(float(value), self.low), self.high)
        if self.step is None:
            return clipped
        steps = min(round((clipped - self.low) / self.step), math.floor((self.high - self.low) / self.step + 1e-9))
        return round(self.low + steps * self.step, 12)

    def suggest(self, name: str, trial: "optuna.Trial") -> float:
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)


class CategoricalDimension(_Dimension):
    """One of ``choices``, which may contain null."""

    type: Literal["categorical"]
    choices: tuple[Choice, ...]

    def mistakes(self) -> list[str]:
        if not self.choices:
            return ["needs at least one choice"]
        return ["has a choice twice"] if len({(type(c), c) for c in self.choices}) < len(self.choices) else []

    def broken_rule(self, value: object) -> str | None:
        if any(type(value) is type(choice) and value == choice for choice in self.choices):
            return None
        return f"must be one of {list(self.choices)}"

    def nearest(self, value: object) -> Choice:
        return next((choice for choice in self.choices if type(value) is type(choice) and value == choice), None)

    def suggest(self, name: str, trial: "optuna.Trial") -> Choice:
        value: Choice = trial.suggest_categorical(name, self.choices)
        return value


Dimension = Annotated[IntDimension | FloatDimension | CategoricalDimension, Field(discriminator="type")]
SearchSpace = Mapping[str, IntDimension | FloatDimension | CategoricalDimension]


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
        if isinstance(definition, _Dimension):
            definition = definition.model_dump()
        if not isinstance(definition, Mapping):
            mistakes.append(Violation(name, definition, "must be a mapping with type, low and high, or choices"))
            continue
        try:
            entry = _Entry.model_validate({"dimension": {"type": "float", **definition}})
        except ValidationError as error:
            mistakes += [_as_violation(name, dict(problem)) for problem in error.errors(include_url=False)]
            continue
        space[name] = entry.dimension
        mistakes += [Violation(name, dict(definition), rule) for rule in entry.dimension.mistakes()]
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
        defaults: Values that an inactive parameter may keep, for a configuration that was merged over the defaults.
    """
    found = []
    for name, dimension in space.items():
        active = dimension.is_active(values)
        if name not in values:
            if active:
                found.append(Violation(name, None, "is missing: it was searched"))
        elif not active:
            if defaults is not None and name in defaults and values[name] == defaults[name]:
                continue
            found.append(Violation(name, values[name], f"does not apply: it needs {dimension.when}"))
        elif name in exempt_from_grid and isinstance(dimension, IntDimension):
            value = values[name]
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= dimension.high:
                found.append(Violation(name, value, f"must be a whole number in [1, {dimension.high}]"))
        elif rule := dimension.broken_rule(values[name]):
            found.append(Violation(name, values[name], rule))
    return found


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


def as_documents(space: SearchSpace) -> dict[str, dict[str, Any]]:
    """Return the space as JSON-able definitions that `parse_space` reads back to the same space."""
    return {name: dimension.model_dump(mode="json", exclude_none=True) for name, dimension in space.items()}


def _range_mistakes(low: float, high: float, step: float | None, log: bool) -> list[str]:
    found = []
    if low > high:
        found.append("has low above high")
    if step is not None and step <= 0:
        found.append("needs a step above 0")
    if log and step not in (None, 1):
        found.append("cannot have both log and step: take one of them out")
    return found


def _condition_mistakes(space: Mapping[str, _Dimension]) -> list[Violation]:
    found = []
    for name, dimension in space.items():
        for parent, allowed in (dimension.when or {}).items():
            other = space.get(parent)
            if not isinstance(other, CategoricalDimension):
                found.append(Violation(name, parent, "can only depend on a categorical parameter of the same space"))
            elif illegal := [value for value in allowed if value not in other.choices]:
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
