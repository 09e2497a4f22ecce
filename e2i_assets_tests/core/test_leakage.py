"""Planted leakage is found with the pair of splits, the count and examples; clean tables have no findings."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from e2i_assets.core.data.dataset import Dataset, dataset_of
from e2i_assets.core.data.splits import assign, entity_keys
from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.experiments.sections import Leakage
from e2i_assets.core.leakage import copied_rows, one_feature
from e2i_assets.core.leakage.audit import copied, findings, one_feature_model, shifted
from e2i_assets.core.leakage.one_feature import Part

ROWS = 3000
RANDOM = np.random.default_rng(11)
KINDS = ("binary_classification", "multiclass_classification", "regression")


def rows(kind: str) -> pd.DataFrame:
    """Return persons with five days each in random order, with two legitimate features."""
    frame = pd.DataFrame({"person": np.arange(ROWS) // 5, "day": np.arange(ROWS) % 5 + RANDOM.integers(0, 2) * 10})
    signal = RANDOM.normal(size=ROWS)
    noisy = signal + RANDOM.normal(size=ROWS)
    classes = {"binary_classification": 2, "multiclass_classification": 3}
    frame["y"] = noisy if kind == "regression" else pd.qcut(noisy, classes[kind], labels=False)
    frame["honest"], frame["noise"] = signal, RANDOM.normal(size=ROWS)
    return frame


def data(frame: pd.DataFrame, kind: str, **changes: Any) -> Dataset:
    raw = {
        "name": "planted",
        "owner": "team:a",
        "source": {"csv": "a.csv"},
        "target": "y",
        "problem_type": kind,
        "algorithm": "LightGBM",
        "columns": {"group": "person", "time": "day"},
        **changes,
    }
    return dataset_of(frame, experiment_from(raw, "x"))


def parts(made: Dataset) -> tuple[Part, Part]:
    roles = assign(entity_keys(made.frame, None, ()), "random", 1).roles
    of = [made.frame[roles == role] for role in ("train", "validation")]
    first, second = (Part(frame[list(made.features)], frame[made.target]) for frame in of)
    return first, second


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [1, -1, 2, -3])
def test_the_target_of_another_row_is_found_renamed_scaled_and_relabelled(kind: str, steps: int) -> None:
    """A copy shifted in the order of person and day is found for any row order of the table."""
    frame = rows(kind)
    frame["innocent"] = frame.groupby("person")["y"].shift(steps) * -3.5 + 2
    made = data(frame.sample(frac=1, random_state=0), kind)
    found = shifted(made, Leakage())
    which = f"{abs(steps)} row{'' if abs(steps) == 1 else 's'} {'before' if steps > 0 else 'after'} it"
    assert (found.passed, found.severity, found.affected, found.examples) == (False, "critical", 1, ("innocent",))
    assert f"'innocent' matches the target {which}, ordered by person and day (in 100.0% of " in found.details
    assert shifted(made, Leakage(accepted={"innocent": "known the day before"})).passed


@pytest.mark.parametrize("kind", KINDS)
def test_a_filled_first_row_does_not_hide_a_shifted_copy(kind: str) -> None:
    frame = rows(kind)
    frame["lag"] = frame["y"].shift(1).fillna(0).where(RANDOM.random(ROWS) > 0.002, 1)
    made = data(frame, kind, columns={"drop": ["person", "day"]})
    assert shifted(made, Leakage()).examples == ("lag",)


@pytest.mark.parametrize("kind", KINDS)
def test_legitimate_features_are_not_reported(kind: str) -> None:
    made = data(rows(kind), kind)
    assert shifted(made, Leakage()).passed
    found = one_feature_model(*parts(made), made.classes, Leakage())
    assert found.passed
    assert found.details.startswith("the best of 2 features alone is honest with ")


def test_a_rare_class_causes_no_finding() -> None:
    frame = rows("regression").assign(y=lambda frame: (frame["honest"] > 2.3).astype(int), flag=0)
    frame.loc[frame.sample(20, random_state=1).index, "flag"] = 1
    made = data(frame.drop(columns="honest"), "binary_classification")
    assert shifted(made, Leakage()).passed
    assert one_feature_model(*parts(made), made.classes, Leakage()).passed


@pytest.mark.parametrize("kind", KINDS)
def test_a_feature_that_nearly_determines_the_target_is_found_and_can_be_accepted(kind: str) -> None:
    """The feature is not a copy, but alone it predicts the target almost perfectly."""
    frame = rows(kind)
    frame["known_afterwards"] = frame["y"] * 2.0 + RANDOM.normal(0, 0.05, ROWS)
    made = data(frame, kind)
    found = one_feature_model(*parts(made), made.classes, Leakage())
    assert (found.severity, found.examples) == ("critical", ("known_afterwards",))
    assert "reveals the target: alone it reaches" in found.details
    assert one_feature_model(*parts(made), made.classes, Leakage(accepted={"known_afterwards": "so it is"})).passed


def test_a_category_or_missing_value_that_determines_the_target_is_found() -> None:
    frame = rows("binary_classification")
    right = RANDOM.random(ROWS) > 0.003
    frame["status"] = np.where((frame["y"] == 1) == right, "transitioning", "stable")
    frame["closed_on"] = pd.Series(RANDOM.normal(size=ROWS)).where((frame["y"] == 1) == right)
    found = one_feature_model(*parts(data(frame, "binary_classification")), ("0", "1"), Leakage())
    assert found.examples == ("status", "closed_on")


def test_the_thresholds_come_from_the_experiment() -> None:
    made = data(rows("binary_classification"), "binary_classification")
    score = one_feature.scores(*parts(made), made.classes)["honest"]
    assert 0.7 < score < 0.9
    assert not one_feature_model(*parts(made), made.classes, Leakage(maximum_auc=0.7)).passed


def test_a_heavy_tail_does_not_hide_a_copy() -> None:
    frame = rows("regression").assign(y=lambda frame: np.exp(3 * frame["honest"]))
    frame["paid"] = frame["y"] * RANDOM.uniform(0.97, 1.03, ROWS)
    assert one_feature_model(*parts(data(frame.drop(columns="honest"), "regression")), (), Leakage()).examples == (
        "paid",
    )


def test_the_score_is_the_area_under_the_curve() -> None:
    from sklearn.metrics import roc_auc_score

    wanted, score = RANDOM.random(500) < 0.3, RANDOM.integers(0, 9, 500).astype(float)
    assert one_feature._auc(wanted, score) == pytest.approx(roc_auc_score(wanted, score), abs=1e-12)


def test_codes_with_many_digits_are_compared_exactly() -> None:
    """A tree reads single precision, in which codes of 13 digits with a difference of 100 are one."""
    frame = rows("binary_classification")
    order = frame["y"].rank(method="first").astype("int64")
    frame["code"] = 1_700_000_000_000 + order
    frame["long"] = 9_007_199_254_740_993 + 1_000_000 * (order % 2) + order
    columns = {"group": "person", "time": "day", "numeric": ["code", "long"]}
    found = one_feature.scores(*parts(data(frame, "binary_classification", columns=columns)), ("0", "1"))
    assert found["code"] > 0.99
    assert found["long"] > 0.99


def test_too_few_rows_are_not_evaluated() -> None:
    made = data(rows("binary_classification")[:60], "binary_classification")
    assert (
        one_feature_model(*parts(made), made.classes, Leakage()).details == "too few rows to evaluate a single feature"
    )


def roles_of(frame: pd.DataFrame) -> dict[Any, pd.DataFrame]:
    roles = assign(entity_keys(frame, None, ()), "random", 1).roles
    return {role: frame[roles == role].drop(columns=["person", "day"]) for role in ("train", "validation", "test")}


def test_a_table_that_was_read_twice_is_found() -> None:
    """The finding has the pair of splits, the count and examples."""
    frame = pd.concat([rows("regression")] * 2, ignore_index=True)
    found = copied(roles_of(frame), Leakage())
    assert found.severity == "critical"
    assert "rows of validation (" in found.mistakes[0]
    assert "are also in train, for example rows " in found.mistakes[0]
    assert found.mistakes[0].endswith("chance explains 0")
    assert "give the reason for equal rows under leakage.accepted_copies" in found.mistakes[-1]
    assert copied(roles_of(frame), Leakage(accepted_copies="two measurements of each")).passed


def test_equal_rows_of_coarse_columns_are_a_warning() -> None:
    frame = rows("regression").drop(columns=["y", "honest", "noise"])
    for name in ("y", "plan", "sex", "region", "smoker"):
        frame[name] = RANDOM.integers(0, 3, ROWS)
    found = copied(roles_of(frame), Leakage())
    assert found.severity == "warning"
    assert "too small to stop the run" in found.mistakes[-1]


def test_a_few_equal_rows_are_not_reported() -> None:
    frame = rows("regression")
    frame = pd.concat([frame, frame[:12]], ignore_index=True)
    found = copied(roles_of(frame), Leakage())
    assert found.passed
    assert 0 < found.affected < 13


def test_categories_are_compared_by_value() -> None:
    frame = pd.DataFrame({"a": ["x", "y", "z"] * 50, "b": range(150)})
    other = frame[::-1].astype({"a": pd.CategoricalDtype(["z", "q", "y", "x"])})
    (pair,) = copied_rows.pairs({"train": frame.astype({"a": "category"}), "test": other})
    assert (pair.splits, pair.alike, pair.by_chance) == ("train and test", 150, 0)


def test_every_kind_of_leakage_is_tested_and_a_clean_table_has_none() -> None:
    made = data(rows("binary_classification"), "binary_classification", columns={"group": "person", "drop": ["day"]})
    found = findings(made, assign(entity_keys(made.frame, "person", ()), "group", 42), Leakage())
    assert {one.check_type for one in found if one.passed and one.severity == "info"} == {
        *("entity_in_two_roles", "time_backwards", "target_among_features", "shifted_target"),
        *("one_feature_model", "copied_rows"),
    }


def test_a_person_in_two_splits_is_counted_with_the_pair_of_splits() -> None:
    """The overlap is measured by entity, not by row number."""
    made = data(rows("binary_classification"), "binary_classification")
    torn = assign(entity_keys(made.frame, None, ()), "random", 42).roles
    found = findings(made, assign(entity_keys(made.frame, "person", ()), "column", 42, given=torn), Leakage())
    assert "entities are in both train and validation, for example " in found[0].details
    assert found[0].affected > 300
    assert "rows of train are not before the first row of validation" in found[1].details


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"split": {"column": "fold"}}, "split.column: 'fold' is not a split in 3000 rows ('a'): each must be one of"),
        (
            {"leakage": {"accepted": {"honst": "x"}}},
            "leakage.accepted: 'honst' is not a feature; did you mean",
        ),
    ],
)
def test_the_split_and_leakage_settings_are_validated_against_the_table(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataInvalid, match="x") as caught:
        data(rows("regression").assign(fold="a"), "regression", **changes)
    assert words in str(caught.value)


def test_the_split_column_is_not_a_feature() -> None:
    made = data(rows("regression").assign(fold="Train "), "regression", split={"column": "fold"})
    assert made.left_out["fold"] == "the role of each row"
    assert set(made.frame["fold"]) == {"train"}
