"""A project with everything that comes before a study, and the program that searches it, which tests may kill."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import search_program
from sklearn.datasets import load_breast_cancer

from e2i_assets.adapters import asset_files, datasets, memory, splitting
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings
from e2i_assets.adapters.stores.experiment_store import ExperimentStore
from e2i_assets.adapters.stores.study_store import StoredStudy, StudyStore, TrialRow
from e2i_assets.adapters.workspace import Workspace
from e2i_assets.core.data.dataset import dataset_of
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.core.search import tuning

_CELLS = """
name: cells
owner: team:tests
source: {{csv: cells.csv}}
target: target
problem_type: binary_classification
algorithm: XGBoost
hpo: {{trials: {budget}, workers: 1}}
"""


@dataclass(frozen=True)
class Searched:
    """The project and the rows of its study."""

    workspace: Workspace
    rows: SearchRows

    @property
    def study(self) -> StoredStudy:
        found = StudyStore(self.workspace.database).by_spec_hash(self.identity)
        assert found is not None
        return found

    @property
    def identity(self) -> str:
        return tuning.spec_hash(self.workspace.experiment("cells"), self.rows.facts)

    def trials(self) -> list[TrialRow]:
        return StudyStore(self.workspace.database).trials(self.study.id)

    def started(self) -> subprocess.Popen[str]:
        """Start the program, and return it when it begins to search."""
        address, folder = self.workspace.database.url, str(self.workspace.settings.root)
        program = subprocess.Popen(
            [sys.executable, search_program.__file__, address, folder, "cells"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert program.stdout is not None
        assert program.stdout.readline() == "searching\n"
        return program


def ready(database: Database, folder: Path, budget: int) -> Searched:
    """Make everything that comes before the study."""
    load_breast_cancer(as_frame=True).frame.to_csv(folder / "cells.csv", index=False)
    workspace = Workspace(Settings(root=folder, state=folder), database)
    experiment = parse_experiment(_CELLS.format(budget=budget), "test")
    ExperimentStore(database).register(experiment.name, experiment.model_dump(mode="json"))
    data = dataset_of(datasets.load(experiment.source, folder, os.environ), experiment)
    tables = splitting.split(workspace, experiment, data)
    asset_files.write(tables, workspace.asset_folder("validation_splits", "cells"))
    rows: SearchRows = workspace.read(SearchRows, "validation_splits", "cells")
    start = memory.warm_start(workspace, experiment, rows)
    asset_files.write(start, workspace.asset_folder("warm_start", "cells"))
    return Searched(workspace, rows)


def finished(trials: list[TrialRow]) -> dict[int, tuple[object, ...]]:
    """Return what must never change again: the trials that came to an end by themselves."""
    return {
        trial.trial_number: (trial.state, trial.value, dict(trial.params), dict(trial.intermediate_values))
        for trial in trials
        if trial.state in ("COMPLETE", "PRUNED", "FAIL")
    }


def point(trial: TrialRow) -> tuple[object, ...]:
    """Return the configuration that was drawn."""
    return tuple(sorted(trial.user_attrs["sampled"].items()))
