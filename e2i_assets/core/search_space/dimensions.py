"""The kinds of parameter that a study samples, and the rules for a valid value of each."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

if TYPE_CHECKING:
    import optuna

Choice = StrictStr | StrictBool | StrictInt | StrictFloat | None
# The largest range of integers that a double, Optuna's tables and all used libraries represent exactly.
_LARGEST = 2**53
Whole = Annotated[StrictInt, Field(ge=-_LARGEST, le=_LARGEST)]
_GRID_TOLERANCE = 1e-9


def is_finite(value: float) -> bool:
    """Return whether a number is finite as a double."""
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer with more than 308 digits
        return False


class BaseDimension(BaseModel):
    """The fields that all kinds of dimension have.

    Attributes:
        when: Condition: categorical parameters of the same space, and their values for which this one is sampled.
        otherwise: Value of the parameter while it is not sampled; by default the default of the parameter. It may be
            outside the range: 0 often means "no limit".
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    when: dict[str, list[Choice]] | None = None
    otherwise: Choice = None

    @property
    def has_otherwise(self) -> bool:
        """Whether ``otherwise`` is set, also to null."""
        return "otherwise" in self.model_fields_set

    def is_active(self, values: Mapping[str, Any]) -> bool:
        """Return whether the values sampled so far meet the condition of this parameter."""
        return all(
            name in values and any(same(values[name], one) for one in allowed)
            for name, allowed in (self.when or {}).items()
        )

    def document(self) -> dict[str, Any]:
        """Return the JSON-compatible definition, which parses to the same dimension."""
        definition = self.model_dump(mode="json", exclude_none=True, exclude={"otherwise"})
        return {**definition, "otherwise": self.otherwise} if self.has_otherwise else definition

    def condition_mistakes(self) -> list[str]:
        """Return the errors in ``when`` and ``otherwise``."""
        return ["has otherwise and no when: it is always sampled"] if self.has_otherwise and not self.when else []


class IntDimension(BaseDimension):
    """Integers from ``low`` to ``high``, both included, on a grid of ``step`` or log-uniform."""

    type: Literal["int"]
    low: Whole
    high: Whole
    step: Whole = 1
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
        if isinstance(value, bool) or not isinstance(value, int | float) or not is_finite(value):
            return None
        top = self.low + (self.high - self.low) // self.step * self.step
        on_grid = self.low + round((value - self.low) / self.step) * self.step
        return min(max(on_grid, self.low), top)

    def suggest(self, name: str, trial: "optuna.Trial") -> int:
        # Optuna warns in every trial if the upper bound is not on the grid.
        top = self.low + (self.high - self.low) // self.step * self.step
        return trial.suggest_int(name, self.low, top, step=self.step, log=self.log)


class FloatDimension(BaseDimension):
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
        if isinstance(value, bool) or not isinstance(value, int | float) or not is_finite(value):
            return "must be a finite number"
        if not self.low <= value <= self.high:
            return f"must lie in [{self.low}, {self.high}]"
        if self.step is not None:
            steps = (value - self.low) / self.step
            if abs(steps - round(steps)) > _GRID_TOLERANCE * max(1.0, abs(steps)):
                return f"must be {self.low} plus a multiple of {self.step}"
        return None

    def nearest(self, value: object) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not is_finite(value):
            return None
        clipped = min(max(float(value), self.low), self.high)
        if self.step is None:
            return clipped
        steps = min(round((clipped - self.low) / self.step), math.floor((self.high - self.low) / self.step + 1e-9))
        return round(self.low + steps * self.step, 12)

    def suggest(self, name: str, trial: "optuna.Trial") -> float:
        top = self.high if self.step is None else self.nearest(self.high)
        return trial.suggest_float(name, self.low, self.high if top is None else top, step=self.step, log=self.log)


class CategoricalDimension(BaseDimension):
    """One of ``choices``, which may contain null."""

    type: Literal["categorical"]
    choices: tuple[Choice, ...]

    def mistakes(self) -> list[str]:
        if not self.choices:
            return ["needs at least one choice"]
        return ["has a choice twice"] if len({(type(c), c) for c in self.choices}) < len(self.choices) else []

    def broken_rule(self, value: object) -> str | None:
        if any(same(value, choice) for choice in self.choices):
            return None
        return f"must be one of {list(self.choices)}"

    def nearest(self, value: object) -> Choice:
        return next((choice for choice in self.choices if same(value, choice)), None)

    def suggest(self, name: str, trial: "optuna.Trial") -> Choice:
        value: Choice = trial.suggest_categorical(name, self.choices)
        return value


Dimension = Annotated[IntDimension | FloatDimension | CategoricalDimension, Field(discriminator="type")]


def same(value: object, choice: object) -> bool:
    """Return whether two values have the same type and are equal: neither true nor 1.0 is the same as 1."""
    return type(value) is type(choice) and value == choice


def _range_mistakes(low: float, high: float, step: float | None, log: bool) -> list[str]:
    found = []
    if low > high:
        found.append("has low above high")
    if step is not None and step <= 0:
        found.append("needs a step above 0")
    if log and step not in (None, 1):
        found.append("cannot have both log and step: remove one of them")
    return found
