import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.errors
import pytest

from e2i_assets.core.data.dataset import Dataset, dataset_of, schema_of
from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.experiments.file import experiment_from

ROWS = 200
RANDOM = np.random.default_rng(7)
TABLE = pd.DataFrame(
    {
        "person": np.arange(ROWS) // 4,
        "day": pd.date_range("2026-01-01", periods=ROWS, freq="D"),
        "visits": RANDOM.poisson(1.5, ROWS),
        "age": RANDOM.uniform(1, 90, ROWS),
        "smoker": RANDOM.random(ROWS) < 0.3,
        "plan": RANDOM.choice(["a", "b", "c"], ROWS),
        "site": RANDOM.choice([3, 7, 20], ROWS),
        "note": [f"note {number}" for number in range(ROWS)],
        "same": 1,
        "void": None,
        "outcome": RANDOM.choice(["no", "yes"], ROWS),
        "cost": RANDOM.uniform(0, 9, ROWS),
    }
)


ROW_IDS = "an identifier: nearly every row has its own value; if it is a feature, write columns: {numeric: [row_id]}"
ROW_NUMBERS = (
    "an identifier: nearly every row has its own value, like numbers that are assigned one after another; if it is a "
    "feature, write columns: {{numeric: [{}]}}"
)


def dataset(table: pd.DataFrame = TABLE, **changes: Any) -> Dataset:
    raw = {
        "name": "visits",
        "owner": "team:a",
        "source": {"csv": "a.csv"},
        "target": "outcome",
        "problem_type": "binary_classification",
        "algorithm": "XGBoost",
        **changes,
    }
    return dataset_of(table, experiment_from(raw, "x"))


def mistakes(table: pd.DataFrame = TABLE, **changes: Any) -> list[str]:
    with pytest.raises(DataInvalid) as caught:
        dataset(table, **changes)
    return [str(violation) for violation in caught.value.violations]


def test_every_column_is_a_feature_or_excluded_with_a_reason() -> None:
    """No id, no group, no time and no raw text reaches a model."""
    columns = {"group": "person", "time": "day", "drop": ["cost"], "categorical": ["site"]}
    made = dataset(columns=columns)
    assert made.features == ("visits", "age", "smoker", "plan", "site")
    assert made.left_out == {
        "person": "the group",
        "day": "the time",
        "cost": "dropped by the experiment",
        "note": "hardly any value is repeated: 200 distinct values in 200 rows",
        "same": "one value only",
        "void": "no values",
    }
    assert set(made.features) | set(made.left_out) | {made.target} == set(TABLE.columns)


def test_features_have_plain_types() -> None:
    frame = dataset(columns={"categorical": ["site"]}).frame
    assert {name: str(frame[name].dtype) for name in ("visits", "age", "smoker", "plan", "site", "outcome")} == {
        "visits": "int64",
        "age": "float64",
        "smoker": "int64",
        "plan": "category",
        "site": "category",
        "outcome": "object",
    }
    assert list(frame["site"].cat.categories) == ["20", "3", "7"]


@pytest.mark.parametrize(
    ("cells", "dtype", "first"),
    [
        ([Decimal("1.5"), Decimal("2"), None], "float64", 1.5),
        ([True, False, None], "float64", 1.0),
        (pd.array([1, 2, None], dtype="Int64"), "float64", 1.0),
        (pd.array([1, 2, 3], dtype="Int64"), "int64", 1),
        (pd.array([True, False, None], dtype="boolean"), "float64", 1.0),
        (pd.array(["a", "b", None], dtype="string"), "category", "a"),
        (pd.Categorical([5, 6, 7]), "float64", 5.0),
        (np.array([1, 2, 3], dtype="uint8"), "int64", 1),
        (np.array([1, 2, 3], dtype="float32"), "float64", 1.0),
        (["a", 1, None], "category", "a"),
    ],
)
def test_the_column_type_of_the_reader_does_not_matter(cells: Any, dtype: str, first: object) -> None:
    table = TABLE.assign(extra=pd.Series(cells).repeat(67).reset_index(drop=True)[:ROWS])
    column = dataset(table).frame["extra"]
    assert (str(column.dtype), column.iloc[0]) == (dtype, first)


@pytest.mark.parametrize(
    ("name", "cells", "reason"),
    [
        ("born", [datetime.date(2000, 1, 1), None] * 100, None),
        ("seen", pd.date_range("2026-01-01", periods=ROWS, tz="UTC"), None),
        ("row_id", np.arange(ROWS)[::-1] ** 2, ROW_IDS),
        ("Unnamed: 0", np.arange(ROWS), ROW_NUMBERS.format("Unnamed: 0")),
        ("few", ["a", *[None] * (ROWS - 1)], None),
        (
            "words",
            [f"w{number}" if number < 4 else None for number in range(ROWS)],
            "hardly any value is repeated: 4 distinct values in 4 rows",
        ),
        ("count", np.arange(ROWS)[::-1], ROW_NUMBERS.format("count")),
    ],
)
def test_a_column_that_cannot_be_a_feature_is_excluded(name: str, cells: Any, reason: str | None) -> None:
    made = dataset(TABLE.assign(**{name: cells}))
    assert made.left_out.get(name) == reason
    assert (name in made.features) == (reason is None)


NESTED = {
    "lists": [[1, 2], [3]],
    "arrays": [np.array([1.0]), np.array([2.0, 3.0])],
    "mappings": [{"a": 1}, {"a": 2}],
    "beside a number": [1, [2]],
    "beside text": ["a", {"b": 1}],
    "beside nothing": [None, [2]],
}


@pytest.mark.parametrize("cells", NESTED.values(), ids=NESTED)
def test_a_column_of_nested_values_is_excluded(cells: list[Any]) -> None:
    made = dataset(TABLE.assign(parts=cells * (ROWS // 2)))
    assert made.left_out["parts"] == "lists or mappings: each of their values would be a feature"


@pytest.mark.parametrize("cells", NESTED.values(), ids=NESTED)
@pytest.mark.parametrize(
    "role",
    [
        {"columns": {"categorical": ["parts"]}},
        {"columns": {"numeric": ["parts"]}},
        {"columns": {"id": ["parts"]}},
        {"columns": {"group": "parts"}},
        {"columns": {"time": "parts"}},
        {"columns": {"weight": "parts"}},
        {"segments": ["parts"]},
        {"target": "parts"},
    ],
    ids=lambda role: next(iter(role.get("columns", role))),
)
def test_nested_values_have_no_role(role: dict[str, Any], cells: list[Any]) -> None:
    said = mistakes(TABLE.assign(parts=cells * (ROWS // 2)), **role)
    assert [one for one in said if "contains lists or mappings" in one] == said
    assert len(said) == 1


def test_instants_that_pandas_cannot_show_in_their_time_zone_are_read_in_utc() -> None:
    year_284 = pd.Series(np.array([-53_203_408_092_949_447, 0] * (ROWS // 2), dtype="datetime64[us]"))
    zoned = year_284.dt.tz_localize("UTC").dt.tz_convert("Antarctica/South_Pole")
    made = dataset(TABLE.assign(seen=zoned))
    assert made.frame["seen"].equals(year_284.dt.tz_localize("UTC").rename("seen"))


def test_the_positive_class_is_last() -> None:
    assert dataset().classes == ("no", "yes")
    assert dataset(positive_label="no").classes == ("yes", "no")
    assert dataset(target="smoker").classes == ("0", "1")
    assert dataset(target="smoker", positive_label=False).classes == ("1", "0")
    assert dataset(TABLE.assign(outcome=(TABLE.index % 7 > 2) * 10.0 - 5)).classes == ("-5", "5")


def test_numbers_as_classes_are_ordered_by_size() -> None:
    table = TABLE.assign(outcome=RANDOM.choice([10, 9, 100], ROWS))
    made = dataset(table, problem_type="multiclass_classification")
    assert made.classes == ("9", "10", "100")
    assert set(made.frame["outcome"]) == {"9", "10", "100"}


def test_target_bins_include_their_left_edge() -> None:
    cut = {"name": "level", "column": "visits", "bins": [0, 2], "labels": ["none", "few", "many"]}
    made = dataset(target=cut, problem_type="multiclass_classification")
    expected = ["none" if visits <= 0 else "few" if visits <= 2 else "many" for visits in TABLE["visits"]]
    assert made.frame["level"].tolist() == expected
    assert made.classes == ("none", "few", "many")
    assert made.left_out["visits"] == "the target is cut from it"


def test_rows_without_a_target_are_excluded_and_counted() -> None:
    table = TABLE.assign(cost=TABLE["cost"].where(TABLE.index % 10 != 0))
    made = dataset(table, target="cost", problem_type="regression")
    assert (made.rows_without_target, len(made.frame), made.classes) == (20, 180, ())
    assert list(made.frame.index) == list(range(180))


def test_the_hash_depends_on_the_content_only(tmp_path: Path) -> None:
    plain = dataset()
    TABLE.to_parquet(tmp_path / "t.parquet")
    assert dataset(pd.read_parquet(tmp_path / "t.parquet")).data_hash == plain.data_hash
    assert dataset(TABLE.set_index(TABLE.index + 5)).data_hash == plain.data_hash
    assert dataset(TABLE.iloc[::-1]).data_hash != plain.data_hash
    assert dataset(TABLE.assign(note="other")).data_hash == plain.data_hash
    assert dataset(columns={"drop": ["cost"]}).data_hash != plain.data_hash


def test_a_table_conforms_to_its_schema() -> None:
    made = dataset(columns={"group": "person", "time": "day", "id": ["person", "day"]})
    schema_of(made).validate(made.frame)
    number = dataset(target="cost", problem_type="regression")
    schema_of(number).validate(number.frame)


@pytest.mark.parametrize(
    "broken",
    [
        lambda frame: frame.assign(age=np.inf),
        lambda frame: frame.assign(outcome="maybe"),
        lambda frame: frame.assign(outcome=None),
        lambda frame: frame.assign(visits=frame["visits"].astype("float64")),
        lambda frame: frame.assign(person=None),
        lambda frame: frame.drop(columns="age"),
        lambda frame: frame.assign(more=1),
    ],
)
def test_a_modified_table_violates_its_schema(broken: Any) -> None:
    made = dataset(columns={"group": "person"})
    with pytest.raises(pandera.errors.SchemaErrors):
        schema_of(made).validate(broken(made.frame), lazy=True)


@pytest.mark.parametrize("rows", [1_000, 20_000])
def test_codes_with_many_values_are_categories_and_free_text_is_not(rows: int) -> None:
    random = np.random.default_rng(9)
    number = random.zipf(1.3, rows) % 4_000
    table = pd.DataFrame(
        {
            "icd": [f"{'ABCDEFGH'[one % 8]}{one % 90 + 10}.{one % 10}" for one in number],
            "product": number + 10_000,
            "town": [f"St. Ulm am See {one}" for one in number],
            "remark": [f"the person said on day {one} that it hurts" for one in range(rows)],
            "outcome": random.choice(["no", "yes"], rows),
        }
    )
    made = dataset(table, columns={"categorical": ["product"]})
    assert made.features == ("icd", "product", "town")
    assert {str(made.frame[name].dtype) for name in made.features} == {"category"}
    assert made.left_out == {"remark": f"free text: {rows} distinct values in {rows} rows"}


@pytest.mark.parametrize(
    ("table", "changes", "expected"),
    [
        (TABLE[:0], {}, "source: '0 rows' is not enough: the table is empty"),
        (TABLE, {"target": "outcme"}, "target: 'outcme' is not a column of the data; did you mean 'outcome'?"),
        (
            TABLE,
            {"columns": {"group": "persn"}},
            "columns.group: 'persn' is not a column of the data; did you mean 'person'?",
        ),
        (
            TABLE,
            {"columns": {"drop": ["costs"]}},
            "columns.drop: 'costs' is not a column of the data; did you mean 'cost'?",
        ),
        (TABLE.rename(columns={"cost": "age"}), {}, "columns: ['age'] appear more than once"),
        (TABLE, {"target": "same"}, "target: 'same' has only one value (1): there is nothing to predict"),
        (TABLE.assign(outcome=None), {}, "target: 'outcome' is missing in 200 of 200 rows: at most 20% may be missing"),
        (TABLE.assign(outcome=TABLE["outcome"].where(TABLE.index % 4 > 0)), {}, "is missing in 50 of 200 rows"),
        (TABLE, {"target": "plan"}, "target: 'plan' has 3 values (a, b, c), but binary_classification needs two"),
        (
            TABLE,
            {"problem_type": "multiclass_classification"},
            "has 2 values (no, yes), but multiclass_classification needs 3",
        ),
        (
            TABLE,
            {"target": "note", "problem_type": "multiclass_classification"},
            "'note' has 200 values (note 0, note 1,",
        ),
        (TABLE, {"problem_type": "regression"}, "but a regression needs numbers"),
        (TABLE.assign(cost=np.inf), {"target": "cost", "problem_type": "regression"}, "has only one value"),
        (
            TABLE.assign(cost=TABLE["cost"].where(TABLE.index > 2, -np.inf)),
            {"target": "cost", "problem_type": "regression"},
            "target: 'cost' is infinite in 3 rows",
        ),
        (TABLE, {"positive_label": "ja"}, "positive_label: 'ja' is not one of no, yes"),
        (TABLE.assign(age=TABLE["age"].where(TABLE.index > 0, np.inf)), {}, "columns: 'age' is infinite in 1 rows"),
        (TABLE.assign(person=None), {"columns": {"group": "person"}}, "columns.group: 'person' is missing in 200 rows"),
        (TABLE, {"columns": {"time": "note"}}, "columns.time: 'note' is missing or not a date in 200 rows"),
        (
            TABLE,
            {"columns": {"categorical": ["age"]}},
            "columns.categorical: 'age' has 200 values in 200 rows, and hardly any is repeated",
        ),
        (TABLE.assign(plan=["a", "1\ud800"] * 100), {}, "columns: 'plan' contains '1\\ud800', a text with half a char"),
        (TABLE[["outcome", "note"]], {}, "so there is no feature to learn from"),
        (
            TABLE.assign(Outcome="x", age=1).assign(Outcome=TABLE["plan"]),
            {},
            "columns: 'Outcome' is the target 'outcome'",
        ),
    ],
)
def test_invalid_rows_are_reported(table: pd.DataFrame, changes: dict[str, Any], expected: str) -> None:
    assert any(expected in mistake for mistake in mistakes(table, **changes))


CUT = {"name": "any", "column": "visits", "bins": [0], "labels": ["no", "yes"]}


@pytest.mark.parametrize(
    ("table", "target", "expected"),
    [
        (TABLE, {**CUT, "column": "plan"}, "target.column: 'plan' contains text ('"),
        (TABLE, {**CUT, "bins": [500]}, "has only one value (no)"),
        (TABLE, {**CUT, "name": "age"}, "target.name: 'age' is already a column of the data"),
        (TABLE.assign(VISITS=TABLE["plan"]), CUT, "columns: 'VISITS' is the target 'any' among the features"),
    ],
)
def test_a_target_that_cannot_be_binned_is_reported(table: pd.DataFrame, target: dict[str, Any], expected: str) -> None:
    assert any(expected in mistake for mistake in mistakes(table, target=target))


def test_a_label_without_rows_is_reported() -> None:
    cut = {"name": "level", "column": "visits", "bins": [0, 2, 500], "labels": ["none", "few", "many", "most"]}
    assert mistakes(target=cut, problem_type="multiclass_classification") == [
        "target.labels: 'most' has no row: change target.bins"
    ]


def test_all_mistakes_are_reported_at_once() -> None:
    table = TABLE.assign(age=np.inf, cost=np.nan, person=None).assign(age=TABLE["age"].where(TABLE.index > 0, np.inf))
    found = mistakes(table, target="plan", columns={"group": "person", "categorical": ["note"]})
    assert [mistake.split(":")[0] for mistake in found] == ["target", "columns", "columns.categorical", "columns.group"]


@pytest.mark.parametrize(
    ("leak", "expected"),
    [
        (
            TABLE["outcome"] == "yes",
            "'leak' has 2 values, each of which occurs with one class only, so it reveals the target",
        ),
        (
            np.where(TABLE["outcome"] == "yes", "stopped", np.where(TABLE["plan"] == "a", "active", "new")),
            "'leak' has 3 values, each of which occurs with one class only",
        ),
        (
            np.where(TABLE["outcome"] == "yes", TABLE["age"], np.nan),
            "is always missing in some classes and never in the others",
        ),
    ],
)
def test_a_feature_that_determines_the_class_stops_the_run(leak: Any, expected: str) -> None:
    (found,) = mistakes(TABLE.assign(leak=leak))
    assert expected in found
    assert "drop it under columns.drop" in found


@pytest.mark.parametrize("leak", [TABLE["cost"], np.log1p(TABLE["cost"]), -3 * TABLE["cost"] + 1])
def test_a_monotonic_function_of_the_target_stops_the_run(leak: pd.Series) -> None:
    (found,) = mistakes(TABLE.assign(leak=leak), target="cost", problem_type="regression")
    assert "columns: 'leak' rises or falls exactly with the target" in found


def test_a_legitimate_feature_is_accepted() -> None:
    wrong_once = (TABLE["outcome"] == "yes") ^ (TABLE.index == 0)
    noisy = TABLE["cost"] + RANDOM.normal(0, 0.1, ROWS)
    assert "guess" in dataset(TABLE.assign(guess=wrong_once)).features
    assert "noisy" in dataset(TABLE.assign(noisy=noisy), target="cost", problem_type="regression").features


def test_a_time_may_be_a_number_or_a_date_string() -> None:
    written = TABLE.assign(day=TABLE["day"].dt.strftime("%Y-%m-%d"))
    assert str(dataset(written, columns={"time": "day"}).frame["day"].dtype) == "datetime64[ns]"
    assert str(dataset(columns={"time": "visits"}).frame["visits"].dtype) == "int64"


@pytest.mark.parametrize(
    "texts",
    [
        ["a", "b", "NA", "c"],
        ["1,5", "2,25", "", "3,5"],
        ["1.000", "2.500", "unknown", "7.250"],
        ["2.5M", "900k", "3M", "70k"],
        ["007", "012", "105", "0"],
        ["01.02.2024", "17.02.2024", "n/a", "28.03.2024"],
        ["2024-03-31 02:30", "2024-10-27 02:30", None, "9999-12-31"],
        [" yes", "yes", "Yes", "YES"],
        ["-999", "3", "5", "8"],
        [None, None, None, "x"],
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "declared", [{}, {"categorical": ["text"]}, {"id": ["text"]}, {"missing": {"text": ["unknown", "a", "3"]}}]
)
def test_a_column_is_read_alike_as_texts_and_as_categories(texts: list[Any], declared: dict[str, Any]) -> None:
    table = TABLE[["age", "outcome"]].assign(text=pd.Series(texts * 50, dtype=object))
    known = [one for one in dict.fromkeys(texts) if one is not None]
    categories = table.assign(text=pd.Categorical(table["text"], [*reversed(known), "not used"]))

    def found(rows: pd.DataFrame) -> object:
        try:
            data = dataset(rows, columns=declared)
        except DataInvalid as error:
            return str(error)
        return data.data_hash, data.notes, data.left_out, data.profile, data.date_forms

    assert found(categories) == found(table)
