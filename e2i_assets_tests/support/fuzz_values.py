"""Hostile values: texts, numbers, structures, and mutations of valid values."""

import copy
import hashlib
import json
import string
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

NASTY_TEXTS = [
    "", " ", "\0", "a\0b", "'", '"', "';--", "'; DROP TABLE e2i.ml_experiments; --", '"; DROP TABLE x; --', "%s", "%(a)s",
    "{}", "{0}", "{name.__class__}", "$1", ":name", "\\", "\\x00", "../../etc/passwd", "/etc/passwd", "..", "~", "~root",
    "file:///etc/passwd", "C:\\x", "a/../../b", "|id", "$(id)", "`id`", "<script>alert(1)</script>", "[bold]x[/]", "[/]",
    "[link=file:///x]", "__index__", "__index_level_0__", "index", "level_0", "__class__", "nan", "NaN", "inf", "-inf",
    "1e999", "null", "None", "true", "no", "0x10", "1_000", "\ud800", "\udfff\ud800", "\u202e", "\ufeff", "\u2028",
    "\x1b[2J", "\x07", "\r", "\n", "a\nb", "é", "ß", "İ", "ﬁ", "𝒳", "💥", "\u0301", "a" * 300, "x" * 70_000,
    "9" * 400, "9" * 5000, "-" * 500, "a." * 500, "E2I_DATABASE_URL", "postgresql://u:p@h/d", "!!python/object:x",
]  # fmt: skip
NASTY_NUMBERS = [
    0, -1, 1, 2**31 - 1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**30, 10**400, -(10**400), 0.0, -0.0, 1e-320, 5e-324,
    1e308, -1e308, float("inf"), float("-inf"), float("nan"), 1e16, 0.1, True, False,
]  # fmt: skip


class Blob(bytes):
    """Bytes that are too long to be displayed."""

    def __repr__(self) -> str:
        return f"Blob({bytes(self[:60])!r}..., {len(self)} bytes, sha256 {hashlib.sha256(self).hexdigest()})"


texts = st.one_of(
    st.sampled_from(NASTY_TEXTS),
    st.text(max_size=30),
    st.text(st.characters(codec=None, categories=("Cs", "Cc", "Cf", "Lu", "Ll", "Nd", "Po", "Zs")), max_size=8),
)
numbers = st.one_of(st.sampled_from(NASTY_NUMBERS), st.integers(), st.floats())
scalars = st.one_of(st.none(), numbers, texts)
structures = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)


@st.composite
def mutated(draw: Callable[..., Any], seeds: list[Any]) -> Any:
    """One of the seeds with some values replaced, keys renamed, and parts removed, duplicated or moved."""
    value = copy.deepcopy(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(value))
        if not places:
            return draw(structures)
        holder, key = draw(st.sampled_from(places))
        stroke = draw(st.sampled_from(["replace", "replace", "structure", "rename", "remove", "swap", "nest"]))
        if stroke == "replace":
            holder[key] = draw(scalars)
        elif stroke == "structure":
            holder[key] = draw(structures)
        elif stroke == "rename" and isinstance(holder, dict):
            holder[draw(texts)] = holder.pop(key)
        elif stroke == "remove":
            del holder[key]
        elif stroke == "swap":
            other, place = draw(st.sampled_from(places))
            holder[key] = copy.deepcopy(other[place])
        else:
            for _ in range(draw(st.sampled_from([1, 3, 30, 300]))):
                holder[key] = [holder[key]]
    return value


def _places(value: Any) -> Any:
    if isinstance(value, dict):
        for key in list(value):
            yield value, key
            yield from _places(value[key])
    elif isinstance(value, list):
        for position in range(len(value)):
            yield value, position
            yield from _places(value[position])


@st.composite
def mutated_bytes(draw: Callable[..., Any], seeds: list[bytes], grammar: list[bytes]) -> bytes:
    """One of the seeds, truncated, duplicated, with flipped bits, or with pieces of the grammar inserted."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        where = draw(st.integers(0, max(len(content), 1)))
        stroke = draw(st.sampled_from(["insert", "insert", "overwrite", "flip", "cut", "double", "truncate"]))
        length = draw(st.integers(0, 40))
        if stroke == "insert":
            content[where:where] = draw(st.sampled_from(grammar) | st.binary(max_size=8))
        elif stroke == "overwrite":
            content[where : where + length] = draw(st.sampled_from(grammar) | st.binary(max_size=8))
        elif stroke == "flip" and where < len(content):
            content[where] ^= 1 << draw(st.integers(0, 7))
        elif stroke == "cut":
            del content[where : where + length]
        elif stroke == "double":
            content[where:where] = content[where : where + length] * draw(st.sampled_from([1, 2, 50]))
        elif stroke == "truncate":
            del content[where:]
    return bytes(content)


YAML_GRAMMAR = [
    b"&a ", b"*a", b"<<: *a\n", b"[", b"]", b"{", b"}", b"- ", b": ", b"? ", b"!!python/object/apply:os.system [id]\n",
    b"!!binary ", b"!!set ", b"!!timestamp ", b"!!float x", b"!!int x", b"!!bool x", b"!!null x", b"!!map []", b"!!seq {}",
    b"!!str {}", b"!!merge x", b"!!omap []", b"!!pairs [a]", b"! ", b"!<tag:x> ", b"%YAML 1.1\n---\n", b"%TAG ! tag:\n",
    b"---\n", b"...\n", b"|\n", b">\n", b"\t", b"\r", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3\x28", b"\xed\xa0\x80",
    b'"\\ud800"', b'"\\x00"', b'"\\U0010FFFF"', b"'", b'"', b"#", b"&a [*a]", b"{a: 1, a: 2}", b"[[[[[[", b".inf", b".nan",
    b"1e999", b"9" * 500, b"- - - - -", b"\xe2\x80\xa8", b"\xc2\x85", b"~", b"null", b"=", b"<<", b"\x1b[2J",
]  # fmt: skip
CSV_GRAMMAR = [
    b",", b";", b"\t", b"|", b'"', b"'", b"\n", b"\r\n", b"\r", b'""', b'"a\nb"', b"\0", b"\xff", b"\xef\xbb\xbf", b"\xfe\xff",
    b"nan", b"inf", b"-inf", b"1e999", b"9" * 400, b"__index__", b"index,", b"Unnamed: 0,", b",,,,", b"a,a\n", b"\x1a",
    b"\xe2\x80\xa8", b"\x0b", b"\x0c", b"\x1c", b"\x85", b"2026-01-01", b"99999-99-99", b"True", b"=cmd|' /C calc'!A0",
    b"x" * 5000, b"\xed\xa0\x80", b"'; DROP TABLE x; --", b"1,2,3,4,5,6,7\n",
]  # fmt: skip
JSON_GRAMMAR = [
    b"{", b"}", b"[", b"]", b":", b",", b'"', b"null", b"true", b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-0", b"9" * 500,
    b'"\\ud800"', b'"\\u0000"', b"[" * 2000, b"{\"a\":" * 500, b"\xff", b"\n", b"\0", b'"__proto__"', b"1.0", b"-1", b'""',
]  # fmt: skip
PRINTABLE = string.printable


def as_json(value: Any) -> bytes:
    """Write a value as JSON, also a value that JSON does not allow."""
    return json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass")
