"""Reading untrusted YAML: plain data without tags, no duplicate keys, and limits on size, aliases and depth.

Scalars follow YAML 1.2: only true and false are booleans, ``no`` is text, ``010`` is ten and ``1e-3`` is a number.
"""

import re
from typing import Any

import yaml

from e2i_assets.core.errors import ExperimentInvalid, Violation

MAX_CHARACTERS = 200_000  # of which PyYAML reads some 60,000 a second
MAX_ALIASES = 20
MAX_DEPTH = 20


class _PlainLoader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # PyYAML's own shape

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag not in _KEY_TAGS:
                raise yaml.MarkedYAMLError(problem="a key must be text", problem_mark=key.start_mark)
            if key.value in seen:
                problem = f"the key {key.value!r} appears twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(key.value)
        return node


_TAG = "tag:yaml.org,2002:"
_KEY_TAGS = (f"{_TAG}str", f"{_TAG}merge")
_SCALARS = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "int": (r"[-+]?[0-9]+", "-+0123456789"),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    "merge": (r"<<", "<"),
}
for _name, (_pattern, _first) in _SCALARS.items():
    _PlainLoader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(f"^(?:{_pattern})$"), list(_first))


def _whole_number(loader: _PlainLoader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))


_PlainLoader.add_constructor(f"{_TAG}int", _whole_number)


def read_mapping(text: str, where: str) -> dict[str, Any]:
    """Read one YAML mapping.

    Args:
        text: The document.
        where: The name of the document in messages, usually its path.

    Raises:
        ExperimentInvalid: Names the line and what is wrong there.
    """
    if len(text) > MAX_CHARACTERS:
        raise _refused(where, "size", len(text), f"characters are too many: the limit is {MAX_CHARACTERS}")
    try:
        _refuse_bombs(text, where)
        document = yaml.load(text, Loader=_PlainLoader)  # a SafeLoader that takes less, not more
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _refused(
            where, _place(mark) if mark else "the file", _line(text, mark), f"is not valid YAML: {error.problem}"
        ) from error
    except (yaml.YAMLError, ValueError) as error:
        raise _refused(where, "the file", text[:40], f"is not valid YAML: {error}") from error
    if not isinstance(document, dict):
        rule = "must be a mapping of keys to values, with lines such as 'name: my_experiment'"
        raise _refused(where, "the file", document, rule)
    return document


def _refuse_bombs(text: str, where: str) -> None:
    aliases = 0
    open_anchors: list[str | None] = []
    for event in yaml.parse(text, Loader=_PlainLoader):
        if isinstance(event, yaml.AliasEvent):
            aliases += 1
            if event.anchor in open_anchors:
                rule = "is an alias inside its own anchor: write out its value"
                raise _refused(where, "the file", f"*{event.anchor}", rule)
        elif isinstance(event, yaml.CollectionStartEvent):
            open_anchors.append(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            open_anchors.pop()
        if (tag := getattr(event, "tag", None)) is not None:
            raise _refused(where, _place(event.start_mark), tag, "is a YAML tag: write plain values, without !")
        if aliases > MAX_ALIASES:
            raise _refused(where, "the file", aliases, f"aliases are too many: the limit is {MAX_ALIASES}")
        if len(open_anchors) > MAX_DEPTH:
            raise _refused(where, "the file", len(open_anchors), f"levels are too deep: the limit is {MAX_DEPTH}")


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"


def _line(text: str, mark: yaml.Mark | None) -> str:
    lines = text.splitlines()
    return lines[mark.line].strip() if mark and mark.line < len(lines) else ""


def _refused(where: str, place: str, value: object, rule: str) -> ExperimentInvalid:
    return ExperimentInvalid(f"experiment file {where}", [Violation(place, value, rule)])
