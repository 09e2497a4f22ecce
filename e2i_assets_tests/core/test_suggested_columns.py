"""The suggestions for a new experiment: target, problem type, metric, and columns with a special meaning."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from e2i_assets.core.data.identifiers import Identifier, identifier
from e2i_assets.core.data.suggested_columns import cleaned, suggested, target_of
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.source_section import Source

ROWS = 400
RANDOM = np.random.default_rng(2)
CSV = Source(csv="a.csv")
TABLE = pd.DataFrame(
    {
        "visitId": np.arange(ROWS) + 100,
        "patient_no": [f"P{one // 3:04}" for one in range(ROWS)],
        "day": pd.date_range("2026-01-01", periods=ROWS).astype(str),
        "age": RANDOM.integers(1, 90, ROWS),
        "plan": RANDOM.choice(["a", "b", "c"], ROWS),
        "cost": RANDOM.gamma(2, 900, ROWS).round(2),
        "left": RANDOM.choice(["nein", "ja"], ROWS, p=[0.7, 0.3]),
        "note": [f"text number {one}" for one in range(ROWS)],
    }
)


def suggestion(table: pd.DataFrame = TABLE, target: str | None = None) -> Any:
    found = cleaned(table, CSV)
    return suggested(found, target or target_of(found.table, found.drop))


def test_the_last_column_that_can_be_a_target_is_suggested() -> None:
    assert target_of(TABLE) == "left"
    assert target_of(TABLE.drop(columns="left")) == "cost"
    assert (
        target_of(TABLE.assign(when=pd.Timestamp(0), same=1, row=np.arange(ROWS), code=TABLE.note.str[-3:])) == "left"
    )


@pytest.mark.parametrize(
    ("values", "problem_type", "metric", "positive"),
    [
        (["nein", "ja"], "binary_classification", "roc_auc", "ja"),
        (["active", "churned"] + ["active"] * 3, "binary_classification", "roc_auc", "churned"),
        ([0, 1], "binary_classification", "roc_auc", "1"),
        ([True, False], "binary_classification", "roc_auc", "1"),
        (["no"] * 39 + ["yes"], "binary_classification", "pr_auc", "yes"),
        (["a", "b", "None"], "multiclass_classification", "f1_weighted", None),
        (["a"] * 20 + ["b"] * 19 + ["c"], "multiclass_classification", "f1_macro", None),
        ([0, 1, 2], "regression", "rmse", None),
        (["1.200,50 €", "3,5 €", "0,25 €"], "regression", "rmse", None),
    ],
)
def test_problem_type_metric_and_positive_class_fit_the_target(
    values: list[Any], problem_type: str, metric: str, positive: str | None
) -> None:
    found = suggestion(TABLE.assign(y=(values * ROWS)[:ROWS]), "y")
    assert (found.problem_type, found.metric, found.positive_label) == (problem_type, metric, positive)


def test_ids_groups_and_times_are_suggested() -> None:
    found = suggestion()
    assert (found.id, found.group, found.times) == (("visitId",), "patient_no", ("day",))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("number_of_visits", RANDOM.integers(0, 300, ROWS)),
        ("account_balance", RANDOM.integers(0, 300, ROWS)),
        ("customer_age", RANDOM.integers(0, 90, ROWS)),
        ("paid", RANDOM.integers(0, 300, ROWS)),
        ("weight", RANDOM.normal(size=ROWS)),
        ("user_segment", RANDOM.choice(["x", "y"], ROWS)),
    ],
)
def test_measurements_are_neither_id_nor_group(name: str, values: Any) -> None:
    found = suggestion(TABLE[["plan", "left"]].assign(**{name: values}), "left")
    assert (found.id, found.group, found.times) == ((), None, ())


def test_words_among_numbers_are_taken_as_missing() -> None:
    rest = TABLE.index % 20 == 3
    found = suggestion(
        TABLE.assign(cost=TABLE.cost.astype(str).mask(rest, "unknown").mask(TABLE.index == 5, "NA")), "left"
    )
    assert (dict(found.missing), dict(found.drop)) == ({"cost": ("unknown", "NA")}, {})


def test_a_column_that_cannot_be_read_in_one_way_is_dropped_and_is_no_target() -> None:
    many = TABLE.cost.astype(int).astype(str).mask(TABLE.index % 20 == 3, "case " + TABLE.index.astype(str))
    doubt = pd.Series(RANDOM.integers(1000, 9999, ROWS)).map("{:,}".format)
    day_or_month = pd.Series([f"0{1 + one % 9}/0{1 + one % 7}/2026" for one in range(ROWS)])
    table = TABLE.assign(cost=many, price=doubt, seen=day_or_month)
    found = suggestion(table, "left")
    assert set(found.drop) == {"cost", "price", "seen"}
    with pytest.raises(E2iError, match="the target price contains numbers such as"):
        suggestion(table, "price")


def test_a_column_of_lists_is_dropped_and_is_no_target() -> None:
    found = suggestion(TABLE.assign(parts=[[1, 2], [3, 4]] * (ROWS // 2)))
    assert (found.target, dict(found.drop)) == ("left", {"parts": "contains lists or mappings"})


@pytest.mark.parametrize(
    ("classes", "order"),
    [
        (["High", "low", "mid"], ("low", "mid", "High")),
        (["severe", "None", "mild", "moderate"], ("None", "mild", "moderate", "severe")),
        (["Stage 10", "Stage 2", "Stage 1"], ("Stage 1", "Stage 2", "Stage 10")),
        (["III", "I", "II"], ("I", "II", "III")),
        (["hoch", "mittel", "niedrig"], ("niedrig", "mittel", "hoch")),
        (["low", "high", "other"], ()),
        (["low", "LOW", "high"], ()),
        (["cluster 1", "cluster 2", "cluster 3"], ()),
        (["a", "b", "c"], ()),
        (["low", "high"], ()),
    ],
)
def test_classes_have_an_order_only_if_their_names_leave_no_doubt(classes: list[str], order: tuple[str, ...]) -> None:
    found = suggestion(TABLE.assign(y=(classes * ROWS)[:ROWS]), "y")
    assert found.order == order
    assert (found.metric == "quadratic_weighted_kappa") == bool(order)


def test_dates_that_the_reader_would_ask_for_get_their_form() -> None:
    days = pd.Series(pd.date_range("2024-01-01", periods=ROWS))
    written = {"born": "%d/%m/%y", "seen": "%Y%m%d", "iso": "%Y-%m-%d", "dots": "%d.%m.%Y"}
    table = TABLE.assign(**{name: days.dt.strftime(form) for name, form in written.items()})
    table = table.assign(seen=table.seen.astype(int), iso=table.iso.mask(TABLE.index % 30 == 7, "unknown"))
    found = suggestion(table, "left")
    assert dict(found.dates) == {"born": "%d/%m/%y", "seen": "%Y%m%d"}
    assert dict(found.missing) == {"iso": ("unknown",)}
    assert dict(found.drop) == {}
    assert found.times == ("day", "born", "seen", "iso", "dots")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Kundennummer", [f"K{one // 4:03}" for one in range(ROWS)]),
        ("MitgliedsNr", np.arange(ROWS) // 4),
        ("Patienten-ID", np.arange(ROWS) // 4),
    ],
)
def test_german_names_of_persons_are_groups_in_the_suggestion_and_in_the_reading(name: str, values: Any) -> None:
    assert suggestion(TABLE[["plan", "left"]].assign(**{name: values}), "left").group == name
    assert (identifier(pd.Series(values, name=name)) or Identifier(False, "")).repeats


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("lft", "'lft' is not a column; did you mean 'left'"),
        ("note", "note is text with 400 distinct values: choose another column with --target"),
        ("void", "void has 0 values, so there is nothing to predict"),
        ("moment", "moment contains dates"),
    ],
)
def test_a_column_that_cannot_be_predicted_is_refused(target: str, message: str) -> None:
    with pytest.raises(E2iError, match=message):
        suggestion(TABLE.assign(void=None, moment=pd.date_range("2026-01-01", periods=ROWS)), target)
