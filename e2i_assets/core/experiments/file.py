"""Reading an experiment file: the text becomes an `Experiment`, or one error that lists all mistakes."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticUndefined

from e2i_assets.core.errors import ExperimentInvalid, Violation
from e2i_assets.core.experiments import rules as rules_between
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.source_section import SOURCE_KINDS
from e2i_assets.core.experiments.yaml_documents import read_mapping
from e2i_assets.core.suggestions import closest, not_one_of

_RULES = {
    "missing": "is missing: this key is required",
    "blank": "is filled in yet: this key needs a value",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be finite",
    "bool_type": "must be true or false",
    "string_type": "must be text: put the value in quotes",
    "tuple_type": "must be a list, such as [a, b]",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be greater than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
}


class _Absent:
    """The value that a message shows for a key that is not in the file."""

    def __repr__(self) -> str:
        return "nothing"


def parse_experiment(text: str, where: str) -> Experiment:
    """Read an experiment file.

    Args:
        text: The YAML.
        where: The name of the file in messages, usually its path.

    Raises:
        ExperimentInvalid: Lists every mistake with its path in the file, the value, and what is allowed.
    """
    return experiment_from(read_mapping(text, where), f"experiment file {where}")


def experiment_from(raw: Mapping[str, Any], subject: str) -> Experiment:
    """Read an experiment from a mapping, by the same rules as a file.

    Args:
        raw: Its keys and values, for example ``experiment.model_dump(mode="json")``.
        subject: The name of the experiment in messages.

    Raises:
        ExperimentInvalid: Lists every mistake.
    """
    if unstorable := [*_unstorable_texts(raw, "")]:
        raise ExperimentInvalid(subject, unstorable)
    watch = raw.get("watch")
    recent = watch.get("recent") if isinstance(watch, Mapping) else None
    mistakes = [*_unknown_keys(raw), *_source_violations("source", raw.get("source"))]
    mistakes += _source_violations("watch.recent", recent)
    parts: dict[str, Any] = {}
    for key, (adapter, default) in _fields().items():
        if key not in raw:
            if default is PydanticUndefined:
                mistakes.append(Violation(key, _Absent(), _RULES["missing"]))
            else:
                parts[key] = default
            continue
        if raw[key] is None and default is PydanticUndefined:
            mistakes.append(Violation(key, _Absent(), _RULES["blank"]))
            continue
        try:
            parts[key] = adapter.validate_python(raw[key])
        except ValidationError as error:
            mistakes += [_as_violation(key, problem) for problem in error.errors(include_url=False)]
    mistakes += rules_between.violations(parts)
    if mistakes:
        order = {key: position for position, key in enumerate(_keys(Experiment))}
        mistakes.sort(key=lambda mistake: order.get(mistake.where.partition(".")[0], len(order)))
        raise ExperimentInvalid(subject, mistakes)
    return Experiment.model_validate(dict(raw))


@cache
def _fields() -> dict[str, tuple[TypeAdapter[Any], Any]]:
    found = {}
    for name, field in Experiment.model_fields.items():
        # A default that depends on another field is left out: in the rules, `None` means "not given".
        default = None if field.default_factory_takes_validated_data else field.get_default(call_default_factory=True)
        annotation: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        found[field.alias or name] = (TypeAdapter[Any](annotation), default)
    return found


def _unknown_keys(raw: Mapping[str, Any]) -> Iterator[Violation]:
    for key in raw:
        if key not in _keys(Experiment):
            yield _unknown_key(key, Experiment, key)


def _unstorable_texts(raw: object, where: str) -> Iterator[Violation]:
    """Find texts that UTF-8 or PostgreSQL cannot store: those with a zero byte or a lone surrogate."""
    if isinstance(raw, str):
        if "\0" in raw or (not raw.isascii() and any("\ud800" <= one <= "\udfff" for one in raw)):
            yield Violation(
                where or "the file", raw, "has a zero byte or a lone surrogate, which cannot be stored: remove it"
            )
    elif isinstance(raw, Mapping):
        for key, value in raw.items():
            yield from _unstorable_texts(key, where)
            yield from _unstorable_texts(value, f"{where}.{key}" if where else str(key))
    elif isinstance(raw, list | tuple):
        for position, value in enumerate(raw):
            yield from _unstorable_texts(value, f"{where}.{position}")


def _source_violations(where: str, raw: object) -> Iterator[Violation]:
    if not isinstance(raw, Mapping):
        return
    named = [kind for kind in SOURCE_KINDS if raw.get(kind) is not None]
    if raw and all(value is None for value in raw.values()):
        yield Violation(where, _Absent(), f"is filled in yet: write exactly one of {', '.join(SOURCE_KINDS)}")
        return
    if len(named) != 1 and (named or set(raw) <= set(SOURCE_KINDS)):
        yield Violation(where, dict(raw), f"must have exactly one of {', '.join(SOURCE_KINDS)}; it has {len(named)}")


def _as_violation(key: str, problem: ErrorDetails) -> Violation:
    path = [key, *(part for part in map(str, problem["loc"]) if part != "[key]")]
    where = ".".join(path)
    if problem["type"] == "extra_forbidden":
        return _unknown_key(path[-1], _model_at(path[:-1]), where)
    value = _Absent() if problem["type"] == "missing" else problem["input"]
    if isinstance(value, str) and "://" in value:
        value = "(a URL, not shown)"
    return Violation(where, value, _rule(problem))


def _rule(problem: ErrorDetails) -> str:
    context = problem.get("ctx", {})
    if problem["type"] == "literal_error":
        return not_one_of(problem["input"], re.findall(r"'([^']*)'", str(context["expected"])))
    if problem["type"] == "value_error":
        return str(context["error"])
    if problem["type"] in _RULES:
        return _RULES[problem["type"]].format(**context)
    return f"is wrong: {problem['msg']}"


def _unknown_key(key: str, model: type[BaseModel], where: str) -> Violation:
    keys = _keys(model)
    if near := closest(key, keys):
        return Violation(where, key, f"is not a known key; did you mean {near!r}?")
    return Violation(where, key, f"is not a known key; the known keys are {', '.join(keys)}")


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_at(path: list[str]) -> type[BaseModel]:
    model: type[BaseModel] = Experiment
    for part in path:
        if part not in model.model_fields:  # an index of a list, or a key of a mapping, whose items are sections
            continue
        options = _parts_of(model.model_fields[part].annotation)
        model = next(option for option in options if isinstance(option, type) and issubclass(option, BaseModel))
    return model


def _parts_of(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType, tuple, dict) else (annotation,)
