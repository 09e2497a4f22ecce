"""The contents of a trial besides its state, in the representation of Optuna's tables."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.trial import FrozenTrial


@dataclass(slots=True)
class Contents:
    """The parts of a trial that are not written to the database yet.

    Attributes:
        params: Parameter name to Optuna's internal value and the JSON document of its distribution.
        reports: Step to value, which may be infinite or NaN.
        user_attrs, system_attrs: Key to JSON text.
    """

    params: dict[str, tuple[float, str]] = field(default_factory=dict)
    reports: dict[int, float] = field(default_factory=dict)
    user_attrs: dict[str, str] = field(default_factory=dict)
    system_attrs: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.params or self.reports or self.user_attrs or self.system_attrs)

    def parameters(self) -> dict[str, Any]:
        """Return the statement parameters for the contents of a trial."""
        reports = [_finite(value, "NAN") for value in self.reports.values()]
        return {
            "names": list(self.params),
            "drawn": [value for value, _ in self.params.values()],
            "distributions": [document for _, document in self.params.values()],
            "steps": list(self.reports),
            "reports": [value for value, _ in reports],
            "report_types": [kind for _, kind in reports],
            "user_keys": list(self.user_attrs),
            "user_values": list(self.user_attrs.values()),
            "system_keys": list(self.system_attrs),
            "system_values": list(self.system_attrs.values()),
        }


def contents_of(trial: FrozenTrial) -> Contents:
    """Return the whole contents of a trial."""
    return Contents(
        params={
            name: (distribution.to_internal_repr(trial.params[name]), distribution_to_json(distribution))
            for name, distribution in trial.distributions.items()
        },
        reports=dict(trial.intermediate_values),
        user_attrs=_texts(trial.user_attrs),
        system_attrs=_texts(trial.system_attrs),
    )


def values_parameters(values: Sequence[float] | None) -> dict[str, Any]:
    """Return the statement parameters for the objective values of a trial."""
    stored = [_finite(value, None) for value in values or ()]
    return {
        "value_numbers": list(range(len(stored))),
        "trial_values": [value for value, _ in stored],
        "value_types": [kind for _, kind in stored],
    }


def _finite(value: float, nan: str | None) -> tuple[float | None, str | None]:
    """Return a value and its type as Optuna stores them: a value that is not finite is NULL beside its type."""
    if math.isfinite(value):
        return value, "FINITE"
    return None, nan if math.isnan(value) else "INF_POS" if value > 0 else "INF_NEG"


def _texts(attributes: Mapping[str, Any]) -> dict[str, str]:
    return {key: json.dumps(value) for key, value in attributes.items()}
