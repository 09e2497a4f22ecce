"""A training of fold models in the database: it passes the checks of every training, and is predicted and explained."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from finished_project import made, registered
from sklearn.datasets import load_breast_cancer

from e2i_assets.adapters.files import asset_values
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings
from e2i_assets.adapters.sources import datasets
from e2i_assets.core.contracts.contract import TrainingOutput
from e2i_assets.core.data.dataset import dataset_of
from e2i_assets.core.data.split_tables import SearchRows, TrainingRows
from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.search import tuning
from e2i_assets.services import predict, remember, split, tune
from e2i_assets.services.checks.catalogue import CHECKS
from e2i_assets.services.checks.check import evaluated
from e2i_assets.services.freshness import is_complete
from e2i_assets.services.project import Project

FOLDS = """
name: plain
owner: team:tests
source: {csv: cells.csv}
target: target
problem_type: binary_classification
algorithm: LightGBM
hpo: {trials: 2, workers: 1, folds: 3}
final_model: folds
fixed: {max_depth: 3}
"""

# By default, boosted trees of so few rows are the mean of as many models as a study has folds by default.
DEFAULT = FOLDS.replace(", folds: 3", "").replace("final_model: folds\n", "")


@pytest.fixture
def project(database: Database, tmp_path: Path) -> Project:
    return Project(Settings(tmp_path, tmp_path / "state", database.url, pictures=False), database)


def test_by_default_a_training_of_fold_models_passes_its_checks_and_is_served(project: Project, tmp_path: Path) -> None:
    made(project, DEFAULT)
    own = [one for one in CHECKS if one.asset in ("hpo_study", "best_hyperparameters", "trained_model")]
    found = {one.name: evaluated(one, project, "plain") for one in own}
    assert {name: verdict.why for name, verdict in found.items() if not verdict.passed} == {}
    assert is_complete(project, project.experiment("plain"))
    output: TrainingOutput = project.read(TrainingOutput, "trained_model", "plain")
    counts = project.read(TrainingRows, "validation_splits", "plain").facts.counts
    assert output.trained_model.training_samples == counts["train"] + counts["validation"]
    assert output.trained_model.final_model == "folds"
    assert len(output.trained_model.fold_rounds) == 5
    assert output.trained_model.final_epoch == int(np.median(output.trained_model.fold_rounds))
    new, to = tmp_path / "new.csv", tmp_path / "predicted.csv"
    load_breast_cancer(as_frame=True).frame.assign(site="north").head(20).to_csv(new, index=False)
    assert predict.predict_file(project, "plain", "csv", new, to, explain=True).rows == 20
    assert pd.read_csv(to)["effect_1"].abs().gt(0).all()


def test_rows_without_folds_for_the_final_model_are_refused_before_the_search(project: Project, tmp_path: Path) -> None:
    experiment = registered(project, FOLDS.replace("folds: 3", "folds: 60"))
    frame = load_breast_cancer(as_frame=True).frame
    few = pd.concat([frame[frame["target"] == 1], frame[frame["target"] == 0].head(50)])
    few.to_csv(tmp_path / "cells.csv", index=False)
    data = dataset_of(datasets.load(experiment.source, tmp_path, {}), experiment)
    asset_values.write(split.split(project, experiment, data), project.asset_folder("validation_splits", "plain"))
    rows: SearchRows = project.read(SearchRows, "validation_splits", "plain")
    start = remember.warm_start(project, experiment, rows)
    with pytest.raises(DataInvalid, match="set final_model: refit"):
        tune.tuned(project, experiment, rows, start, print)
    assert project.studies.by_spec_hash(tuning.spec_hash(experiment, rows.facts)) is None
