"""Base class of the contract's models: strict validation that reports every broken rule of a document at once.

The fields of the contract are in `contract`, the rules between fields in `rules`.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    StringConstraints,
    ValidationError,
    WrapValidator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from e2i_assets.core.errors import Violation

_RULE = "contract_rule"
_LARGEST_INT = 2**63 - 1  # the maximum of a bigint column
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not a field of the contract",
    "invalid_key": "is not a field of the contract",
    "string_pattern_mismatch": "must not be empty",
    "model_type": "must be a mapping",
}


def is_parameter_value(value: object) -> bool:
    """Return whether a hyperparameter can have this value: a finite JSON scalar."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return isinstance(value, bool) or -_LARGEST_INT <= value <= _LARGEST_INT
    return value is None or isinstance(value, str)


def _parameter_value(value: Any, _: Any) -> Any:
    if not is_parameter_value(value):
        raise PydanticCustomError(_RULE, "must be a finite number, a text, true, false or null")
    return value


Text = Annotated[str, StringConstraints(pattern=r"\S")]
ParameterValue = Annotated[bool | int | float | str | None, WrapValidator(_parameter_value)]


class ContractModel(BaseModel):
    """Base of the contract: no coercion, no extra fields, no NaN and no infinity."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def broken_rules(cls, fields: Mapping[str, Any]) -> Iterable[Violation]:
        """Return the broken rules between fields.

        Args:
            fields: The fields that are valid on their own. An invalid field is absent, and its rules are not checked.
        """
        return ()

    @model_validator(mode="wrap")
    @classmethod
    def _everything_at_once(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Check the rules between fields even when some fields are invalid, so that one report names all errors."""
        try:
            model = handler(data)
        except ValidationError as error:
            if not isinstance(data, Mapping):
                raise
            wrong = {problem["loc"][0] for problem in error.errors() if problem["loc"]}
            fields = {name: field.get_default() for name, field in cls.model_fields.items() if not field.is_required()}
            fields = {name: value for name, value in (fields | dict(data)).items() if name not in wrong}
            rules = [_problem(violation) for violation in cls.broken_rules(fields)]
            raise ValidationError.from_exception_data(cls.__name__, [*map(_again, error.errors()), *rules]) from None
        if rules := [_problem(violation) for violation in cls.broken_rules(dict(model))]:
            raise ValidationError.from_exception_data(cls.__name__, rules)
        return model


def as_violations(error: ValidationError, subject: str) -> list[Violation]:
    """Return the errors of a contract model as violations.

    Args:
        error: The error of a `ContractModel`.
        subject: Used in place of a field name when the whole document is invalid.
    """
    return [
        Violation(
            where=".".join(map(str, problem["loc"])) or subject,
            value=None if problem["type"] == "missing" else problem["input"],
            rule=_words(problem),
        )
        for problem in error.errors(include_url=False)
    ]


def _words(problem: Mapping[str, Any]) -> str:
    if problem["type"] in _WORDS:
        return _WORDS[problem["type"]]
    text = re.sub(r"^(Input|\w+) should ", "must ", str(problem["msg"]))
    return text.replace("be a valid integer", "be a whole number").replace("be a valid dictionary", "be a mapping")


def _problem(violation: Violation) -> InitErrorDetails:
    rule = PydanticCustomError(_RULE, "{rule}", {"rule": violation.rule})
    return InitErrorDetails(type=rule, loc=tuple(violation.where.split(".")), input=violation.value)


def _again(problem: Mapping[str, Any]) -> InitErrorDetails:
    kind: Any = problem["type"]
    if kind == _RULE:
        kind = PydanticCustomError(_RULE, "{rule}", {"rule": problem["msg"]})
    return InitErrorDetails(type=kind, loc=problem["loc"], input=problem["input"], ctx=problem.get("ctx", {}))
