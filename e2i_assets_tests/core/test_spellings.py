"""Spellings of one class or category: classes are refused with their rows, categories are pointed out."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from e2i_assets.core.data.dataset import Dataset, dataset_of, pointed_out
from e2i_assets.core.data.spellings import spelling_notes
from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.experiments.file import experiment_from

ROWS = 300
RANDOM = np.random.default_rng(4)
CLASSES = {"mild": 100, "Mild": 40, " mild": 10, "moderate": 90, "Moderate": 1, "severe": 59}


def dataset(target: list[str], table: dict[str, Any] | None = None, order: list[str] | None = None) -> Dataset:
    raw = {
        "name": "e",
        "owner": "team:a",
        "source": {"csv": "a.csv"},
        "target": {"column": "grade", "order": order} if order else "grade",
        "problem_type": "multiclass_classification",
        "algorithm": "XGBoost",
    }
    rows = {"age": RANDOM.normal(size=len(target)), "grade": target, **(table or {})}
    return dataset_of(pd.DataFrame(rows), experiment_from(raw, "e"))


def classes(counts: dict[str, int]) -> list[str]:
    return [one for one, rows in counts.items() for _ in range(rows)]


def mistakes(target: list[str]) -> list[str]:
    with pytest.raises(DataInvalid) as caught:
        dataset(target)
    return [str(one) for one in caught.value.violations]


def test_classes_that_are_spellings_of_one_are_refused_with_their_rows() -> None:
    mild, moderate = mistakes(classes(CLASSES))
    assert "'grade' has one class in 3 spellings: 'mild' (100), 'Mild' (40), ' mild' (10)" in mild
    assert "'moderate' (90), 'Moderate' (1)" in moderate
    assert all("write them alike in the source" in one and "target.order" in one for one in (mild, moderate))


@pytest.mark.parametrize("rare", ["M", "m "])
def test_a_rare_or_spaced_spelling_of_a_short_class_is_refused(rare: str) -> None:
    (said,) = mistakes(classes({"m": 200, rare: 4, "f": 50, "d": 46}))
    assert repr(rare) in said


def test_short_classes_that_differ_by_case_are_classes_with_a_note() -> None:
    made = dataset(classes({"a": 100, "A": 120, "b": 80}))
    assert made.classes == ("A", "a", "b")
    assert [one for one in pointed_out(made) if one.startswith("grade: 'A' (120), 'a' (100) differ by case")]


def test_an_order_that_lists_each_spelling_says_that_they_are_different() -> None:
    made = dataset(classes({"low": 100, "Low": 100, "high": 100}), order=["low", "Low", "high"])
    assert made.classes == ("low", "Low", "high")


def test_spellings_of_a_category_are_a_note_with_their_rows() -> None:
    plans = ["basic", "Basic", "basic ", "family", "family", "family"] * 50
    made = dataset(classes({"x": 100, "y": 100, "z": 100}), {"plan": plans})
    (note,) = [one for one in pointed_out(made) if one.startswith("plan:")]
    assert all(one in note for one in ("'basic' (50)", "'Basic' (50)", "'basic ' (50)"))
    assert "family" not in note


def test_keys_may_differ_by_case_but_not_by_spaces() -> None:
    assert not [*spelling_notes({"code": pd.Series(["aB", "Ab"])}, {"code"})]
    (note,) = spelling_notes({"code": pd.Series(["aB", "aB "])}, {"code"})
    assert note.startswith("code: 'aB' (1), 'aB ' (1) differ")
