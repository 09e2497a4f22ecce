import time

import pytest

from e2i_assets.core.errors import ExperimentInvalid
from e2i_assets.core.experiments.yaml_documents import MAX_CHARACTERS, read_mapping


def bomb(levels: int) -> str:
    lines = ["l0: &l0 [a, a]"]
    lines += [f"l{level}: &l{level} [*l{level - 1}, *l{level - 1}]" for level in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the file: None must be a mapping of keys to values"),
        ("- a\n- b", "must be a mapping of keys to values"),
        ("just words", "the file: 'just words' must be a mapping"),
        ("name: [a", "is not valid YAML: expected ',' or ']'"),
        ("a: 1\n\tb: 2", "line 2, column 1"),
        (
            "name: a\nhpo:\n  trials: 1\n  trials: 2",
            "line 4, column 3: 'trials: 2' is not valid YAML: the key 'trials'",
        ),
        ("name: a\n'name': b", "the key 'name' appears twice"),
        ("name: a\n---\nname: b", "is not valid YAML"),
        ("1: a", "a key must be text"),
        ("? [a]\n: b", "a key must be text"),
        ("null: b", "a key must be text"),
        ("a: !!python/object/apply:os.system [ls]", "line 1, column 4: 'tag:yaml.org,2002:python/object/apply:os.sy"),
        ("a: !!timestamp x", "is a YAML tag: write plain values, without !"),
        ("!!binary x", "is a YAML tag"),
        ("a: ! x", "is a YAML tag"),
        ("a: *b", "found undefined alias"),
        ("a: \0", "is not valid YAML"),
        ("a: " + "9" * 5000, "is not valid YAML"),
        (bomb(30), "aliases are too many: the limit is 20"),
        ("a: " + "[" * 100_000, "levels are too deep: the limit is 20"),
        ("a: &a [*a]", "'*a' is an alias inside its own anchor"),
        ("x" * (MAX_CHARACTERS + 1), "characters are too many"),
    ],
)
def test_a_text_that_is_not_a_plain_mapping_is_rejected_quickly(text: str, expected: str) -> None:
    began = time.monotonic()
    with pytest.raises(ExperimentInvalid) as caught:
        read_mapping(text, "bad.yaml")
    assert str(caught.value).startswith("experiment file bad.yaml:\n  - ")
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 500
    assert time.monotonic() - began < 5


def test_scalars_are_read_by_the_rules_of_yaml_1_2() -> None:
    text = "a: no\nb: on\nc: true\nd: 010\ne: 1e-3\nf: 12:30\ng: ~\nh: 2026-01-01\ni: .5\nj: 1_000\n"
    text += "k: -.inf\nl: '1'\nm: 1.0"
    assert read_mapping(text, "x") == {
        "a": "no",
        "b": "on",
        "c": True,
        "d": 10,
        "e": 0.001,
        "f": "12:30",
        "g": None,
        "h": "2026-01-01",
        "i": 0.5,
        "j": "1_000",
        "k": float("-inf"),
        "l": "1",
        "m": 1.0,
    }


def test_a_few_anchors_are_accepted() -> None:
    assert read_mapping("a: &x {p: 1}\nb: *x\nc: {<<: *x, q: 2}", "x") == {
        "a": {"p": 1},
        "b": {"p": 1},
        "c": {"p": 1, "q": 2},
    }
