"""The profile of a table: what it says of each column, and that it shows no value of a single person."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from e2i_assets.core.data.column_profile import ColumnProfile, shape
from e2i_assets.core.data.dataset import dataset_of
from e2i_assets.core.experiments.file import experiment_from

ROWS = 400
RANDOM = np.random.default_rng(3)
PATIENT = np.arange(ROWS) // 8
TABLE = pd.DataFrame(
    {
        "visit": np.arange(ROWS) + 7_000_000,
        "patient": [f"Berger-{one:03}" for one in PATIENT],
        "day": pd.date_range("2026-01-01", periods=ROWS, freq="h"),
        "born": (1930 + PATIENT * 3 % 47).astype(float),
        "weight": RANDOM.normal(70, 9, ROWS).round(3),
        "plan": RANDOM.choice(["basic", "premium"], ROWS),
        "phone": [f"+43 660 {one:07}" for one in range(ROWS)],
        "salary": RANDOM.integers(1000, 9999, ROWS) * 10,
        "note": [f"Called by Dr. Huber, case {one}" for one in range(ROWS)],
        "void": None,
        "outcome": RANDOM.choice(["no", "yes"], ROWS),
    }
)
COLUMNS = {"id": ["visit"], "group": "patient", "time": "day", "drop": ["salary"]}


def profiles(table: pd.DataFrame = TABLE, **changes: Any) -> dict[str, ColumnProfile]:
    raw = {
        "name": "visits", "owner": "team:a", "source": {"csv": "a.csv"}, "target": "outcome",
        "problem_type": "binary_classification", "algorithm": "XGBoost", "columns": COLUMNS, **changes,
    }  # fmt: skip
    return {one.column: one for one in dataset_of(table, experiment_from(raw, "x")).profile}


def test_a_profile_says_what_each_column_contains_and_what_was_done_with_it() -> None:
    found = profiles(TABLE.assign(weight=TABLE.weight.where(TABLE.index % 10 > 0)))
    assert list(found) == list(TABLE)
    assert {name: one.type for name, one in found.items()} == {
        "visit": "whole number", "patient": "text", "day": "time", "born": "whole number", "weight": "number",
        "plan": "text", "phone": "text", "salary": "whole number", "note": "text", "void": "empty", "outcome": "text",
    }  # fmt: skip
    assert {name: one.use for name, one in found.items() if not one.use.startswith("left out: ")} == {
        "visit": "id", "patient": "group", "day": "time", "born": "feature (number)", "weight": "feature (number)",
        "plan": "feature (category)", "salary": "dropped by the experiment", "outcome": "target",
    }  # fmt: skip
    assert found["void"].use == "left out: no values"
    assert (found["weight"].missing, found["void"].missing, found["patient"].distinct) == (40, ROWS, 50)
    assert found["born"].range == f"{TABLE.born.min():.0f} to {TABLE.born.max():.0f}"
    assert found["day"].range == "2026-01-01 00:00:00 to 2026-01-17 15:00:00"
    assert found["plan"].example in ("basic", "premium")


def test_ids_groups_and_columns_that_are_not_used_show_the_shape_of_a_value_only() -> None:
    found = profiles()
    assert {name: one.example for name, one in found.items() if name in ("visit", "patient", "phone", "salary")} == {
        "visit": "9999999", "patient": "Aaaaaa-999", "phone": "+99 999 9999999", "salary": shape(str(TABLE.salary[0])),
    }  # fmt: skip
    assert "Huber" not in str(found)
    assert {found[name].range for name in ("visit", "patient", "phone", "salary", "note")} == {""}


def test_an_example_is_a_value_of_at_least_five_groups() -> None:
    """A patient has eight rows with the same year of birth."""
    assert profiles()["born"].example == "9999"
    assert profiles(columns={**COLUMNS, "group": None, "id": ["visit", "patient"]})["born"].example.startswith("19")


@pytest.mark.parametrize("cells", [["a", 1, None, (2, 3)] * 100, [complex(1, 2)] * ROWS, [b"\0x", 1.5] * 200])
def test_a_dropped_column_of_any_cells_has_a_profile(cells: list[object]) -> None:
    found = profiles(TABLE.assign(salary=pd.Series(cells, dtype=object)))["salary"]
    assert (found.type, found.use) == ("text", "dropped by the experiment")


def test_a_dropped_column_with_infinite_numbers_has_a_profile() -> None:
    found = profiles(TABLE.assign(salary=TABLE.salary.astype(float).where(TABLE.index > 3, np.inf)))["salary"]
    assert (found.type, found.distinct) == ("number", TABLE.salary[4:].nunique() + 1)


def test_a_target_that_is_cut_from_a_number_comes_last() -> None:
    target = {"name": "heavy", "column": "weight", "bins": [70], "labels": ["no", "yes"]}
    found = profiles(target=target)
    assert [*found][-1] == "heavy"
    assert (found["weight"].use, found["heavy"].use) == ("cut into heavy", "target")
    assert found["weight"].range == ""
