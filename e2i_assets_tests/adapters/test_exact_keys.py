"""Groups, ids, categories and classes are compared exactly; the type of a key does not change the split of a row."""

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_splits import ROWS, SmallSplits, numbered

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings
from e2i_assets.core.errors import DataInvalid
from e2i_assets.services.project import Project

GROUPS = np.arange(ROWS) // 4
LONG = 123_456_789_012_345_678


@pytest.fixture
def splits(tables: Database, tmp_path: Path) -> SmallSplits:
    return SmallSplits(Project(Settings(root=tmp_path, state=tmp_path / "state"), tables))


DISTINCT = {
    "decimals of 18 digits": [Decimal(LONG + int(group)) for group in GROUPS],
    "decimals of 30 digits": [Decimal(10**29 + int(group)) for group in GROUPS],
    "decimals with 20 places": [Decimal(1) / 3 + Decimal(int(group)).scaleb(-20) for group in GROUPS],
    "unsigned beyond int64": np.uint64(2**63) + GROUPS.astype("uint64"),
    "int64 beyond 2^53": 2**60 + GROUPS,
    "leading zeros": ["0" * (1 + group % 2) + str(group // 2) for group in GROUPS],
    "categories of int64": pd.Categorical(2**60 + GROUPS),
    "zero bytes": [f"ward\0{group}" for group in GROUPS],
    "4,000 characters": ["x" * 4000 + str(group) for group in GROUPS],
    "bytes beyond ASCII": ["ü" * 900 + str(group) for group in GROUPS],
    "dates until 9999": [datetime.date(9999 - int(group), 12, 31) for group in GROUPS],
}


@pytest.mark.parametrize("cells", DISTINCT.values(), ids=DISTINCT)
def test_different_groups_stay_different(splits: SmallSplits, cells: Any) -> None:
    made = splits.roles(numbered(person=cells), columns={"group": "person"})
    assert len(made) == ROWS
    assert len(splits.keys()) == ROWS // 4
    assert splits.broken() == {}


SMALL = 7 + 3 * GROUPS
DELIVERIES = {
    "int64": SMALL.astype("int64"),
    "int32": SMALL.astype("int32"),
    "uint64": SMALL.astype("uint64"),
    "double": SMALL.astype("float64"),
    "single": SMALL.astype("float32"),
    "nullable": pd.array(SMALL, dtype="Int64"),
    "decimal": [Decimal(int(one)) for one in SMALL],
    "decimal with places": [Decimal(int(one)).quantize(Decimal("0.01")) for one in SMALL],
    "text": SMALL.astype(str).astype(object),
    "category": pd.Categorical(SMALL),
}


@pytest.mark.parametrize(
    ("first", "second", "columns"),
    [
        *(("int64", second, {"group": "person"}) for second in DELIVERIES if second != "int64"),
        *(("double", second, {"group": "person"}) for second in ("decimal", "text")),
        *(("text", second, {"id": ["person", "visit"]}) for second in ("double", "decimal")),
    ],
)
def test_no_row_changes_its_split_when_its_key_comes_in_another_type(
    splits: SmallSplits, first: str, second: str, columns: dict[str, Any]
) -> None:
    """The second delivery also has another row order: only the keys identify the rows."""
    visit = np.arange(ROWS) % 4
    before = splits.roles(numbered(person=DELIVERIES[first], visit=visit), columns=columns)
    again = numbered(person=DELIVERIES[second], visit=visit).sample(frac=1, random_state=5)
    assert splits.roles(again, columns=columns) == before
    assert splits.broken() == {}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pd.to_datetime("2026-01-01") + pd.to_timedelta(GROUPS, unit="D"), None),
        (pd.to_datetime("2026-01-01T12:00Z") + pd.to_timedelta(GROUPS, unit="D"), "Asia/Tokyo"),
    ],
)
def test_a_day_and_an_instant_are_the_same_key_in_every_form(splits: SmallSplits, first: Any, second: Any) -> None:
    before = splits.roles(numbered(born=first), columns={"group": "born"})
    other = first.tz_convert(second) if second else [one.date() for one in first]
    assert splits.roles(numbered(born=other).iloc[::-1], columns={"group": "born"}) == before


def test_one_later_time_of_day_does_not_change_the_keys_of_days(splits: SmallSplits) -> None:
    days = pd.Series(pd.to_datetime("2026-01-01") + pd.to_timedelta(GROUPS, unit="D"))
    before = splits.roles(numbered(born=days), columns={"group": "born"})
    late = days.where(days.index != 0, pd.Timestamp("2026-01-01 10:00"))
    after = splits.roles(numbered(born=late).iloc[::-1], columns={"group": "born"})
    moved = [mark for mark, role in after.items() if role != before[mark]]
    assert set(moved) <= {numbered()["mark"].iloc[0]}


def test_ids_that_contain_the_separator_stay_different(splits: SmallSplits) -> None:
    first = [f"a|b{row}" if row % 2 else "a" for row in range(ROWS)]
    second = [f"c{row - row % 2}" if row % 2 else f"b{row + 1}|c{row}" for row in range(ROWS)]
    splits.split(numbered(first=first, second=second), columns={"id": ["first", "second"]})
    assert len(splits.keys()) == ROWS


@pytest.mark.parametrize(
    ("cells", "columns", "where"),
    [
        ((2**60 + GROUPS).astype("float64"), {"group": "person"}, "columns.group: 'person' contains 400 numbers"),
        ((2**25 + GROUPS).astype("float32"), {"id": ["person"]}, "columns.id: 'person' contains 400 numbers"),
        ((2**60 + GROUPS % 3).astype("float64"), {"categorical": ["person"]}, "columns.categorical: 'person' contains"),
    ],
)
def test_rounded_ids_are_rejected(splits: SmallSplits, cells: Any, columns: dict[str, Any], where: str) -> None:
    with pytest.raises(DataInvalid, match="as integers, decimals or text") as caught:
        splits.split(numbered(person=cells), columns=columns)
    assert where in str(caught.value)
    assert splits.keys() == {}


@pytest.mark.parametrize(
    "cells",
    [
        [Decimal(LONG + row % 5) for row in range(ROWS)],
        pd.array([LONG + row % 5 if row else None for row in range(ROWS)], dtype="Int64"),
        np.uint64(2**63) + np.arange(ROWS, dtype="uint64") % np.uint64(5),
        [f"0{row % 5}" if row % 2 else f"{row % 5}" for row in range(ROWS)],
    ],
)
def test_categories_and_classes_are_compared_exactly(splits: SmallSplits, cells: Any) -> None:
    distinct = len(pd.Series(cells).dropna().unique())
    data = splits.dataset(numbered(code=cells), columns={"categorical": ["code"]})
    assert len(data.frame["code"].cat.categories) == distinct
    kinds = {"target": "code", "problem_type": "multiclass_classification"}
    assert len(splits.dataset(numbered(code=cells), **kinds).classes) == distinct


@pytest.mark.parametrize(
    ("frame", "changes", "message"),
    [
        (
            numbered(kind=["a\0", "b"] * 200),
            {"target": "kind", "problem_type": "binary_classification"},
            "target: 'kind'",
        ),
        (
            numbered(kind=["a\0", "b"] * 200),
            {"segments": ["kind"]},
            "segments: 'kind' contains 'a.x00', a text with a zero",
        ),
        (numbered(kind=["a\0", "b", "c", "d"] * 100), {}, "columns: 'kind' contains 'a.x00', a text with a zero byte"),
        (numbered(kind=["a", "a\0b"] * 200), {}, "columns: 'kind' contains 'a.x00b', a text with a zero byte"),
        (
            numbered(ward=["", "\0"] * 200),
            {"segments": ["ward"]},
            "segments: 'ward' contains '.x00', a text with a zero",
        ),
        (numbered().rename(columns={"age": "a\0ge"}), {}, "has a name with a zero byte: rename the column"),
    ],
)
def test_a_zero_byte_where_postgresql_must_hold_it_is_refused_by_name(
    splits: SmallSplits, frame: pd.DataFrame, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataInvalid, match=message):
        splits.split(frame, **changes)
    assert splits.keys() == {}
