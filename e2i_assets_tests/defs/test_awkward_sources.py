"""Awkward but legal sources give the right model through the whole graph; the others are refused before the study."""

import gzip
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest

from e2i_assets.core.data.dataset import Dataset
from e2i_assets.core.data.split_tables import SplitFacts

ROWS = 400
RANDOM = np.random.default_rng(4)
TABLE = pd.DataFrame(
    {
        "age": RANDOM.integers(20, 90, ROWS),
        "weight_kg": RANDOM.normal(75, 12, ROWS).round(1),
        "plan": RANDOM.choice(["basic", "family", "premium"], ROWS),
        "visits": RANDOM.poisson(2, ROWS),
    }
).assign(cost=lambda table: (table.age + 9 * table.visits + RANDOM.normal(30, 5, ROWS)).round(2))
GROUP = np.arange(ROWS) // 4
FIRST = 175_928_847_299_117_063
TEXT = TABLE.to_csv(index=False)

Written = Callable[[Path], object]


def text(content: str) -> Written:
    return lambda root: (root / "rows.csv").write_text(content)


def parquet(**columns: Any) -> Written:
    return lambda root: TABLE.assign(**columns).to_parquet(root / "rows.parquet")


def experiment(rest: str = "", kind: str = "csv", problem: str = "regression", algorithm: str = "LightGBM") -> str:
    source = "rows.csv.gz" if kind == "gz" else f"rows.{kind}"
    target = "" if "target:" in rest else "target: cost\n"
    return (
        f"name: case\nowner: team:tests\nsource: {{{'csv' if kind == 'gz' else kind}: {source}}}\n{target}"
        f"problem_type: {problem}\nalgorithm: {algorithm}\nhpo: {{trials: 2}}\n{rest}"
    )


def two_levels(root: Path) -> None:
    table = TABLE.copy()
    table.columns = pd.MultiIndex.from_product([["p"], table.columns])
    table.to_parquet(root / "rows.parquet")


def r2_on_test(project: Any) -> float:
    (row,) = project.all("SELECT test_metrics FROM ml_training_runs")
    return float(row[0]["r2"])


def trained(project: Any, write: Written, asked: str, selection: list[str] | None = None) -> tuple[Dataset, SplitFacts]:
    write(project.root)
    result = project.run(asked, selection)
    assert result.success, project.failure(result)
    data = project.project.read(Dataset, "dataset", "case")
    assert len(data.frame) == ROWS
    return data, project.project.read(SplitFacts, "validation_splits", "case")


def divided(project: Any, write: Written, asked: str) -> tuple[Dataset, SplitFacts]:
    """Read and split the rows, without a model."""
    return trained(project, write, asked, ["dataset", "validation_splits"])


@pytest.mark.parametrize(
    ("write", "asked"),
    [
        (text("sep=;\n" + TABLE.to_csv(index=False, sep=";")), experiment()),
        (text(TEXT.replace("age", '"age\n(years)"', 1)), experiment()),
        (text(TABLE.to_csv(index=False, sep=";", decimal=",")), experiment()),
        (lambda root: (root / "rows.csv.gz").write_bytes(gzip.compress(TEXT.encode())), experiment(kind="gz")),
        (two_levels, experiment(kind="parquet")),
    ],
    ids=["sep line", "line break in a name", "decimal comma", "gzip", "two levels of names"],
)
def test_a_legal_form_of_the_same_table_gives_the_same_features(project: Any, write: Written, asked: str) -> None:
    data, _ = divided(project, write, asked)
    found = data.frame.set_axis(["age", "weight_kg", "plan", "visits", "cost"], axis=1).astype({"plan": str})
    pd.testing.assert_frame_equal(found, TABLE, check_dtype=False)


def test_a_class_that_is_spelt_none_is_a_class(project: Any) -> None:
    kinds = np.select(
        [TABLE.visits < 1, TABLE.visits < 2, TABLE.visits < 3], ["None", "Mild", "Sleep Apnea"], "Insomnia"
    )
    write = text(TABLE.assign(disorder=kinds).to_csv(index=False))
    asked = experiment("target: disorder\ncolumns: {drop: [visits]}\n", problem="multiclass_classification")
    data, _ = divided(project, write, asked)
    assert data.classes == ("Insomnia", "Mild", "None", "Sleep Apnea")
    assert data.rows_without_target == 0


@pytest.mark.parametrize(
    "ward",
    [[Decimal(FIRST + int(one)) for one in GROUP], [f"w\0{one}" for one in GROUP]],
    ids=["decimals of 18 digits", "zero bytes"],
)
def test_every_group_keeps_its_own_key(project: Any, ward: list[Any]) -> None:
    data, _ = divided(project, parquet(ward=ward), experiment("columns: {group: ward}\n", kind="parquet"))
    assert data.frame["ward"].nunique() == ROWS // 4
    assert project.all("SELECT count(DISTINCT entity_key) FROM ml_split_assignments") == [(ROWS // 4,)]


def test_no_row_changes_its_split_when_its_key_becomes_a_double(project: Any) -> None:
    asked = experiment("columns: {group: patient}\n", kind="parquet")
    divided(project, parquet(patient=GROUP), asked)
    before = set(project.all("SELECT entity_key, role FROM ml_split_assignments"))
    table = TABLE.assign(patient=GROUP.astype(float)).sample(frac=1, random_state=1)
    divided(project, lambda root: table.to_parquet(root / "rows.parquet"), asked)
    assert set(project.all("SELECT entity_key, role FROM ml_split_assignments")) == before
    assert len(before) == ROWS // 4


def test_times_over_the_change_to_summer_time_are_in_order(project: Any) -> None:
    instants = pd.Series(pd.date_range("2026-03-20", periods=ROWS, freq="h", tz="UTC"))
    local = instants.dt.tz_convert("Europe/Vienna").map(lambda one: one.isoformat())
    write = text(TABLE.assign(at=local).to_csv(index=False))
    data, facts = divided(project, write, experiment("columns: {time: at}\n"))
    assert data.frame["at"].is_monotonic_increasing
    assert facts.strategy == "time"


def test_codes_of_13_digits_that_decide_the_target_stay_apart(project: Any) -> None:
    store = RANDOM.integers(0, 8, ROWS)
    cost = np.array([50, 20, 90, 10, 70, 30, 80, 40])[store] + RANDOM.normal(0, 6, ROWS)
    write = text(TABLE.assign(store=4_006_381_330_000 + 100 * store, cost=cost).to_csv(index=False))
    trained(project, write, experiment("fixed: {min_child_samples: 5}\n"))
    assert r2_on_test(project) > 0.8


def test_codes_that_alone_decide_the_target_need_the_reason_why_they_are_known_in_time(project: Any) -> None:
    random = np.random.default_rng(7)
    store = random.integers(0, 8, ROWS)
    cost = np.array([50, 100, 70, 120, 90, 60, 110, 80])[store] + random.normal(0, 2, ROWS)
    text(TABLE.assign(store=4_006_381_330_000 + 100 * store, cost=cost).to_csv(index=False))(project.root)
    refused = project.run(experiment())
    assert not refused.success
    (why,) = [one.description for one in refused.get_asset_check_evaluations() if not one.passed and one.blocking]
    assert "store" in why
    assert "reveals the target: alone it reaches R²" in why
    assert "or give under leakage.accepted the reason why it is known in time" in why
    rest = "fixed: {min_child_samples: 5}\nleakage: {accepted: {store: every order names its store}}\n"
    accepted = project.run(experiment(rest))
    assert accepted.success, project.failure(accepted)
    assert r2_on_test(project) > 0.95


def test_the_report_names_how_the_model_reads_each_column(project: Any) -> None:
    codes = np.arange(ROWS)
    seen = pd.Series(pd.date_range("2025-01-01", periods=ROWS, freq="D"))
    store = 4_006_381_330_000 + 100 * (codes % 7)
    table = TABLE.assign(town=[f"town {one % 60}" for one in codes], seen=seen, store=store)
    trained(project, text(table.to_csv(index=False)), experiment("columns: {categorical: [town]}\n"))
    (report,) = (project.project.settings.state / "reports").rglob("report.html")
    page = report.read_text()
    for use in (
        "feature (category): target-encoded",
        "feature (date): year, month, day, weekday, days",
        "feature (number): ranks among the train rows",
        "feature (category)</td>",
    ):
        assert use in page, use


def test_a_tiny_target_is_learnt_like_a_large_one(project: Any) -> None:
    write = text(TABLE.assign(cost=TABLE.cost * 1e-7).to_csv(index=False))
    trained(project, write, experiment(algorithm="XGBoost"))
    assert r2_on_test(project) > 0.5


def test_a_question_mark_among_numbers_is_declared_and_a_model_trained(project: Any) -> None:
    power = TABLE.weight_kg.astype(str).mask(TABLE.index % 60 == 5, "?")
    write = text(TABLE.assign(hp=power).to_csv(index=False))
    write(project.root)
    refused = project.run(experiment())
    assert not refused.success
    assert "write columns: {missing: {hp: ['?']}}" in project.failure(refused)
    data, _ = trained(project, write, experiment("columns: {missing: {hp: ['?']}}\n"))
    assert data.frame["hp"].isna().sum() == (TABLE.index % 60 == 5).sum()


def test_a_long_description_is_logged(project: Any) -> None:
    trained(project, text(TEXT), experiment(f"description: {'x' * 9000}\n"))
    assert project.all("SELECT count(*) FROM ml_training_runs WHERE mlflow_run_id IS NOT NULL") == [(1,)]


def test_the_served_model_takes_the_types_that_the_rows_could_have(project: Any) -> None:
    trained(project, text(TEXT), experiment())
    (folder,) = {path.parent for path in (project.project.settings.state / "models").rglob("MLmodel")}
    served, rows = mlflow.pyfunc.load_model(str(folder)), TABLE.head(3)[["age", "weight_kg", "plan", "visits"]]
    expected = served.predict(rows).tolist()
    assert served.predict(rows.assign(visits=rows.visits.astype(float))).tolist() == expected
    assert len(served.predict(rows.assign(visits=pd.array([None, 2, 3], dtype="Int64")))) == 3
    assert len(served.predict(rows.assign(weight_kg=rows.weight_kg.astype(int)))) == 3


@pytest.mark.parametrize(
    ("form", "columns"),
    [
        ("%d.%m.%Y", ""),
        pytest.param("%d/%m/%y", "dates: {seen: '%d/%m/%y'}", marks=pytest.mark.drill),
        pytest.param("%Y%m%d", "dates: [seen]", marks=pytest.mark.drill),
        pytest.param("ms", "dates: [seen]", marks=pytest.mark.drill),
    ],
)
def test_the_served_model_takes_dates_in_the_form_of_the_source_and_in_iso_form(
    project: Any, form: str, columns: str
) -> None:
    days = pd.Series(pd.date_range("2020-01-31", periods=ROWS, freq="37h"))
    seen = days.astype("datetime64[ms]").astype("int64") if form == "ms" else days.dt.strftime(form)
    trained(project, text(TABLE.assign(seen=seen).to_csv(index=False)), experiment(f"columns: {{{columns}}}\n"))
    (folder,) = {path.parent for path in (project.project.settings.state / "models").rglob("MLmodel")}
    served, rows = mlflow.pyfunc.load_model(str(folder)), TABLE.drop(columns="cost")
    moments = days if form == "ms" else days.dt.normalize()
    expected = served.predict(rows.assign(seen=moments)).tolist()
    for cells in (seen, seen.astype(str), moments.map(pd.Timestamp.isoformat)):
        assert served.predict(rows.assign(seen=cells)).tolist() == expected
    with pytest.raises(ValueError, match=f"takes dates, the form of the train rows .{form}., ISO 8601 text"):
        served.predict(rows.head(1).assign(seen="Tuesday"))


@pytest.mark.parametrize(
    ("content", "asked", "message"),
    [
        (
            TEXT.replace("basic", "Graz, AT").replace("family", "Bern, CH").replace("premium", "Rom, IT"),
            "",
            "line 2 has 6",
        ),
        (TEXT.rstrip("\n").rsplit(",", 2)[0], "", "otherwise the file ends in the middle of it"),
        (
            TABLE.assign(churn=["no"] * 300 + ["no", "yes"] * 50, day=np.arange(ROWS)).to_csv(index=False),
            "target: churn\ncolumns: {time: day}\n",
            "train",
        ),
    ],
    ids=["unquoted comma", "cut file", "one class in train"],
)
def test_rows_that_cannot_be_right_are_refused_before_the_study(
    project: Any, content: str, asked: str, message: str
) -> None:
    (project.root / "rows.csv").write_text(content)
    problem = "binary_classification" if "churn" in asked else "regression"
    result = project.run(experiment(asked, problem=problem))
    assert not result.success
    assert message in project.failure(result)
    assert project.all("SELECT count(*) FROM ml_hpo_studies") == [(0,)]
