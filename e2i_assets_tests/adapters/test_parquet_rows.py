"""Rows that are read in batches are prepared, fitted and predicted like rows in memory."""

import numpy as np
import pandas as pd
import pytest

from e2i_assets.adapters.files.parquet_rows import StoredRows
from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.fitting.fit_context import Rows, fit_context, merged

FEATURES = ["number", "count", "insured", "asked", "region", "empty", "town"]


def table(rows=40_000):
    random = np.random.default_rng(8)
    frame = pd.DataFrame(
        {
            "number": random.normal(size=rows),
            "count": random.integers(0, 50, rows),
            "insured": random.random(rows) < 0.5,
            "region": random.choice(["north", "south", "west"], rows),
            "empty": np.nan,
            "town": pd.Categorical([f"t{number}" for number in random.zipf(1.5, rows) % 900]),
            "person": [f"p{number // 3}" for number in range(rows)],
        }
    )
    frame["asked"] = frame["insured"].astype(object)
    # Only the first batch has missing values: alone, the other batches would have other types.
    frame.loc[:99:3, ["number", "asked", "region"]] = None
    frame.loc[rows - 1, "region"] = "east"
    frame["outcome"] = frame["number"].fillna(0) + frame["insured"] + random.normal(size=rows) > 0.5
    return frame


@pytest.fixture
def stored(tmp_path):
    table().to_parquet(tmp_path / "rows.parquet", index=False)
    return StoredRows(tmp_path / "rows.parquet", FEATURES, "outcome", ["person"])


def benches(name, stored):
    kept = Rows(stored.features, stored.target, np.arange(len(stored.target)) // 3)
    algorithm = registry.algorithm(name)
    task = Task("binary_classification", 2)
    return [fit_context(algorithm, task, rows, rows, (False, True)) for rows in (kept, stored)]


@pytest.mark.parametrize("name", ["XGBoost", "LightGBM", "RandomForest", "LogisticRegression"])
def test_stored_rows_give_the_matrices_and_the_model_of_the_same_rows_in_memory(name, stored):
    kept, read = benches(name, stored)
    assert np.array_equal(kept.prepared_data.x_train, read.prepared_data.x_train, equal_nan=True)
    assert kept.prepared_data.x_train.dtype == read.prepared_data.x_train.dtype
    assert np.array_equal(kept.y_train, read.y_train)
    algorithm = registry.algorithm(name)
    few = {"n_estimators": 5} if "n_estimators" in algorithm.parameters else {}
    parameters = merged(algorithm.default_values, few, algorithm.fixed_values)
    one, other = (each.on_validation(each.fit(parameters)).scores for each in (kept, read))
    assert np.array_equal(one, other)
    on_table = kept.model(kept.fit(parameters)).predict_proba(stored.features)
    assert np.array_equal(on_table, one)


def test_types_are_those_of_the_whole_column_in_every_piece(stored):
    pieces = list(stored.pieces())
    assert len(pieces) > 2
    whole = stored.features
    assert stored.blank().dtypes["asked"] == whole.dtypes["asked"] == np.dtype("object")
    for piece in pieces:
        assert piece.dtypes["asked"] == np.dtype("object")
        assert piece.dtypes["insured"] == np.dtype("bool")
    assert sum(map(len, pieces)) == len(whole)


def test_the_matrix_of_a_booster_is_dropped_once_it_is_binned(stored):
    _, booster = benches("XGBoost", stored)
    assert booster.prepared_data.x_train is not booster.prepared_data.x_train
    kept, forest = benches("RandomForest", stored)
    assert forest.prepared_data.x_train is forest.prepared_data.x_train
    assert kept.prepared_data.x_train is kept.prepared_data.x_train


def test_a_file_that_is_exchanged_changes_no_rows_that_are_being_read(stored, tmp_path):
    before = stored.target.tolist()
    table(500).to_parquet(tmp_path / "new.parquet", index=False)
    (tmp_path / "new.parquet").replace(tmp_path / "rows.parquet")
    assert stored.target.tolist() == before


def test_a_column_that_the_file_lacks_is_named_at_once(tmp_path):
    table(50).to_parquet(tmp_path / "rows.parquet", index=False)
    with pytest.raises(KeyError, match="income"):
        StoredRows(tmp_path / "rows.parquet", ["number", "income"], "outcome")
