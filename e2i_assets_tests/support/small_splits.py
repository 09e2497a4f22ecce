"""A project whose rows are read, split, stored and checked as by the first two assets, without Dagster."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from e2i_assets.adapters.files import asset_values
from e2i_assets.adapters.sources import datasets
from e2i_assets.core.data.dataset import Dataset, dataset_of
from e2i_assets.core.data.split_tables import SplitTables
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.services import data_gates
from e2i_assets.services import split as splitting
from e2i_assets.services.checks.catalogue import CHECKS
from e2i_assets.services.checks.check import evaluated
from e2i_assets.services.project import Project

NAME = "exact"
ROWS = 400


def numbered(**columns: Any) -> pd.DataFrame:
    """Return rows with a unique feature ``mark``, a second feature, and a target that depends on it."""
    draws = np.random.default_rng(3)
    frame = pd.DataFrame({"mark": draws.permutation(ROWS) * 1.5, "age": draws.normal(50, 9, ROWS)})
    frame["cost"] = frame["age"] + draws.normal(0, 5, ROWS)
    return frame.assign(**columns)


@dataclass(frozen=True)
class SmallSplits:
    """The project."""

    project: Project

    def split(self, frame: pd.DataFrame, **changes: Any) -> SplitTables:
        """Write rows as Parquet, and split them."""
        return self._split(frame, changes)[1]

    def dataset(self, frame: pd.DataFrame, **changes: Any) -> Dataset:
        """Write rows as Parquet, split them, and return the table."""
        return self._split(frame, changes)[0]

    def roles(self, frame: pd.DataFrame, **changes: Any) -> dict[float, str]:
        """Return the split of each row, by its mark."""
        tables = self.split(frame, **changes).tables
        return {float(mark): role for role, table in tables.items() for mark in table["mark"]}

    def broken(self) -> dict[str, str]:
        """Return the failed checks of the rows and of the split, with their reasons."""
        own = [one for one in CHECKS if one.asset in ("dataset", "validation_splits")]
        verdicts = {one.name: evaluated(one, self.project, NAME) for one in own}
        return {name: one.why for name, one in verdicts.items() if not one.passed}

    def keys(self) -> dict[str, str]:
        """Return the stored keys with their splits."""
        query = "SELECT entity_key, role FROM ml_split_assignments"
        with self.project.database.connect() as connection:
            return {entity: role for entity, role in connection.exec_driver_sql(query)}

    def _split(self, frame: pd.DataFrame, changes: dict[str, Any]) -> tuple[Dataset, SplitTables]:
        frame.to_parquet(self.project.settings.root / "rows.parquet", index=False)
        raw: dict[str, Any] = {
            "name": NAME,
            "owner": "team:tests",
            "source": {"parquet": "rows.parquet"},
            "target": "cost",
            "problem_type": "regression",
            "algorithm": "LightGBM",
        }
        experiment = experiment_from(raw | changes, NAME)
        self.project.experiments.register_experiment(experiment)
        data = dataset_of(datasets.load(experiment.source, self.project.settings.root, os.environ), experiment)
        data_gates.write_schema(self.project.settings, experiment, data)
        asset_values.write(data, self.project.asset_folder("dataset", NAME))
        split = splitting.split(self.project, experiment, data)
        asset_values.write(split, self.project.asset_folder("validation_splits", NAME))
        return data, split
