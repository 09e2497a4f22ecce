"""Trains the stored experiment of a project once more, when its input says go; what `test_twice` starts several of."""

import os
import sys
from uuid import uuid4

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import from_environment
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.services import train
from e2i_assets.services.project import Project

if __name__ == "__main__":
    settings = from_environment(os.environ)
    project = Project(settings, Database(str(settings.database_url)))
    name = sys.argv[1]
    rows = project.read(TrainingRows, "validation_splits", name)
    hpo = project.read(HpoOutput, "best_hyperparameters", name)
    print("ready", flush=True)
    sys.stdin.readline()
    kept = train.train(project, project.experiment(name), rows, hpo, uuid4().hex)
    print(kept.training_run_id, kept.tracking_reason, flush=True)
