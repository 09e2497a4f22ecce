import datetime
import json
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2i_assets.core.content_hash import canonical_json, content_hash, frame_hash
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.search_sections import Hpo

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(DOCUMENTS)
def test_a_value_keeps_its_hash_through_json(document: object) -> None:
    assert content_hash(json.loads(canonical_json(document))) == content_hash(document)


def test_key_order_and_sequence_type_do_not_change_the_hash() -> None:
    assert canonical_json({"b": (1, 2.5), "a": None}) == '{"a":null,"b":[1,2.5]}'
    assert content_hash({"b": [1, 2.5], "a": None}) == content_hash({"a": None, "b": (1, 2.5)})


@pytest.mark.parametrize(
    ("left", "right"), [(1, 1.0), (1, True), (1, "1"), (None, "null"), ([1, [2]], [1, 2]), ({}, []), ("é", "e")]
)
def test_different_values_have_different_hashes(left: object, right: object) -> None:
    assert content_hash(left) != content_hash(right)


def test_a_model_and_a_numpy_number_hash_as_their_plain_values() -> None:
    assert content_hash(Hpo()) == content_hash(Hpo().model_dump())
    assert canonical_json([np.int64(3), np.float64(0.5), np.bool_(True)]) == "[3,0.5,true]"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1.0, float("nan")]}, r"value\.a\[1\] is nan"),
        ({"a": float("-inf")}, r"value\.a is -inf"),
        ({1: "a"}, "value has a key that is not text: 1"),
        ({"a": {1, 2}}, r"value\.a is a set, which JSON cannot represent"),
        ({"a": Decimal("1.5")}, r"value\.a is a Decimal"),
    ],
)
def test_a_value_that_json_cannot_represent_exactly_has_no_hash(value: object, message: str) -> None:
    with pytest.raises(E2iError, match=message):
        content_hash(value)


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "whole": [1, 2, 3],
            "real": [0.5, np.nan, -0.0],
            "text": ["a", None, "ü"],
            "category": pd.Categorical(["x", "y", None]),
            "date": pd.to_datetime(["2026-01-01", None, "2026-01-03"]),
            "mixed": [Decimal("1"), "1", None],
        }
    )


# A stored constant: a hash that differs between days or machines would restart every study.
EXPECTED = "3ea5229eaa98660517e117d2683fd3a9db2a097f809fca644bb4583e3b5e75f9"


def test_the_hash_of_a_table_equals_its_stored_value() -> None:
    assert frame_hash(table()) == EXPECTED


def test_the_hash_of_a_table_is_the_same_in_another_process() -> None:
    code = (
        "import pandas as pd; from e2i_assets.core.content_hash import frame_hash;"
        "print(frame_hash(pd.DataFrame({'a': ['x', 'y', None], 'b': [1.5, 2.0, None]})))"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert hashes == {frame_hash(pd.DataFrame({"a": ["x", "y", None], "b": [1.5, 2.0, None]})) + "\n"}


@pytest.mark.parametrize(
    "changed",
    [
        lambda frame: frame.rename(columns={"whole": "Whole"}),
        lambda frame: frame[list(reversed(frame.columns))],
        lambda frame: frame.iloc[::-1],
        lambda frame: frame.iloc[:2],
        lambda frame: frame.astype({"whole": "float64"}),
        lambda frame: frame.assign(real=[0.5, np.nan, 0.1]),
        lambda frame: frame.assign(text=["a", "None", "ü"]),
        lambda frame: frame.assign(category=pd.Categorical(["y", "x", None])),
        lambda frame: frame.assign(date=frame["date"] + datetime.timedelta(seconds=1)),
        lambda frame: frame.assign(mixed=["1", "1", None]),
    ],
)
def test_every_change_of_a_table_changes_its_hash(changed: object) -> None:
    assert callable(changed)
    assert frame_hash(changed(table())) != frame_hash(table())


def test_the_index_and_the_category_order_do_not_change_the_hash(tmp_path: Path) -> None:
    moved = table().set_index(pd.Index([7, 8, 9]))
    moved["category"] = moved["category"].cat.reorder_categories(["y", "x"]).cat.add_categories("z")
    assert frame_hash(moved) == frame_hash(table())


def test_a_table_keeps_its_hash_through_parquet(tmp_path: Path) -> None:
    frame = table().drop(columns="mixed")
    frame.to_parquet(tmp_path / "t.parquet")
    assert frame_hash(pd.read_parquet(tmp_path / "t.parquet")) == frame_hash(frame)


def test_a_million_rows_are_hashed_in_seconds() -> None:
    rows = np.arange(1_000_000)
    frame = pd.DataFrame({f"c{number}": rows * 0.5 + number for number in range(27)})
    frame["category"] = pd.Categorical.from_codes(rows % 3, ["a", "b", "c"])
    frame["text"] = np.array(["red", "green", "blue"], dtype=object)[rows % 3]
    frame["whole"] = rows
    began = time.process_time()
    frame_hash(frame)
    assert time.process_time() - began < 10  # about 1 s on an idle machine; the limit is for a loaded one
