"""A study with `hpo.objective: auto` in the wide space: its row, its contract and its checks agree with the rows."""

from pathlib import Path

import numpy as np
import pandas as pd
from prepared_study import prepared
from small_splits import NAME, ROWS, SmallSplits, numbered

from e2i_assets.adapters.files import asset_values
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study_output import hpo_output
from e2i_assets.services import tune
from e2i_assets.services.checks import best_hyperparameters, hpo_study
from e2i_assets.services.checks.check import evaluated
from e2i_assets.services.project import Project


def test_the_row_the_contract_and_the_checks_say_what_auto_chose(database: Database, tmp_path: Path) -> None:
    """The cells have few rows, so folds are used; the check fits each of them again."""
    hpo = "{trials: 4, objective: auto, folds: 3, preset: wide, workers: 1}"
    study = prepared(database, tmp_path, hpo)
    project, said = study.project, study.said
    experiment = project.experiment("cells")
    tuned = tune.tuned(project, experiment, study.rows, study.start, said.append)
    output = hpo_output(experiment, tuned.identity, tuned.result, tuned.failure, tuned.choice)
    for name, value in (("hpo_study", tuned), ("best_hyperparameters", output)):
        asset_values.write(value, project.asset_folder(name, "cells"))
    assert study.rows.facts.searched_classes == (169, 285)
    why = "454 train and validation rows, 169 of the rarest class: too few to compare trials on one split"
    assert (study.study.objective, output.hpo_objective, output.hpo_objective_reason) == (
        *["cross_validation"] * 2,
        why,
    )
    assert said[0] == f"trials are evaluated by cross_validation: {why}"
    assert tuned.result is not None
    assert tuned.result.best is not None
    assert len(tuned.result.best.fold_rounds) == 3
    for check in (
        hpo_study.study_matches_rows_and_experiment,
        hpo_study.best_value_is_reproducible_from_train_and_validation,
        best_hyperparameters.output_contract_is_valid,
        best_hyperparameters.parameters_equal_the_best_trial,
    ):
        assert evaluated(check, project, "cells").outcome == "passed", check.name


def test_too_few_groups_of_a_class_are_evaluated_on_one_split(database: Database, tmp_path: Path) -> None:
    """People with ten rows each; eight of those in train and validation have rows of the rarer class."""
    people = np.arange(ROWS) // 10
    rows = numbered(person=people, kind=np.where((people < 10) & (np.arange(ROWS) % 10 < 8), "yes", "no"))
    splits = SmallSplits(Project(Settings(root=tmp_path, state=tmp_path), database))
    hpo = {"objective": "auto", "folds": 5, "trials": 1}
    tables = splits.split(
        rows, target="kind", problem_type="binary_classification", columns={"group": "person"}, hpo=hpo
    )
    searched = pd.concat([tables.tables[split] for split in ("train", "validation")])
    by_hand = searched.groupby("kind")["person"].nunique()
    assert tables.facts.searched_groups == (by_hand["no"], by_hand["yes"])
    assert 5 <= by_hand["yes"] < 10
    assert tables.facts.foldable  # five folds have both classes, though `auto` of the objective asks for more groups
    found: SearchRows = splits.project.read(SearchRows, "validation_splits", NAME)
    assert tuning.scheme(splits.project.experiment(NAME), found).folds == 0
