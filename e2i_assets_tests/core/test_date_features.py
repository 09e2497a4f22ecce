"""Date columns as features: their parts, fitted on train rows alone, in every algorithm and in the served model."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from e2i_assets.adapters.mlflow.model_folder import save_mlflow_model
from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.data.dataset import dataset_of
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.fitting.feature_importances import feature_importances
from e2i_assets.core.fitting.fit_context import FitContext, Rows, fit_context
from e2i_assets.core.fitting.fitted_model import FittedModel
from e2i_assets.core.fitting.preprocessing import date_features, fitted
from e2i_assets.core.imbalance import Balancing

PAIRS = [
    (name, kind)
    for name in registry.installed()
    for kind in ("binary_classification", "regression")
    if kind in registry.algorithm(name).problem_types
]
DAYS = pd.Series(pd.date_range("2024-03-01", periods=700, freq="D")).sample(600, random_state=0, ignore_index=True)
WEEKDAYS = (1, 2, 4)


def context(name: str, kind: str, dates: pd.Series = DAYS, balancing: str = "none") -> FitContext:
    """Return a context whose target is the weekday; weekdays that are not neighbours are of one kind."""
    chosen = dates.dt.weekday.isin(WEEKDAYS)
    noise = pd.Series(np.random.default_rng(1).normal(size=len(dates)))
    target = chosen if kind != "regression" else chosen + noise / 10
    table = pd.DataFrame({"noise": noise, "seen": dates})
    classes = () if kind == "regression" else (False, True)
    rows = Rows(table[:400], target[:400]), Rows(table[400:], target[400:])
    return fit_context(
        registry.algorithm(name), Task(kind, len(classes)), *rows, classes, balancing=Balancing(balancing, 3)
    )


def model(name: str, kind: str, dates: pd.Series = DAYS, balancing: str = "none") -> FittedModel:
    prepared, algorithm = context(name, kind, dates, balancing), registry.algorithm(name)
    return prepared.model(prepared.fit({**algorithm.default_values, **algorithm.fixed_values}, 10))


def quality(made: FittedModel, kind: str, dates: pd.Series) -> float:
    rows = pd.DataFrame({"noise": 0.0, "seen": dates})
    chosen = dates.dt.weekday.isin(WEEKDAYS)
    if kind == "regression":
        return float(r2_score(chosen, made.predict(rows)))
    return float(roc_auc_score(chosen, made.predict_proba(rows)[:, 1]))


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_every_algorithm_learns_from_the_weekday(name: str, kind: str) -> None:
    assert quality(model(name, kind), kind, DAYS[400:]) > 0.9


@pytest.mark.parametrize("strategy", ["smote", "smote_tomek", "combined", "random_oversample", "random_undersample"])
@pytest.mark.parametrize("name", ["LogisticRegression", "XGBoost"])
def test_resampled_rows_have_dates_of_their_class(name: str, strategy: str) -> None:
    weekdays = DAYS[DAYS.dt.weekday.isin(WEEKDAYS)]
    dates = pd.concat([weekdays[:60], DAYS[~DAYS.dt.weekday.isin(WEEKDAYS)], weekdays[60:]]).reset_index(drop=True)
    assert quality(model(name, "binary_classification", dates, strategy), "binary_classification", DAYS) > 0.9


def features(dates: Any) -> dict[str, Any]:
    table = pd.DataFrame({"seen": dates})
    return dict(date_features(Rows(table, table["seen"]))["seen"])


def test_a_column_has_the_parts_that_vary_in_the_train_rows() -> None:
    days = pd.date_range("2026-02-02", "2026-02-09", freq="D")
    assert features(days) == {"parts": ["day", "weekday", "days"], "first_day": "2026-02-02", "has_offset": False}
    assert features(days.append(days + timedelta(hours=5)).tz_localize("UTC")) == {
        "parts": ["day", "weekday", "hour", "days"],
        "first_day": "2026-02-02",
        "has_offset": True,
    }
    years = [datetime(year, 1, 1) for year in (1, 1000, 9999)]
    assert features(np.array(years, dtype="datetime64[us]"))["parts"] == ["year", "weekday", "days"]
    assert features(pd.Series([pd.NaT] * 3, dtype="datetime64[us]"))["parts"] == ["days"]


@pytest.mark.parametrize("name", ["Ridge", "RandomForest", "LightGBM"])
def test_the_reference_and_the_parts_come_from_the_train_rows_alone(name: str) -> None:
    train = pd.DataFrame({"seen": pd.date_range("2026-02-01", periods=9, freq="D")})
    preparation, _ = fitted(registry.algorithm(name).preparation, Rows(train, train["seen"]), np.zeros(9))
    earlier = pd.DataFrame({"seen": [datetime(2020, 5, 5, 7), pd.NaT]})
    before = preparation.transform(train).tolist()
    assert preparation.transform(earlier).shape[1] == len(before[0])
    assert preparation.transform(train).tolist() == before
    assert preparation.dates["seen"] == {
        "parts": ["day", "weekday", "days"],
        "first_day": "2026-02-01",
        "has_offset": False,
    }


def test_importances_name_the_column_and_the_part() -> None:
    assert next(iter(feature_importances(model("XGBoost", "regression")))) == "seen: weekday"
    assert {"seen: weekday_2", "seen: month_12", "seen: year", "seen: days", "noise"} <= set(
        feature_importances(model("Ridge", "regression"))
    )


def written(dates: pd.Series) -> dict[str, pd.Series]:
    """Return the same dates in the forms that a caller may have."""
    return {
        "nanoseconds": dates.astype("datetime64[ns]"),
        "seconds": dates.astype("datetime64[s]"),
        "text": dates.dt.strftime("%Y-%m-%d"),
        "text with time": dates.dt.strftime("%Y-%m-%dT%H:%M:%S"),
        "string type": dates.dt.strftime("%Y-%m-%d").astype("string"),
        "categories": dates.dt.strftime("%Y-%m-%d").astype("category"),
        "date objects": dates.dt.date.astype(object),
        "datetimes": pd.Series([None if pd.isna(one) else one.to_pydatetime() for one in dates], dtype=object),
        "timestamps": dates.astype(object),
        "arrow": dates.astype("timestamp[us][pyarrow]"),
    }


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_the_model_loaded_from_mlflow_predicts_the_same_from_every_form_of_a_date(
    name: str, kind: str, tmp_path: Path
) -> None:
    dates = DAYS.mask(DAYS.index % 9 == 4)
    made = model(name, kind, dates)
    assert made.column_kinds == {"noise": "number", "seen": "date"}
    rows = pd.DataFrame({"noise": 0.5, "seen": dates[:40]})
    save_mlflow_model(made, tmp_path / "model", rows)
    served = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    expected = made.predict(rows).tolist()
    for form, column in written(dates[:40]).items():
        assert served.predict(rows.assign(seen=column)).tolist() == expected, form
    assert served.predict(rows.assign(seen=None)[:2]).tolist() == made.predict(rows.assign(seen=pd.NaT)[:2]).tolist()


def test_dates_with_an_offset_are_read_in_utc() -> None:
    made = model("XGBoost", "regression", DAYS.dt.tz_localize("UTC"))
    rows = pd.DataFrame({"noise": 0.0, "seen": DAYS.dt.tz_localize("UTC")})
    expected = made.predict(rows).tolist()
    for form in (
        DAYS.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        DAYS.dt.strftime("%Y-%m-%d %H:%M:%S+00:00"),
        rows["seen"].dt.tz_convert("America/New_York"),
        pd.Series([one.astimezone(timezone(timedelta(hours=9))) for one in rows["seen"]], dtype=object),
    ):
        assert made.predict(rows.assign(seen=form)).tolist() == expected
    for form in (DAYS, DAYS.dt.strftime("%Y-%m-%d")):
        with pytest.raises(ValueError, match="'seen' takes dates with a UTC offset"):
            made.predict(rows.assign(seen=form))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("31/01/2026", "takes dates, ISO 8601 text and missing values, and has '31/01/2026'"),
        (20260131, "has '20260131'"),
        ("", "has ''"),
        (datetime(2026, 1, 31, tzinfo=UTC), "takes dates without a UTC offset, as in the train rows"),
    ],
)
def test_a_cell_that_is_no_date_of_the_column_is_refused(cell: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model("XGBoost", "regression").predict(pd.DataFrame({"noise": [0.0], "seen": pd.Series([cell], dtype=object)}))


@pytest.mark.parametrize("part", ["year", "month", "day", "weekday", "hour", "days"])
def test_a_column_with_the_name_of_a_date_part_is_refused(part: str) -> None:
    table = pd.DataFrame(
        {"seen": DAYS, f"seen: {part}": DAYS.dt.month, "x": DAYS.dt.year, "cost": np.arange(600) * 0.5}
    )
    asked: dict[str, Any] = {"name": "e", "owner": "team:a", "source": {"parquet": "a.parquet"}, "target": "cost"}
    asked |= {"problem_type": "regression", "algorithm": "XGBoost"}
    with pytest.raises(E2iError, match=f"'seen: {part}' has the name that a part of the date 'seen' gets: rename it"):
        dataset_of(table, experiment_from(asked, "e"))
    assert "seen" not in dataset_of(table, experiment_from({**asked, "columns": {"drop": ["seen"]}}, "e")).features
