"""Trains the stored experiment of a project again when it reads a line; `test_twice` starts several of these."""

import os
import sys
from uuid import uuid4

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import from_environment
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.dataset import DatasetFacts
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.search.tuning import Tuned
from e2i_assets.services import train
from e2i_assets.services.project import Project

if __name__ == "__main__":
    settings = from_environment(os.environ)
    project = Project(settings, Database(str(settings.database_url)))
    name = sys.argv[1]
    rows = project.read(TrainingRows, "validation_splits", name)
    data = project.read(DatasetFacts, "dataset", name)
    study = project.read(Tuned, "hpo_study", name)
    hpo = project.read(HpoOutput, "best_hyperparameters", name)
    print("ready", flush=True)
    sys.stdin.readline()
    kept = train.train(project, project.experiment(name), data, rows, study, hpo, uuid4().hex)
    print(kept.record.start.training_run_id, kept.tracked.reason or "logged", flush=True)
