"""Missing-value words, numbers as text, and sentinels: resolved from the rows if certain, else by the experiment."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from e2i_assets.core.data.dataset import Dataset, dataset_of, pointed_out
from e2i_assets.core.data.recent_rows import recent_rows
from e2i_assets.core.data.row_places import RowPlaces, with_places
from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from

ROWS = 200
RANDOM = np.random.default_rng(5)
TABLE = pd.DataFrame(
    {
        "age": RANDOM.integers(20, 80, ROWS),
        "plan": RANDOM.choice(["a", "b", "c"], ROWS),
        "kind": RANDOM.choice(["no", "yes"], ROWS),
        "cost": RANDOM.normal(80, 9, ROWS),
    }
)
WEIGHTS = pd.Series(RANDOM.normal(70, 9, ROWS).round(1)).astype(str)
WHOLE = pd.Series(RANDOM.integers(1_000, 9_999, ROWS))
EVERY_20TH = np.arange(ROWS) % 20 == 3
CSV: dict[str, Any] = {"csv": "a.csv"}
PARQUET = {"parquet": "a.parquet"}


def experiment(**changes: Any) -> Experiment:
    raw = {"name": "e", "owner": "team:a", "source": CSV, "target": "cost", "problem_type": "regression"}
    return experiment_from({**raw, "algorithm": "XGBoost", **changes}, "e")


def dataset(column: Any = None, table: pd.DataFrame = TABLE, **changes: Any) -> Dataset:
    table = table if column is None else table.assign(w=column)
    return dataset_of(with_places(table, RowPlaces("line", 2)), experiment(**changes))


def mistake(column: Any = None, table: pd.DataFrame = TABLE, **changes: Any) -> str:
    with pytest.raises(DataInvalid) as caught:
        dataset(column, table, **changes)
    assert len(caught.value.violations) == 1, str(caught.value)
    return str(caught.value.violations[0])


@pytest.mark.parametrize("word", ["?", "unknown", "-", "n.a.", "#DIV/0!", "missing", "."])
@pytest.mark.parametrize("source", [CSV, PARQUET], ids=["csv", "parquet"])
def test_a_column_of_numbers_with_other_words_is_rejected_until_the_experiment_declares_it(
    word: str, source: dict[str, Any]
) -> None:
    column = WEIGHTS.mask(EVERY_20TH, word)
    said = mistake(column, source=source)
    for part in (
        "contains numbers in 190 of 200 cells",
        f"{word!r} (10: lines 5, 25, 45, ...)",
        "columns: {missing: {w:",
    ):
        assert part in said
    made = dataset(column, source=source, columns={"missing": {"w": [word]}})
    assert made.frame["w"].isna().tolist() == EVERY_20TH.tolist()
    assert made.frame["w"].dtype == np.float64
    assert dataset(column, source=source, columns={"drop": ["w"]}).left_out["w"] == "dropped by the experiment"


@pytest.mark.parametrize("word", ["NA", "N/A", "NULL", "None", "nan", "#N/A", "<NA>", "", "  ", " NA "])
@pytest.mark.parametrize("source", [CSV, PARQUET], ids=["csv", "parquet"])
def test_the_usual_missing_value_words_need_no_declaration_in_a_column_of_numbers(
    word: str, source: dict[str, Any]
) -> None:
    made = dataset(WEIGHTS.mask(EVERY_20TH, word), source=source)
    assert made.frame["w"].isna().tolist() == EVERY_20TH.tolist()


def test_a_few_numbers_with_a_word_may_be_codes() -> None:
    column = pd.Series(RANDOM.choice(["0", "1", "2", "3+"], ROWS))
    assert str(dataset(column).frame["w"].dtype) == "category"
    rare = pd.Series(RANDOM.choice(["1", "2", "3"], ROWS)).mask(EVERY_20TH, "A")
    assert "columns: {categorical: [w]} if the column holds codes" in mistake(rare)
    made = dataset(rare, columns={"categorical": ["w"]})
    assert set(made.frame["w"].cat.categories) == {"1", "2", "3", "A"}


def test_codes_with_leading_zeros_are_categories_and_a_note_says_so() -> None:
    towns = pd.Series(RANDOM.choice(["02826", "2826x", "00501", "94105", None], ROWS)).replace("2826x", "28260")
    made = dataset(towns)
    assert set(made.frame["w"].cat.categories) == {"02826", "28260", "00501", "94105"}
    assert [one for one in pointed_out(made) if one.startswith("w: codes such as 0")]
    numbers = dataset(towns, columns={"numeric": ["w"]})
    assert numbers.frame["w"].max() == 94105
    assert not [one for one in pointed_out(numbers) if "w:" in one]


@pytest.mark.parametrize(
    "cells",
    [["01", "02", "12"], ["0", "1", "2"], ["100", "200", "300"], ["0100", "90", "80"], ["0.50", "1.25", "0.75"]],
)
def test_other_digits_with_a_zero_are_numbers(cells: list[str]) -> None:
    assert dataset(pd.Series(RANDOM.choice(cells, ROWS))).frame["w"].dtype.kind in "if"


def test_a_column_that_is_mostly_numbers_is_never_free_text() -> None:
    words = pd.Series([f"word {number}" for number in range(ROWS)])
    assert "contains numbers in 120 of 200 cells" in mistake(WEIGHTS.where(np.arange(ROWS) < 120, words))
    assert dataset(WEIGHTS.where(np.arange(ROWS) < 80, words)).left_out["w"].startswith("hardly any value")


@pytest.mark.parametrize(
    ("column", "first", "note"),
    [
        (WEIGHTS.str.replace(".", ","), float(WEIGHTS[0]), "w: read as numbers (decimal sign ',')"),
        (WHOLE.map("{:,}".format), WHOLE[0], "thousands sign ','"),
        (WHOLE.map("{:,}.50".format), WHOLE[0] + 0.5, "decimal sign '.', thousands sign ','"),
        (
            WHOLE.map(lambda one: f"{one:,},50".replace(",", ".", 1)),
            WHOLE[0] + 0.5,
            "decimal sign ',', thousands sign '.'",
        ),
        (WHOLE.map(lambda one: f"{one:,}".replace(",", "\u202f") + ",5"), WHOLE[0] + 0.5, "thousands sign ' '"),
        (WHOLE.map(lambda one: f"{one:,}".replace(",", "\u2019") + ".5"), WHOLE[0] + 0.5, 'thousands sign "\'"'),
        (WHOLE.map("${:,}".format), WHOLE[0], "without '$'"),
        (WHOLE.map("{} €".format), WHOLE[0], "without '€'"),
        (WHOLE.map("EUR {}".format), WHOLE[0], "without 'EUR'"),
        (WHOLE.map("(${})".format), -WHOLE[0], "without '$'"),
        (WHOLE.map("\u2212{}".format), -WHOLE[0], ""),
        (WEIGHTS + "%", float(WEIGHTS[0]), "without '%'"),
        (WEIGHTS + " kg", float(WEIGHTS[0]), "without 'kg'"),
        (WHOLE.map(lambda one: f"{one // 60}:{one % 60:02d}"), 60.0 * (WHOLE[0] // 60) + WHOLE[0] % 60, "durations"),
        (
            WHOLE.map(lambda one: f"{one // 3600}:{one // 60 % 60:02d}:{one % 60:02d}"),
            WHOLE[0],
            "durations, in seconds",
        ),
        (WHOLE.map(lambda one: f"{one // 60}h {one % 60}m"), 60.0 * WHOLE[0], "durations, in seconds"),
    ],
)
@pytest.mark.parametrize("source", [CSV, PARQUET], ids=["csv", "parquet"])
def test_numbers_are_read_in_common_notations(
    column: pd.Series, first: float, note: str, source: dict[str, Any]
) -> None:
    table = TABLE if source == CSV else TABLE.assign(other=WHOLE.map("{:,}.5".format))
    made = dataset(column, table, source=source)
    assert made.frame["w"].iloc[0] == pytest.approx(first)
    assert not note or any(note in one for one in made.notes), made.notes


@pytest.mark.parametrize("source", [CSV, PARQUET], ids=["csv", "parquet"])
def test_an_ambiguous_decimal_or_thousands_separator_must_be_declared(source: dict[str, Any]) -> None:
    whole = TABLE.assign(cost=TABLE["cost"].round().astype(int))
    column = WHOLE.map("{:,}".format)
    assert "a comma may separate decimals or thousands" in mistake(column, whole, source=source)
    as_decimal = dataset(column, whole, source=source, columns={"decimal": {"w": ","}})
    as_thousands = dataset(column, whole, source=source, columns={"decimal": {"w": "."}})
    assert as_decimal.frame["w"].iloc[0] * 1000 == pytest.approx(WHOLE[0])
    assert as_thousands.frame["w"].iloc[0] == WHOLE[0]
    assert dataset(column, whole.assign(v=WEIGHTS.str.replace(".", ",")), source=source).frame["w"].iloc[0] < 10
    dotted = whole.assign(v=WEIGHTS.str.replace(".", ","))
    assert "a dot may separate decimals or thousands" in mistake(column.str.replace(",", "."), dotted, source=source)


def test_the_separators_of_a_csv_source_apply_to_all_columns() -> None:
    whole = TABLE.assign(cost=TABLE["cost"].round().astype(int))
    told = {"csv": {"path": "a.csv", "decimal": ",", "thousands": "."}}
    assert dataset(WHOLE.map("{:,}".format).str.replace(",", "."), whole, source=told).frame["w"].iloc[0] == WHOLE[0]
    assert "contains numbers in" in mistake(WEIGHTS.where(np.arange(ROWS) < 10, "7,5"), whole, source=told)


def test_mixed_units_are_reported() -> None:
    assert "contains numbers with 'kg'" in mistake((WEIGHTS + " kg").mask(EVERY_20TH, "150 lb"))
    assert "'€5' (10:" in mistake(WHOLE.map("${}".format).mask(EVERY_20TH, "€5"))


@pytest.mark.parametrize(
    "forms",
    [["{}k", "{}M"], ["{} kg", "{} g"], ["${}", "{} €"], ["{}cm", "{}mm", "{}m"], ["${}k", "${}M"], ["{}", "{}k"]],
    ids=" ".join,
)
def test_units_of_which_none_has_nearly_all_cells_are_reported(forms: list[str]) -> None:
    said = mistake(pd.Series([forms[number % len(forms)].format(number / 8) for number in range(ROWS)]))
    assert "contains numbers in different units (" in said
    assert all(repr(form.replace("{}", "").strip() or "none") in said.replace("none", "'none'") for form in forms)


@pytest.mark.parametrize("units", ["A B C", "k x", "st nd rd th"])
def test_letters_behind_numbers_that_are_no_units_of_one_kind_are_codes(units: str) -> None:
    column = pd.Series([f"{number % 40}{units.split()[number % len(units.split())]}" for number in range(ROWS)])
    assert str(dataset(column).frame["w"].dtype) == "category"


@pytest.mark.parametrize("codes", ["A{:04d}", "{:04d}A{:02d}", "1.2.{}", "10.0.0.{}", "2026-01-{:02d}", "{} Main St"])
def test_codes_dates_and_addresses_are_not_numbers(codes: str) -> None:
    column = pd.Series([codes.format(number, number % 90) for number in range(ROWS)])
    assert "w" not in dataset(column).features


def test_a_code_keeps_its_leading_zeros_as_a_category_or_a_key() -> None:
    column = pd.Series(RANDOM.choice(["007", "08", "9"], ROWS))
    assert set(dataset(column, columns={"categorical": ["w"]}).frame["w"].cat.categories) == {"007", "08", "9"}
    assert set(dataset(column, columns={"group": "w"}).frame["w"]) == {"007", "08", "9"}
    assert dataset(column).frame["w"].dtype == np.int64


CLASSES = pd.Series(RANDOM.choice(["None", "NA", "mild", "severe"], ROWS))


def test_a_missing_value_word_is_a_class_unless_the_experiment_declares_it_missing() -> None:
    table = TABLE.assign(grade=CLASSES)
    multiclass: dict[str, Any] = {"target": "grade", "problem_type": "multiclass_classification"}
    made = dataset(table=table, **multiclass)
    assert (made.classes, made.rows_without_target) == (("NA", "None", "mild", "severe"), 0)
    assert any("grade: 'None' is a class, in" in note for note in made.notes)
    rare = table.assign(grade=CLASSES.mask(CLASSES == "NA", "mild").mask(EVERY_20TH, "NA"))
    fewer = dataset(table=rare, columns={"missing": {"grade": ["NA"]}}, **multiclass)
    assert (fewer.classes, fewer.rows_without_target) == (("None", "mild", "severe"), 10)
    assert pointed_out(fewer)[0] == "10 of 200 rows have no grade and are left out"
    told = {"csv": {"path": "a.csv", "missing": ["NA"]}}
    assert dataset(table=rare, source=told, **multiclass).rows_without_target == 10


def test_two_classes_and_a_missing_value_word_are_rejected_with_the_line_to_add() -> None:
    table = TABLE.assign(kind=TABLE["kind"].mask(EVERY_20TH, "NA"))
    binary: dict[str, Any] = {"target": "kind", "problem_type": "binary_classification"}
    assert "if 'NA' means a missing value, write columns: {missing: {kind: ['NA']}}" in mistake(table=table, **binary)
    assert dataset(table=table, columns={"missing": {"kind": ["NA"]}}, **binary).rows_without_target == 10


def test_a_word_is_a_value_of_a_declared_category_and_missing_in_other_csv_columns() -> None:
    column = TABLE["plan"].mask(EVERY_20TH, "None")
    declared = dataset(column, columns={"categorical": ["w"]}).frame["w"]
    assert "None" in declared.cat.categories
    assert dataset(column).frame["w"].isna().sum() == 10
    assert "None" in dataset(column, source=PARQUET).frame["w"].cat.categories
    assert dataset(column, source=PARQUET, columns={"missing": {"w": ["None"]}}).frame["w"].isna().sum() == 10
    assert "None" in dataset(column, columns={"missing": {"w": []}}).frame["w"].cat.categories


def test_a_target_of_numbers_with_a_word_is_rejected_until_declared() -> None:
    table = TABLE.assign(cost=TABLE["cost"].round(2).astype(str).mask(EVERY_20TH, "unknown"))
    assert mistake(table=table).startswith("target: 'cost' contains numbers in 190 of 200 cells")
    made = dataset(table=table, columns={"missing": {"cost": ["unknown"]}})
    assert (made.rows_without_target, made.frame["cost"].dtype) == (10, np.float64)


@pytest.mark.parametrize("value", [-999, 9999, -9, 99999, 999.0, -99])
def test_a_sentinel_number_is_reported(value: float) -> None:
    column = pd.Series(RANDOM.normal(0, 1, ROWS)).mask(EVERY_20TH, value)
    notes = dataset(column).notes
    expected = "lies far from the others" if abs(value) > 10 else None
    assert any(f"w: {value:g} in 10 rows" in note for note in notes) == (expected is not None)
    made = dataset(column, columns={"missing": {"w": [value]}})
    assert (made.frame["w"].isna().sum(), made.notes) == (10, ())


def test_a_number_within_the_usual_range_is_not_reported() -> None:
    assert dataset(pd.Series(RANDOM.integers(900, 1100, ROWS)).mask(EVERY_20TH, 999)).notes == ()
    assert dataset(pd.Series(RANDOM.normal(0, 1, ROWS)).mask(np.arange(ROWS) == 7, -999)).notes == ()


def test_newer_rows_are_read_with_the_same_rules() -> None:
    asked = experiment(columns={"missing": {"w": ["?"]}}, watch={"recent": {"csv": "new.csv"}})
    raw = TABLE.assign(w=WEIGHTS.str.replace(".", ",").mask(EVERY_20TH, "?"))
    blank = TABLE.assign(w=0.5)[["age", "w"]][:0]
    found = recent_rows(raw, blank, (), asked).features["w"]
    assert found.isna().tolist() == EVERY_20TH.tolist()
    assert found.iloc[0] == float(WEIGHTS[0])


@pytest.mark.parametrize("code", ["P{:05}", "PT{:05}", "P{}D{}", "PM{}"])
def test_codes_that_begin_like_a_duration_of_iso_8601_stay_text(code: str) -> None:
    """P00388 is a patient, not a duration of 0 seconds: P3D and PT5M have a unit behind each number."""
    column = pd.Series([code.format(one % 40, one % 40) for one in range(ROWS)])
    assert set(dataset(column).frame["w"]) == set(column)
    spans = pd.Series([f"P{one % 40}DT{one % 7}H" for one in range(ROWS)])
    assert dataset(spans).frame["w"].iloc[1] == 86400 + 3600


@pytest.mark.parametrize(
    ("codes", "word"),
    [(["EU", "NA", "AS"], "NA"), (["Mild", "None", "Severe"], "None"), (["abc", "nan", "xyz"], "nan")],
)
def test_a_word_for_nothing_that_looks_like_a_code_is_pointed_out(codes: list[str], word: str) -> None:
    column = pd.Series((codes * ROWS)[:ROWS])
    made = dataset(column)
    rows = int((column == word).sum())
    assert f"w: {word!r} in {rows} rows is read as missing; if it is a value, write columns: {{categorical: [w]}}" in (
        pointed_out(made)
    )
    kept = dataset(column, columns={"categorical": ["w"]})
    assert kept.frame["w"].notna().all()
    assert not [one for one in pointed_out(kept) if one.startswith("w:")]


@pytest.mark.parametrize("codes", [["yes", "no", "NA"], ["forest", "desert", "null"]])
def test_a_word_for_nothing_beside_other_words_is_missing_without_a_note(codes: list[str]) -> None:
    made = dataset(pd.Series((codes * ROWS)[:ROWS]))
    assert made.frame["w"].isna().any()
    assert not [one for one in pointed_out(made) if one.startswith("w:")]


@pytest.mark.parametrize("columns", [{"group": "w"}, {"id": ["w"]}, {}])
def test_values_that_differ_by_spaces_alone_are_pointed_out(columns: dict[str, Any]) -> None:
    made = dataset(pd.Series((["ab", "ab ", " cd", "cd"] * ROWS)[:ROWS]), columns=columns)
    (note,) = [one for one in pointed_out(made) if one.startswith("w:")]
    assert "'ab' (50), 'ab ' (50)" in note
    assert "'cd' (50)" in note
    assert "differ by case or spaces alone, and are different values" in note
    assert made.frame["w"].nunique() == 4


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%Y/%m/%d", "%d %b %Y", "%b %d, %Y"])
def test_a_time_column_in_another_certain_form_of_dates_is_ordered(form: str) -> None:
    days = pd.Series(pd.date_range("2025-01-01", periods=ROWS))
    made = dataset(days.dt.strftime(form), columns={"time": "w"})
    assert made.frame["w"].tolist() == days.tolist()
    assert "w" not in made.features
    assert f"w: read as dates ({form})" in pointed_out(made)


@pytest.mark.parametrize("form", ["%d/%m/%y", "%d.%m.%Y %p"])
def test_a_time_column_in_an_uncertain_form_is_refused_with_the_key(form: str) -> None:
    days = pd.Series(pd.date_range("2025-01-01", periods=ROWS)).dt.strftime(form)
    assert "give the form of all cells, such as columns: {dates: {w:" in mistake(days, columns={"time": "w"})
