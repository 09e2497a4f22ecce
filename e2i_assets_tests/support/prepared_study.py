"""A project that is prepared for its study, for tests that search it in several processes."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from sklearn.datasets import load_breast_cancer

from e2i_assets.adapters.files import asset_values
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.experiments import ExperimentRepository
from e2i_assets.adapters.repositories.study_rows import StoredStudy, TrialRow
from e2i_assets.adapters.settings import Settings
from e2i_assets.adapters.sources import datasets
from e2i_assets.core.data.dataset import dataset_of
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.core.memory.warm_start import WarmStart
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.services import remember, split, tune
from e2i_assets.services.project import Project

CELLS = """
name: cells
owner: team:tests
source: {{csv: cells.csv}}
target: target
problem_type: binary_classification
algorithm: {algorithm}
hpo: {hpo}
"""


@dataclass
class Prepared:
    """A project whose experiment `cells` is ready to be searched."""

    project: Project
    rows: SearchRows
    start: WarmStart
    said: list[str] = field(default_factory=list)
    told: list[int] = field(default_factory=list)

    def searched(self) -> StudyResult:
        """Search as the asset does."""
        return tune.durable_search(
            self.project,
            self.project.experiment("cells"),
            self.rows,
            self.start,
            lambda trial, best: self.told.append(trial.number),
            self.said.append,
        )

    def with_settings(self, **changes: object) -> "Prepared":
        """The same project with other settings."""
        settings = replace(self.project.settings, **changes)  # type: ignore[arg-type]
        return replace(self, project=replace(self.project, settings=settings), said=[], told=[])

    @property
    def identity(self) -> str:
        return tuning.spec_hash(self.project.experiment("cells"), self.rows.facts)

    @property
    def study(self) -> StoredStudy:
        found = self.project.studies.by_spec_hash(self.identity)
        assert found is not None
        return found

    def trials(self) -> list[TrialRow]:
        return self.project.studies.trials(self.study.id)


def prepared(database: Database, folder: Path, hpo: str, algorithm: str = "XGBoost") -> Prepared:
    """Register the experiment, split its rows and make its warm start."""
    load_breast_cancer(as_frame=True).frame.to_csv(folder / "cells.csv", index=False)
    project = Project(Settings(root=folder, state=folder), database)
    experiment = parse_experiment(CELLS.format(hpo=hpo, algorithm=algorithm), "test")
    ExperimentRepository(database).register(experiment.name, experiment.model_dump(mode="json"))
    data = dataset_of(datasets.load(experiment.source, folder, os.environ), experiment)
    asset_values.write(split.split(project, experiment, data), project.asset_folder("validation_splits", "cells"))
    rows: SearchRows = project.read(SearchRows, "validation_splits", "cells")
    start = remember.warm_start(project, experiment, rows)
    return Prepared(project, rows, start)


Preparing = Callable[[str], Prepared]
