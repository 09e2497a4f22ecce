"""A project with one finished experiment, made without Dagster by the functions that the assets call."""

from typing import Any
from uuid import uuid4

import pandas as pd
from sklearn.datasets import load_breast_cancer

from e2i_assets.adapters.sources import datasets
from e2i_assets.core.data.dataset import DatasetFacts, dataset_of
from e2i_assets.core.data.split_tables import SearchRows, TrainingRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.core.search.study_output import output_of
from e2i_assets.services import promote, remember, split, train, tune
from e2i_assets.services.project import Project

PLAIN = """
name: plain
owner: team:tests
source: {csv: cells.csv}
target: target
problem_type: binary_classification
algorithm: LogisticRegression
hpo: {enabled: false}
success_criteria: {roc_auc: 0.6}
"""


def registered(project: Project, text: str = PLAIN) -> Experiment:
    """Register the experiment of a file."""
    experiment = parse_experiment(text, "test")
    project.experiments.register(experiment.name, experiment.model_dump(mode="json"))
    return experiment


def made(project: Project, text: str = PLAIN, given: pd.DataFrame | None = None) -> None:
    """Run the functions of all assets for an experiment whose rows are in ``cells.csv``, by default those of cells."""
    experiment = registered(project, text)
    frame = load_breast_cancer(as_frame=True).frame if given is None else given
    if given is None:
        frame["site"] = [("north", "south")[row % 2] for row in range(len(frame))]
    frame.to_csv(project.settings.root / "cells.csv", index=False)

    def kept(asset: str, value: Any) -> Any:
        project.write(value, asset, experiment.name)
        return value

    data = kept("dataset", dataset_of(datasets.load(experiment.source, project.settings.root, {}), experiment))
    kept("validation_splits", split.split(project, experiment, data))
    rows = project.read(SearchRows, "validation_splits", experiment.name)
    start = kept("warm_start", remember.warm_start(project, experiment, rows))
    tuned = kept("hpo_study", tune.tuned(project, experiment, rows, start, print))
    hpo = kept("best_hyperparameters", output_of(experiment, tuned))
    facts = project.read(DatasetFacts, "dataset", experiment.name)
    every_role = project.read(TrainingRows, "validation_splits", experiment.name)
    trained = train.train(project, tuned.decided(experiment), facts, every_role, tuned, hpo, uuid4().hex)
    kept("trained_model", trained.output)
    kept("champion_model", promote.promote(project, experiment, every_role))
    kept("hpo_pattern_memory", remember.remember(project, experiment, rows.facts, start, tuned))
