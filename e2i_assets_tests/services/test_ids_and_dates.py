"""Undeclared ids, persons and dates in a CSV file: what validation reports, and what reaches a model."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from e2i_assets.adapters.settings import Settings
from e2i_assets.adapters.sources import datasets
from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.data.dataset import dataset_of
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.fitting.fit_context import Rows, fit_context
from e2i_assets.services.validate import Verdict, verdicts

ROWS = 400
RANDOM = np.random.default_rng(4)
PERSONS = RANDOM.permutation(np.arange(ROWS) // 2)
DAYS = pd.Series(pd.Timestamp("2025-01-01") + pd.to_timedelta(RANDOM.integers(0, 300, ROWS), "D"))
FEW_DAYS = pd.Series(pd.Timestamp("2025-01-01") + pd.to_timedelta(RANDOM.integers(0, 40, ROWS), "D"))
COUNTER = np.arange(ROWS) + 1001
TABLE = pd.DataFrame(
    {
        "age": RANDOM.normal(50, 9, ROWS).round(1),
        "income_cents": RANDOM.lognormal(15, 0.6, ROWS).astype(int),
        "outcome": np.where(DAYS.dt.weekday.isin([1, 3]) ^ (RANDOM.random(ROWS) < 0.03), "yes", "no"),
    }
)
ROW_ID, PERSON = "nearly every row has its own value", "columns: {group: "
# Columns with the part of the reason for which validation leaves them out.
IDENTITIES: dict[str, tuple[Any, str]] = {
    "patient_id": (PERSONS, PERSON),
    "PatientID": (PERSONS + 70_001, PERSON),
    "mrn": ([f"M{one:06d}" for one in PERSONS * 37], PERSON),
    "ssn": ([f"{one + 100}-12-{one * 7 + 1000}" for one in PERSONS], PERSON),
    "member no": (PERSONS * 13 + 5, PERSON),
    "record": (COUNTER, ROW_ID),
    "one_gap": (np.where(COUNTER == 1400, 1401, COUNTER), ROW_ID),
    "one_repeat": (np.where(COUNTER == 1200, 1201, COUNTER), ROW_ID),
    "ticket": (RANDOM.choice(np.arange(10**6, 10**7), ROWS, replace=False), ROW_ID),
    "case_text": ([f"C-{one}" for one in COUNTER], ROW_ID),
}
DATES: dict[str, Any] = {
    "visit_date": DAYS.dt.strftime("%Y-%m-%d"),
    "few_days": FEW_DAYS.dt.strftime("%Y-%m-%d"),
    "german": DAYS.dt.strftime("%d.%m.%Y"),
    "with_time": DAYS.dt.strftime("%Y-%m-%dT10:30:00+01:00"),
    "gaps": DAYS.dt.strftime("%Y-%m-%d").mask(DAYS.index % 10 == 3),
}
NUMBERS: dict[str, Any] = {
    "compact": FEW_DAYS.dt.strftime("%Y%m%d"),
    "epoch": DAYS.astype("datetime64[s]").astype("int64"),
    "epoch_ms": DAYS.astype("datetime64[ms]").astype("int64"),
}


def written(root: Path, table: pd.DataFrame, algorithm: str = "XGBoost", **columns: Any) -> dict[str, Any]:
    """Write the rows and an experiment file, and return the experiment."""
    (root / "experiments").mkdir(exist_ok=True)
    table.to_csv(root / "rows.csv", index=False)
    raw = {"name": "visits", "owner": "team:a", "source": {"csv": "rows.csv"}, "target": "outcome"}
    raw |= {"problem_type": "binary_classification", "algorithm": algorithm, "columns": columns}
    (root / "experiments" / "visits.yaml").write_text(yaml.safe_dump(raw))
    return raw


def verdict(root: Path, table: pd.DataFrame, **columns: Any) -> Verdict:
    written(root, table, **columns)
    (found,) = verdicts(Settings(root=root, state=root / "state"), [], with_rows=True)
    assert found.error is None, found.mistakes
    return found


@pytest.mark.parametrize("name", IDENTITIES)
def test_validation_names_an_undeclared_identity_with_the_line_to_add(name: str, tmp_path: Path) -> None:
    column, reason = IDENTITIES[name]
    found = verdict(tmp_path, TABLE.assign(**{name: column}))
    assert set(found.unused) == {name}
    assert reason in found.unused[name]
    if reason == PERSON:
        assert not verdict(tmp_path, TABLE.assign(**{name: column}), group=name).unused
    else:
        assert not verdict(tmp_path, TABLE.assign(**{name: column}), id=[name]).unused


@pytest.mark.parametrize("name", DATES)
def test_validation_leaves_no_date_out(name: str, tmp_path: Path) -> None:
    assert not verdict(tmp_path, TABLE.assign(**{name: DATES[name]})).unused


@pytest.mark.parametrize("name", NUMBERS)
def test_validation_names_the_key_that_makes_numbers_dates(name: str, tmp_path: Path) -> None:
    found = verdict(tmp_path, TABLE.assign(**{name: NUMBERS[name]}))
    assert not found.unused
    assert any(note.startswith(f"{name}: ") and f"columns: {{dates: [{name}]}}" in note for note in found.notes)
    declared = verdict(tmp_path, TABLE.assign(**{name: NUMBERS[name]}), dates=[name])
    assert any(note.startswith(f"{name}: read as dates") for note in declared.notes)


@pytest.mark.parametrize("algorithm", registry.installed())
def test_no_algorithm_learns_from_an_identity_and_each_learns_from_dates(algorithm: str, tmp_path: Path) -> None:
    identities = {name: column for name, (column, _) in IDENTITIES.items()}
    table = TABLE.assign(**identities, **DATES, **NUMBERS)
    kind = registry.algorithm(algorithm).problem_types[0]
    raw = written(tmp_path, table, algorithm, dates=list(NUMBERS)) | {"problem_type": kind}
    if kind == "regression":
        table = table.assign(outcome=(table["outcome"] == "yes") * 10.0 + table["age"] / 100)
        table.to_csv(tmp_path / "rows.csv", index=False)
    experiment = experiment_from(raw, "visits")
    data = dataset_of(datasets.load(experiment.source, tmp_path, {}), experiment)
    assert set(data.left_out) == set(IDENTITIES)
    rows, target = data.frame[list(data.features)], data.frame[data.target]
    chosen = registry.algorithm(algorithm)
    prepared = fit_context(
        chosen,
        Task(kind, len(data.classes)),
        Rows(rows[:300], target[:300]),
        Rows(rows[300:], target[300:]),
        data.classes,
    )
    model = prepared.model(prepared.fit({**chosen.default_values, **chosen.fixed_values}, 10))
    assert set(model.feature_names_in_) == {"age", "income_cents", *DATES, *NUMBERS}
    assert {name for name, one in model.column_kinds.items() if one == "date"} == {*DATES, *NUMBERS}
    if kind == "regression":
        assert np.corrcoef(model.predict(rows[300:]), target[300:])[0, 1] > 0.5
    else:
        assert (model.predict(rows[300:]) == target[300:]).mean() > 0.8 > (target[300:] == "no").mean()
