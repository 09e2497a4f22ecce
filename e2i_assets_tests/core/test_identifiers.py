"""Identifiers are noticed by their values, persons by their values and name; measurements stay features."""

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from e2i_assets.core.data.dataset import Dataset, dataset_of
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.file import experiment_from

ROWS = 400
RANDOM = np.random.default_rng(8)
TABLE = pd.DataFrame({"age": RANDOM.normal(50, 9, ROWS).round(1), "cost": RANDOM.normal(80, 9, ROWS)})
COUNTER = np.arange(ROWS) + 1
CODES = RANDOM.choice(np.arange(100_000, 1_000_000), ROWS, replace=False)


def dataset(name: str, column: Any, **columns: Any) -> Dataset:
    raw: dict[str, Any] = {"name": "e", "owner": "team:a", "source": {"parquet": "a.parquet"}, "target": "cost"}
    raw |= {"problem_type": "regression", "algorithm": "XGBoost", "columns": columns}
    return dataset_of(TABLE.assign(**{name: column}), experiment_from(raw, "e"))


def changed(values: Any, position: int, value: int) -> Any:
    return np.where(np.arange(ROWS) == position, value, values)


IDENTIFIERS = {
    "counter": COUNTER,
    "shuffled counter": RANDOM.permutation(COUNTER),
    "one gap": changed(COUNTER, 399, 405),
    "one repeat": changed(COUNTER, 7, 12),
    "one missing": pd.Series(COUNTER).astype(float).mask(COUNTER == 9),
    "from a million": COUNTER + 1_000_000,
    "18 digits": COUNTER + 10**17,
    "tens": COUNTER * 10,
    "a third of the numbers": RANDOM.choice(np.arange(1, 3 * ROWS), ROWS, replace=False),
    "random codes": CODES,
    "text counter": [f"P{one:05d}" for one in COUNTER],
    "random text": [f"{one:x}-{one % 7}" for one in CODES],
    "social security": [f"{one // 1000}-{one % 89 + 10}-{one % 9000 + 1000}" for one in CODES],
    "leading zeros": [f"{one:06d}" for one in COUNTER],
}


@pytest.mark.parametrize("kind", IDENTIFIERS)
def test_a_value_of_its_own_in_every_row_is_an_identifier_whatever_its_name(kind: str) -> None:
    made = dataset("x", IDENTIFIERS[kind])
    assert "x" not in made.features
    assert made.left_out["x"].startswith("an identifier: nearly every row has its own value")
    key = "categorical" if isinstance(IDENTIFIERS[kind], list) else "numeric"
    assert f"if it is a feature, write columns: {{{key}: [x]}}" in made.left_out["x"]
    if key == "numeric":
        assert "x" in dataset("x", IDENTIFIERS[kind], numeric=["x"]).features


@pytest.mark.parametrize(
    "name", ["id", "PatientID", "patientId", "mrn", "SSN", "member no", "Kunden-Nr", "account_number"]
)
def test_whole_numbers_that_are_all_different_are_an_identifier_if_the_name_says_so(name: str) -> None:
    spread = np.unique(RANDOM.lognormal(10, 2, 4 * ROWS).astype(int))[:ROWS]
    assert "x" in dataset("x", spread).features
    assert dataset(name, spread).left_out[name].startswith("an identifier")


MEASUREMENTS = {
    "floats": RANDOM.normal(size=ROWS),
    "evenly spread floats": RANDOM.random(ROWS),
    "income in cents": RANDOM.lognormal(15, 0.6, ROWS).astype(int),
    "income in cents, evenly": RANDOM.choice(np.arange(1_500_000, 9_000_000), ROWS, replace=False),
    "amounts": RANDOM.exponential(1e7, ROWS).astype(int),
    "age": RANDOM.integers(18, 90, ROWS),
    "counts": RANDOM.poisson(300, ROWS),
    "wide counts": RANDOM.integers(0, 3 * ROWS, ROWS),
    "few values": RANDOM.integers(0, 2, ROWS),
    "mostly missing": pd.Series(RANDOM.integers(0, 50, ROWS)).astype(float).mask(np.arange(ROWS) > 30),
}


@pytest.mark.parametrize("kind", MEASUREMENTS)
def test_measurements_are_features(kind: str) -> None:
    assert "x" in dataset("x", MEASUREMENTS[kind]).features


@pytest.mark.parametrize("name", ["patient_id", "PatientID", "patient", "mrn", "ssn", "member no", "customer", "patid"])
@pytest.mark.parametrize("rows_each", [2, 5])
@pytest.mark.parametrize("text", [False, True])
def test_what_looks_like_a_person_is_left_out_and_the_reason_names_the_group(
    name: str, rows_each: int, text: bool
) -> None:
    persons = pd.Series(np.arange(ROWS) // rows_each * 7 + 100)
    made = dataset(name, persons.map("P{}".format) if text else persons)
    assert name not in made.features
    assert "looks like a person or thing with several rows" in made.left_out[name]
    assert f"write columns: {{group: {name}}}" in made.left_out[name]
    assert name in dataset(name, persons, numeric=[name]).features
    assert name in dataset(name, persons.map(str), categorical=[name]).features


@pytest.mark.parametrize("name", ["patient_age", "member_since", "customer_type", "number_of_patients", "store_id"])
def test_a_name_with_a_person_in_it_is_not_enough(name: str) -> None:
    assert name in dataset(name, RANDOM.integers(0, 60, ROWS)).features
    assert "patient_id" in dataset("patient_id", RANDOM.integers(0, 9, ROWS)).features


@pytest.mark.parametrize("rows_each", [3, 5])
@pytest.mark.parametrize("of", [lambda one: one + 40, lambda one: one * 7 % 401, lambda one: f"K-{one}"])
def test_values_with_the_same_few_rows_each_are_a_note_that_names_the_group(of: Any, rows_each: int) -> None:
    persons = pd.Series(RANDOM.permutation(np.arange(ROWS) // rows_each)).map(of)
    made = dataset("kennung", persons)
    assert "kennung" in made.features
    (note,) = made.notes
    assert note.startswith("kennung: each of ")
    assert "columns: {group: kennung}" in note
    assert not dataset("kennung", RANDOM.integers(0, ROWS // rows_each, ROWS)).notes


@pytest.mark.parametrize(
    ("name", "of"), [("x", lambda one: one + 5000), ("mrn", lambda one: one**2), ("x", lambda one: f"M-{one}")]
)
def test_a_value_of_its_own_for_every_group_is_an_identifier(name: str, of: Any) -> None:
    persons = pd.Series(np.arange(ROWS) // 4)
    table = TABLE.assign(person=persons)
    raw: dict[str, Any] = {"name": "e", "owner": "team:a", "source": {"parquet": "a.parquet"}, "target": "cost"}
    raw |= {"problem_type": "regression", "algorithm": "XGBoost", "columns": {"group": "person"}}
    weight = persons.map(dict(enumerate(RANDOM.normal(70, 9, ROWS))))
    made = dataset_of(table.assign(**{name: persons.map(of), "weight": weight}), experiment_from(raw, "e"))
    assert made.left_out[name].startswith("an identifier: nearly every group has its own value")
    assert made.features == ("age", "weight")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"numeric": ["cost"]}, r"columns\.numeric: 'cost' is the target"),
        ({"numeric": ["x"], "id": ["x"]}, r"columns\.numeric: 'x' is not a feature"),
        ({"numeric": ["x"], "categorical": ["x"]}, r"columns\.numeric: 'x' is also columns\.categorical"),
    ],
)
def test_a_contradiction_is_refused(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(E2iError, match=message):
        dataset("x", COUNTER, **columns)


METERS = [f"{711_111_111_111_857_900 + one}" for one in range(38)]
METER = RANDOM.choice(METERS[1:], ROWS)
METER[:60] = METERS[0]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(METER).mask(np.arange(ROWS) == 70),
        pd.Series(METER).astype("int64"),
        pd.Series(METER).astype("int64").astype("Int64").mask(np.arange(ROWS) == 70),
        pd.Series([Decimal(one) for one in METER], dtype=object).mask(np.arange(ROWS) == 70),
    ],
    ids=["text with an empty cell", "int64", "nullable", "decimals"],
)
def test_whole_numbers_beyond_doubles_are_codes_and_keep_their_digits(column: pd.Series) -> None:
    made = dataset("meter", column)
    why = made.left_out["meter"]
    assert "meter" not in made.features
    assert why.startswith(f"whole numbers beyond 2^53 such as {METERS[0]} (38 values in ")
    keys = ["{id: [meter]}", "{group: meter}", "{categorical: [meter]}", "{dates: [meter]}", "{numeric: [meter]}"]
    assert sorted(keys, key=why.index) == keys
    assert set(dataset("meter", column, categorical=["meter"]).frame["meter"].dropna()) == set(METERS)
    assert dataset("meter", column, numeric=["meter"]).frame["meter"].dtype.kind in "if"


def test_the_profile_of_whole_numbers_beyond_doubles_has_their_digits() -> None:
    by_name = {one.column: one for one in dataset("meter", pd.Series(METER).astype("int64"), numeric=["meter"]).profile}
    assert by_name["meter"].range == f"{METERS[0]} to {METERS[-1]}"
    (left_out,) = [
        one for one in dataset("meter", pd.Series(METER).mask(METERS[5] == METER)).profile if one.column == "meter"
    ]
    assert (left_out.example, left_out.distinct) == ("9" * 18, 37)


def test_a_measurement_with_few_numbers_beyond_doubles_stays_a_feature() -> None:
    assert "x" in dataset("x", RANDOM.lognormal(33, 2, ROWS).astype("int64")).features


def test_nanoseconds_with_an_empty_cell_are_dates_once_they_are_declared() -> None:
    column = pd.Series(RANDOM.integers(10**18, 15 * 10**17, ROWS)).map(str).mask(np.arange(ROWS) == 70)
    repeated = column.where(np.arange(ROWS) % 2 == 0, column.shift(1))
    assert "{dates: [x]} if they are dates (ns)" in dataset("x", repeated).left_out["x"]
    assert dataset("x", repeated, dates=["x"]).frame["x"].dt.year.dropna().between(2001, 2017).all()


CONTACTS = {
    "e-mail addresses": lambda one: f"anna.{'abcdefghij'[one % 10]}{one // 10}@mail.example",
    "telephone numbers": lambda one: f"+43 660 {one:07}",
    "telephone numbers, in brackets": lambda one: f"(555) 123-{one:04}",
}


@pytest.mark.parametrize("kind", CONTACTS)
@pytest.mark.parametrize("persons", [8, 160, ROWS])
def test_addresses_are_persons_and_no_report_shows_one(kind: str, persons: int) -> None:
    cells = pd.Series(np.arange(ROWS) % persons).map(CONTACTS[kind]).mask(np.arange(ROWS) == 70)
    made = dataset("contact", cells)
    why = made.left_out["contact"]
    assert why.startswith(f"{kind.split(',')[0]} of persons (")
    assert "write columns: {group: contact} to keep the rows of a person in one split" in why
    assert "columns: {categorical: [contact]}" in why
    if persons < ROWS:
        declared = dataset("contact", cells, categorical=["contact"])
        assert "contact" in declared.features
        (profile,) = [one for one in declared.profile if one.column == "contact"]
        assert any(sign in profile.example for sign in "@+(")
        assert not any(one in str(made.profile) + str(declared.profile) for one in cells.dropna().unique())


@pytest.mark.parametrize("of", ["{}@home", "12.{}", "555-{}", "a+{}", "@anna{}", "+{}"])
def test_other_texts_with_such_signs_stay_features(of: str) -> None:
    assert "x" in dataset("x", pd.Series(RANDOM.integers(10, 40, ROWS)).map(of.format)).features
