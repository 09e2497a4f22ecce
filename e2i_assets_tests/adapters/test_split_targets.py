"""A split with a single class or value is rejected with a message before a study begins."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_splits import ROWS, SmallSplits, numbered

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings
from e2i_assets.core.errors import DataInvalid
from e2i_assets.services.project import Project

DAY = pd.Series(pd.date_range("2026-01-01", periods=ROWS).strftime("%Y-%m-%d"))
BINARY = {"problem_type": "binary_classification", "target": "kind", "columns": {"time": "day"}}
MULTI = {**BINARY, "problem_type": "multiclass_classification"}
NUMBER = {"columns": {"time": "day"}, "target": "kind"}
DRAWS = np.random.default_rng(0)
TWO, THREE = DRAWS.choice(["no", "yes"], ROWS), DRAWS.choice(["a", "b", "c"], ROWS)
VALUES = DRAWS.normal(size=ROWS)
AT = np.arange(ROWS)
TRAIN, VALIDATION, TEST = AT < 240, (AT >= 240) & (AT < 320), (AT >= 320) & (AT < 380)


@pytest.fixture
def splits(tables: Database, tmp_path: Path) -> SmallSplits:
    return SmallSplits(Project(Settings(root=tmp_path, state=tmp_path / "state"), tables))


@pytest.mark.parametrize(
    ("cells", "changes", "message"),
    [
        (
            np.where(TRAIN, "no", TWO),
            BINARY,
            "train: 'no' is the only class in its 240 rows: there is nothing to learn",
        ),
        (np.where(VALIDATION, "no", TWO), BINARY, "validation: 'no' is the only class in its 80 rows: no trial can"),
        (np.where(TEST, "yes", TWO), BINARY, "test: 'yes' is the only class in its 60 rows: no model can be evaluated"),
        (np.where(TRAIN, "a", THREE), MULTI, "train: 'a' is the only class"),
        (np.where(TRAIN & (THREE == "c"), "a", THREE), MULTI, "train: ['c'] have no row here, and no model can learn"),
        (
            np.where(VALIDATION & (THREE == "c"), "a", THREE),
            {**MULTI, "metric": "roc_auc"},
            "roc_auc needs rows of each",
        ),
        (np.where(TRAIN, 1.5, VALUES), NUMBER, "train: '1.5' is the only value in its 240 rows"),
        (np.where(VALIDATION, 0.0, VALUES), NUMBER, "validation: '0.0' is the only value"),
        (np.where(TEST, 2.0, VALUES), NUMBER, "test: '2.0' is the only value"),
    ],
)
def test_one_class_or_value_is_refused(splits: SmallSplits, cells: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataInvalid) as caught:
        splits.split(numbered(kind=cells, day=DAY), **changes)
    assert message in str(caught.value)
    assert "Leave out the rows whose label is not known yet, or split without columns.time" in str(caught.value)
    assert splits.keys() == {}


def test_a_class_that_validation_lacks_stops_only_metrics_that_need_it(splits: SmallSplits) -> None:
    cells = np.where(VALIDATION & (THREE == "c"), "a", THREE)
    assert len(splits.roles(numbered(kind=cells, day=DAY), **MULTI)) == ROWS


def test_a_column_that_gives_one_class_to_train_is_named(splits: SmallSplits) -> None:
    fold = np.select([TRAIN, VALIDATION, TEST], ["train", "validation", "test"], "holdout")
    changes = {**BINARY, "columns": {}, "split": {"column": "fold"}}
    with pytest.raises(DataInvalid, match=r"Correct the column that split\.column names"):
        splits.split(numbered(kind=np.where(TRAIN, "no", TWO), fold=fold), **changes)
