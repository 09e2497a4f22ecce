"""The served model: the forms of rows that it accepts, and its decisions at the threshold of the report."""

import datetime
import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from e2i_assets.adapters.mlflow.model_folder import save_mlflow_model
from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.algorithms.registry import algorithm
from e2i_assets.core.data.dataset import Dataset, dataset_of
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.core.fitting.fit_context import Rows, fit_context
from e2i_assets.core.fitting.fitted_model import FittedModel

EXPERIMENT = """\
name: rows
owner: team:tests
source: {csv: rows.csv}
target: stays
problem_type: binary_classification
algorithm: LightGBM
columns: {categorical: [ward, product]}
"""


def people(rows: int = 200) -> pd.DataFrame:
    """A table with an integer, a float, a boolean, a text and two columns of numbers that are categories."""
    random = np.random.default_rng(8)
    frame = pd.DataFrame(
        {
            "visits": random.integers(0, 9, rows),
            "weight": random.normal(80, 9, rows).round(1),
            "insured": random.random(rows) < 0.5,
            "plan": random.choice(["basic", "gold"], rows),
            "ward": random.choice([1, 2, 3], rows),
            "product": random.integers(1000, 1070, rows),
        }
    )
    frame.loc[::9, "weight"] = np.nan
    frame.loc[::11, "plan"] = None
    return frame.assign(stays=np.where(frame["visits"] + frame["ward"] > 7, "yes", "no"))


def trained(name: str = "LightGBM", threshold: float | None = None) -> tuple[FittedModel, Dataset]:
    data = dataset_of(people(), parse_experiment(EXPERIMENT, "rows.yaml"))
    rows = Rows(data.frame[list(data.features)], data.frame[data.target])
    chosen = algorithm(name)
    made = fit_context(chosen, Task("binary_classification", 2), rows, rows, ("no", "yes"))
    few = {"n_estimators": 12} if "n_estimators" in chosen.parameters else {}
    return made.model(made.fit({**chosen.default_values, **few, **chosen.fixed_values}), threshold), data


def served(model: FittedModel, folder: Path, example: pd.DataFrame) -> Any:
    import mlflow.pyfunc

    save_mlflow_model(model, folder / "model", example)
    return mlflow.pyfunc.load_model(str(folder / "model"))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[FittedModel, Dataset, Any]:
    model, data = trained()
    return model, data, served(model, tmp_path_factory.mktemp("served"), data.frame[list(data.features)].head())


# Other representations of the same rows: each entry changes a table of raw rows, but not its meaning.
FORMS = {
    "as in the source": lambda rows: rows,
    "floats for integers": lambda rows: rows.assign(visits=rows.visits.astype(float), ward=rows.ward.astype(float)),
    "small integers": lambda rows: rows.assign(visits=rows.visits.astype("int8"), ward=rows.ward.astype("int16")),
    "nullable types": lambda rows: rows.convert_dtypes(),
    "objects": lambda rows: rows.astype(object),
    "arrow types": lambda rows: rows.convert_dtypes(dtype_backend="pyarrow"),
    "booleans as numbers": lambda rows: rows.assign(insured=rows.insured.astype(int)),
    "nullable booleans": lambda rows: rows.assign(insured=rows.insured.astype("boolean")),
    "categories": lambda rows: rows.astype({"plan": "category", "ward": "category", "product": "category"}),
    "a category of numbers as text": lambda rows: rows.astype({"ward": str, "product": str}),
    "decimals": lambda rows: rows.assign(visits=[decimal.Decimal(int(cell)) for cell in rows.visits]),
    "another order and other columns": lambda rows: rows[[*reversed(rows.columns)]].assign(comment="new"),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_served_model_takes_the_rows_in_every_form_that_says_the_same(
    form: str, opened: tuple[FittedModel, Dataset, Any]
) -> None:
    model, data, served_model = opened
    expected = model.predict_proba(data.frame[list(data.features)])
    rows = FORMS[form](people().drop(columns="stays"))
    assert np.array_equal(served_model.predict(rows, params={"method": "predict_proba"}), expected)
    assert served_model.predict(rows).tolist() == model.predict(data.frame[list(data.features)]).tolist()


MISSING = [
    ("visits", "Int64", pd.NA),
    ("visits", object, None),
    ("visits", float, np.nan),
    ("insured", "boolean", pd.NA),
    ("insured", object, None),
    ("plan", object, None),
    ("plan", "string", pd.NA),
    ("plan", "category", np.nan),
    ("ward", "Int64", pd.NA),
    ("product", "Int64", pd.NA),
    ("product", object, None),
    ("weight", object, pd.NaT),
]


@pytest.mark.parametrize(("column", "dtype", "nothing"), MISSING)
def test_a_missing_value_is_one_whatever_stands_for_it(
    column: str, dtype: Any, nothing: Any, opened: tuple[FittedModel, Dataset, Any]
) -> None:
    _, data, served_model = opened
    rows = people().drop(columns="stays").head(6)
    rows[column] = rows[column].astype(dtype)
    rows.loc[2, column] = nothing
    known = data.frame[list(data.features)].head(6).copy()
    known[column] = known[column].mask(known.index == 2)
    expected = opened[0].predict_proba(known)
    assert np.array_equal(served_model.predict(rows, params={"method": "predict_proba"}), expected)


def test_a_category_that_the_training_never_saw_fails_no_row(opened: tuple[FittedModel, Dataset, Any]) -> None:
    rows = people().drop(columns="stays").head(3).assign(plan=["basic", "platinum", "gold"], ward=[1, 99, 2])
    rows["product"] = [1000, 1, "A7"]
    assert len(opened[2].predict(rows)) == 3


@pytest.mark.parametrize("cell", ["unknown", datetime.datetime(2026, 1, 1), [1], "7", np.inf])
def test_what_is_no_number_in_a_column_of_numbers_is_refused_by_name(
    cell: Any, opened: tuple[FittedModel, Dataset, Any]
) -> None:
    rows = people().drop(columns="stays").head(3)
    rows["visits"] = pd.Series([1, cell, 3], dtype=object)
    with pytest.raises(ValueError, match="column 'visits' takes numbers and missing values, and has"):
        opened[2].predict(rows)


@pytest.mark.parametrize("name", ["LightGBM", "XGBoost", "ExtraTrees", "GradientBoosting", "LogisticRegression"])
def test_a_number_beyond_single_precision_is_larger_than_all_others(name: str) -> None:
    model, data = trained(name)
    rows = data.frame[list(data.features)].head(4).astype({"weight": float})
    huge, large = (model.predict_proba(rows.assign(weight=number)) for number in (1e300, 1e30))
    assert np.allclose(huge, large)


def test_no_rows_give_no_predictions(opened: tuple[FittedModel, Dataset, Any]) -> None:
    rows = people().drop(columns="stays").head(0)
    assert opened[0].predict(rows).tolist() == []
    assert opened[0].predict_proba(rows).shape == (0, 2)


def test_probabilities_are_named_by_their_classes(opened: tuple[FittedModel, Dataset, Any]) -> None:
    scores = opened[2].predict(people().drop(columns="stays").head(4), params={"method": "predict_proba"})
    assert list(scores.columns) == ["no", "yes"]
    assert np.allclose(scores.sum(axis=1), 1.0)


def test_the_served_model_decides_at_its_threshold_and_names_it(tmp_path: Path) -> None:
    model, data = trained(threshold=0.1)
    rows = data.frame[list(data.features)]
    scores = model.predict_proba(rows)[:, 1]
    assert ((scores >= 0.1) & (scores < 0.5)).any(), "the two thresholds differ on these rows"
    served_model = served(model, tmp_path, rows.head())
    assert served_model.predict(rows).tolist() == np.where(scores >= 0.1, "yes", "no").tolist()
    described = yaml.safe_load((tmp_path / "model" / "MLmodel").read_text())
    assert described["metadata"]["e2i.decision_threshold"] == "0.1"


def test_it_answers_json_as_a_server_gets_it(opened: tuple[FittedModel, Dataset, Any]) -> None:
    """The conversion of `mlflow models serve`: a missing integer is null there, and 2.0 arrives as a float."""
    from mlflow.pyfunc.scoring_server import infer_and_parse_data

    rows = people().drop(columns="stays").head(3).astype(object)
    rows.loc[0, "visits"], rows.loc[1, "visits"], rows.loc[2, "plan"] = None, 2.0, None
    body = {"dataframe_records": rows.where(rows.notna(), None).to_dict("records")}
    parsed = infer_and_parse_data(body, opened[2].metadata.get_input_schema())
    assert opened[2].predict(parsed).tolist() == opened[2].predict(rows).tolist()
