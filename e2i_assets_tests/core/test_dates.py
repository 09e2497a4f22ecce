"""Date columns of a source: which cells are dates, in which form, and what the experiment must declare."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from e2i_assets.core.automation.drift import feature_drift
from e2i_assets.core.data import table_schema
from e2i_assets.core.data.dataset import Dataset, dataset_of, schema_of
from e2i_assets.core.data.feature_columns import roles
from e2i_assets.core.data.quality_scores import scores
from e2i_assets.core.data.recent_rows import recent_rows
from e2i_assets.core.errors import DataInvalid, E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.leakage import one_feature, shifted_target
from e2i_assets.core.memory.meta_features import meta_features

ROWS = 200
RANDOM = np.random.default_rng(5)
DAYS = pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(RANDOM.integers(0, 600, ROWS), "D"))
MOMENTS = DAYS + pd.to_timedelta(RANDOM.integers(0, 86_400, ROWS), "s")
FEW = pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(RANDOM.integers(0, 6, ROWS), "D"))
TABLE = pd.DataFrame({"age": RANDOM.normal(50, 9, ROWS).round(1), "cost": RANDOM.normal(80, 9, ROWS)})
CSV: dict[str, Any] = {"csv": "a.csv"}
PARQUET = {"parquet": "a.parquet"}


def experiment(**changes: Any) -> Experiment:
    raw = {"name": "e", "owner": "team:a", "source": CSV, "target": "cost", "problem_type": "regression"}
    return experiment_from({**raw, "algorithm": "XGBoost", **changes}, "e")


def dataset(column: Any, **changes: Any) -> Dataset:
    return dataset_of(TABLE.assign(seen=column), experiment(**changes))


def mistake(column: Any, **changes: Any) -> str:
    with pytest.raises(DataInvalid) as caught:
        dataset(column, **changes)
    assert len(caught.value.violations) == 1, str(caught.value)
    return str(caught.value.violations[0])


def are(made: Dataset, dates: pd.Series) -> bool:
    """Return whether the column is a date feature with these dates."""
    found = made.frame["seen"]
    assert "seen" in made.features
    assert str(found.dtype) in ("datetime64[us]", "datetime64[us, UTC]")
    return bool((found == dates).equals(dates.notna()))


@pytest.mark.parametrize("source", [CSV, PARQUET], ids=["csv", "parquet"])
@pytest.mark.parametrize("dates", [DAYS, FEW, MOMENTS], ids=["days", "few", "moments"])
@pytest.mark.parametrize("gaps", [False, True])
def test_iso_text_is_dates_whatever_the_number_of_distinct_values(
    dates: pd.Series, source: dict[str, Any], gaps: bool
) -> None:
    dates = dates.mask(dates.index % 7 == 2) if gaps else dates
    for form in ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"):
        there = dates.dt.normalize() if form == "%Y-%m-%d" else dates
        assert are(dataset(dates.dt.strftime(form), source=source), there)
    assert are(dataset(dates.dt.strftime("%Y-%m-%dT%H:%M:%SZ"), source=source), dates.dt.tz_localize("UTC"))
    assert are(dataset(dates.dt.strftime("%Y-%m-%d %H:%M:%S+02"), source=source), dates.dt.tz_localize("Etc/GMT-2"))


def test_typed_dates_are_features() -> None:
    assert are(dataset(DAYS), DAYS)
    assert are(dataset(MOMENTS.dt.tz_localize("Europe/Berlin")), MOMENTS.dt.tz_localize("Europe/Berlin"))
    assert are(dataset(DAYS.dt.date.astype(object).mask(DAYS.index == 3)), DAYS.mask(DAYS.index == 3))
    late = DAYS.dt.date.astype(object).mask(DAYS.index == 3, date(9999, 12, 31))
    assert dataset(late).frame["seen"][3] == pd.Timestamp("9999-12-31").as_unit("us")
    removed = dataset(late, columns={"missing": {"seen": ["9999-12-31"]}})
    assert removed.frame["seen"].isna().sum() == 1


@pytest.mark.parametrize(
    "form",
    [
        "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d-%m-%Y %H:%M", "%d-%b-%Y", "%d%b%Y", "%B %d, %Y",
        "%m/%d/%Y %I:%M %p",
    ],
)  # fmt: skip
def test_text_in_a_form_that_the_cells_make_certain_is_dates(form: str) -> None:
    dates = MOMENTS.dt.floor("min") if "%M" in form else DAYS
    made = dataset(dates.dt.strftime(form))
    assert are(made, dates)
    assert made.notes == (f"seen: read as dates ({form})",)


@pytest.mark.parametrize(
    ("form", "ways"), [("%d/%m/%Y", "%m/%d/%Y"), ("%m-%d-%Y", "%d-%m-%Y"), ("%d/%m/%y", "%m/%d/%y"), ("%d.%m.%y", None)]
)
def test_ambiguous_text_is_refused_until_the_experiment_gives_the_form(form: str, ways: str | None) -> None:
    early = DAYS.map(lambda day: day.replace(day=day.day % 12 + 1))
    said = mistake(early.dt.strftime(form))
    assert "can be read in several ways" in said
    assert f"columns: {{dates: {{seen: '{form}'}}}}" in said
    assert ways is None or f"columns: {{dates: {{seen: '{ways}'}}}}" in said
    assert are(dataset(early.dt.strftime(form), columns={"dates": {"seen": form}}), early)
    assert str(dataset(early.dt.strftime(form), columns={"categorical": ["seen"]}).frame["seen"].dtype) == "category"
    assert "seen" not in dataset(early.dt.strftime(form), columns={"drop": ["seen"]}).features


def test_other_cells_among_dates_are_refused_with_the_words_and_the_key() -> None:
    texts = DAYS.dt.strftime("%Y-%m-%d").mask(DAYS.index % 20 == 3, "unknown")
    said = mistake(texts)
    assert "contains dates in 190 of 200 cells, but not in the others: 'unknown' (10: rows 4, 24, 44, ...)" in said
    assert "columns: {missing: {seen: ['unknown']}}" in said
    assert are(dataset(texts, columns={"missing": {"seen": ["unknown"]}}), DAYS.mask(DAYS.index % 20 == 3))
    mixed = DAYS.dt.strftime("%Y-%m-%dT%H:%M:%SZ").mask(DAYS.index == 5, "2024-05-01T00:00:00")
    assert "has dates without a UTC offset ('2024-05-01T00:00:00' (1: row 6))" in mistake(mixed)
    assert "contains dates in 190 of 200" in mistake(texts, columns={"dates": ["seen"]})


@pytest.mark.parametrize(
    ("numbers", "kind", "dates"),
    [
        (DAYS.dt.strftime("%Y%m%d").astype(int), "yyyymmdd", DAYS),
        (FEW.dt.strftime("%Y%m%d").astype(int), "yyyymmdd", FEW),
        (MOMENTS.astype("datetime64[s]").astype("int64"), "s", MOMENTS),
        (MOMENTS.astype("datetime64[ms]").astype("int64"), "ms", MOMENTS),
        (MOMENTS.astype("datetime64[ns]").astype("int64"), "ns", MOMENTS),
        (DAYS.dt.strftime("%Y%m%d").astype(float).mask(DAYS.index == 3), "yyyymmdd", DAYS.mask(DAYS.index == 3)),
        (MOMENTS.astype("datetime64[ms]").astype("int64").mask(DAYS.index == 3), "ms", MOMENTS.mask(DAYS.index == 3)),
    ],
)
def test_numbers_are_dates_only_if_they_are_declared(numbers: pd.Series, kind: str, dates: pd.Series) -> None:
    made = dataset(numbers)
    assert pd.api.types.is_numeric_dtype(made.frame["seen"])
    (note,) = made.notes
    assert note.startswith("seen: whole numbers such as ")
    assert f"may be dates ({kind}); if they are, write columns: {{dates: [seen]}}" in note
    assert are(dataset(numbers, columns={"dates": ["seen"]}), dates)


def test_other_numbers_are_no_dates() -> None:
    assert not dataset(RANDOM.integers(18, 90, ROWS)).notes
    assert not dataset(RANDOM.normal(size=ROWS)).notes
    said = mistake(RANDOM.integers(18, 90, ROWS), columns={"dates": ["seen"]})
    assert "columns.dates: 'seen' contains numbers such as" in said
    months = pd.Series(RANDOM.integers(1, 13, ROWS) + 202400)
    found = dataset(months, columns={"dates": {"seen": "%Y%m"}}).frame["seen"]
    assert (found.dt.month == months % 100).all()


@pytest.mark.parametrize("day", ["9999-12-31", "1900-01-01", "0001-01-01"])
def test_a_known_date_far_from_the_others_is_reported_until_it_is_declared(day: str) -> None:
    texts = DAYS.dt.strftime("%Y-%m-%d").mask(DAYS.index % 20 == 3, day)
    (note,) = dataset(texts).notes
    assert f"seen: {day} in 10 rows lies far from the others" in note
    assert f"columns: {{missing: {{seen: ['{day}']}}}}" in note
    assert not dataset(texts, columns={"missing": {"seen": [day]}}).notes


@pytest.mark.parametrize("form", ["", "DD/MM/YYYY", "%H:%M", "%d/%m", 3])
def test_a_form_that_is_no_form_of_dates_is_refused(form: object) -> None:
    with pytest.raises(E2iError, match=r"columns\.dates"):
        experiment(columns={"dates": {"seen": form}})


@pytest.mark.parametrize("role", ["group", "id", "drop"])
def test_a_date_column_cannot_be_excluded_at_the_same_time(role: str) -> None:
    with pytest.raises(E2iError, match=r"columns\.dates: 'seen' is also columns\." + role):
        experiment(columns={"dates": ["seen"], role: "seen" if role == "group" else ["seen"]})


def test_a_declared_column_must_exist() -> None:
    assert "columns.dates: 'sen' is not a column of the data; did you mean 'seen'?" in mistake(
        DAYS, columns={"dates": ["sen"]}
    )


def test_the_time_column_is_a_feature_only_if_it_is_declared_as_a_date() -> None:
    texts = DAYS.dt.strftime("%d.%m.%Y")
    assert "seen" not in dataset(DAYS, columns={"time": "seen"}).features
    made = dataset(texts, columns={"time": "seen", "dates": ["seen"]})
    assert are(made, DAYS)
    assert made.time == "seen"
    assert "seen" not in roles(experiment(columns={"time": "seen", "dates": ["seen"]}))


def test_every_consumer_of_features_takes_dates() -> None:
    made = dataset(MOMENTS.mask(MOMENTS.index % 9 == 4))
    schema_of(made).validate(made.frame)
    text = table_schema.inferred(made, "e")
    assert table_schema.violations(text, "e.yaml", made, ()) == []
    zoned = dataset(MOMENTS.dt.tz_localize("UTC").mask(MOMENTS.index % 9 == 4))
    schema_of(zoned).validate(zoned.frame)
    assert table_schema.violations(table_schema.inferred(zoned, "e"), "e.yaml", zoned, ()) == []
    assert table_schema.violations(text, "e.yaml", zoned, ()) != []
    assert scores(made, pd.Timestamp("2026-01-01", tz="UTC").to_pydatetime())["validity"] == 1.0
    assert not list(shifted_target.violations(made, {}))
    features = made.frame[list(made.features)]
    part = one_feature.Part(features, made.frame["cost"])
    assert set(one_feature.scores(part, part, ())) == {"age", "seen"}
    found = meta_features(features, made.frame["cost"].to_numpy(), "regression")
    assert found["share_categorical"] == 0
    assert all(np.isfinite(list(found.values())))
    assert {one.column: one.use for one in made.profile}["seen"] == "feature (date)"


def test_a_date_that_gives_the_target_away_is_found() -> None:
    target = (DAYS - DAYS.min()).dt.days + TABLE["age"] / 1000
    part = one_feature.Part(pd.DataFrame({"seen": DAYS}), target)
    assert one_feature.scores(part, part, ())["seen"] > 0.99


def test_newer_rows_get_the_dates_of_the_train_rows_and_later_dates_are_no_drift() -> None:
    made = dataset(DAYS.dt.strftime("%d/%m/%Y"))
    later = DAYS + pd.Timedelta(days=728)
    rows = recent_rows(
        TABLE.assign(seen=later.dt.strftime("%d/%m/%Y")), made.frame[list(made.features)][:0], (), experiment()
    )
    assert str(rows.features["seen"].dtype) == "datetime64[us]"
    assert (rows.features["seen"] == later).all()
    drifts = {one.feature: one for one in feature_drift(made.frame[list(made.features)], rows.features, 0.1)}
    assert drifts["seen"].psi < 0.01
    weekend = later.map(lambda day: day - pd.Timedelta(days=day.weekday() % 5))
    changed = rows.features.assign(seen=weekend)
    assert next(iter(feature_drift(made.frame[list(made.features)], changed, 0.1))).drifted
