"""A project for each test, and its graph run by the real Dagster on the real PostgreSQL and MLflow."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from databases import temporary
from originals import Original, original
from sklearn.datasets import load_breast_cancer

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import from_environment
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.definitions import defs
from e2i_assets.defs.namespace import EXPERIMENTS
from e2i_assets.services.project import Project

EXPERIMENT = """
name: cells
owner: team:tests
source: {csv: cells.csv}
target: {name: kind, column: target, bins: [0], labels: [malignant, benign]}
problem_type: binary_classification
columns: {group: patient}
algorithm: XGBoost
search_space: {n_estimators: {low: 20, high: 60, step: 20}, max_depth: {low: 2, high: 3}}
hpo: {trials: 6}
success_criteria: {roc_auc: 0.6}
"""


def cells() -> pd.DataFrame:
    """Return the breast cancer data with two rows for each patient."""
    frame = load_breast_cancer(as_frame=True).frame
    return frame.assign(patient=[f"p{row // 2}" for row in range(len(frame))])


@dataclass
class DagsterProject:
    """A project folder with its Dagster instance, and the operations of the tests on it."""

    project: Project
    instance: dg.DagsterInstance
    experiment: str = EXPERIMENT

    @property
    def root(self) -> Path:
        return self.project.settings.root

    def rows(self) -> pd.DataFrame:
        return cells()

    def write_rows(self, frame: pd.DataFrame) -> None:
        frame.to_csv(self.root / "cells.csv", index=False)

    def register(self, text: str = EXPERIMENT) -> str:
        experiment = parse_experiment(text, "test")
        spec = experiment.model_dump(mode="json")
        self.project.experiments.register(experiment.name, spec, experiment.description)
        self.instance.add_dynamic_partitions(EXPERIMENTS, [experiment.name])
        return experiment.name

    def run(self, text: str = EXPERIMENT, selection: list[str] | None = None) -> dg.ExecuteInProcessResult:
        os.environ.update(E2I_HOME=str(self.root), E2I_DATABASE_URL=self.project.database.url)
        name = self.register(text)
        assets = [dg.AssetKey(one) for one in selection] if selection else None
        job = defs().resolve_job_def("tune_and_train")
        return job.execute_in_process(
            instance=self.instance, partition_key=name, raise_on_error=False, asset_selection=assets
        )

    def failure(self, result: dg.ExecuteInProcessResult) -> str:
        return " ".join(
            str(event.step_failure_data.error.to_string()) for event in result.all_events if event.is_step_failure
        )

    def all(self, query: str) -> list[Any]:
        with self.project.database.connect() as connection:
            return list(connection.exec_driver_sql(query))


@pytest.fixture
def project(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DagsterProject:
    """A project with the rows of `cells` and an empty pattern memory."""
    return _project(database, tmp_path / "project", monkeypatch)


@pytest.fixture(scope="session")
def cells_original(server: Database, template: str, shared_folder: Path) -> Original:
    """A project after one run of the graph."""

    def run_graph(project: Project) -> None:
        with pytest.MonkeyPatch.context() as environment:
            _clear(environment)
            environment.setenv("E2I_STATE", str(project.settings.state))
            environment.setenv("E2I_CORES", "1")
            root = project.settings.root
            (root / "experiments").mkdir()
            with dg.DagsterInstance.ephemeral(str(root)) as instance:
                first = DagsterProject(project, instance)
                first.write_rows(cells())
                environment.setenv("E2I_HOME", str(root))
                environment.setenv("E2I_DATABASE_URL", project.database.url)
                result = first.run()
                assert result.success, first.failure(result)

    return original(server, template, shared_folder, "e2i_cells", run_graph)


@pytest.fixture
def finished(
    server: Database, cells_original: Original, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DagsterProject]:
    """A copy of the project after one run of the graph; the Dagster instance has no record of that run."""
    with temporary(server, cells_original.database) as database:
        found = _project(database, tmp_path / "project", monkeypatch)
        cells_original.copy_files(found.project)
        yield found


@pytest.fixture
def other_project(project: DagsterProject, other_database: Database, tmp_path: Path) -> Iterator[DagsterProject]:
    """A second project. The environment names only one project at a time: see `DagsterProject.run`."""
    with pytest.MonkeyPatch.context() as environment:
        yield _project(other_database, tmp_path / "other", environment)


def _clear(environment: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("E2I_") and name != "E2I_PICTURES"]:
        environment.delenv(name)


def _project(database: Database, root: Path, environment: pytest.MonkeyPatch) -> DagsterProject:
    _clear(environment)
    root.mkdir()
    (root / "experiments").mkdir()
    # Trials of two studies are comparable only if they are sampled one after the other.
    environment.setenv("E2I_CORES", "1")
    environment.setenv("E2I_HOME", str(root))
    environment.setenv("E2I_DATABASE_URL", database.url)
    found = DagsterProject(Project(from_environment(os.environ), database), dg.DagsterInstance.ephemeral(str(root)))
    found.write_rows(cells())
    return found
