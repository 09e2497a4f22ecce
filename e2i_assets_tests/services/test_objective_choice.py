"""A study with `hpo.objective: auto` in the wide space: its row, its contract and its checks agree with the rows."""

from pathlib import Path

from prepared_study import prepared

from e2i_assets.adapters.files import asset_values
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.core.search.study_output import hpo_output
from e2i_assets.services import tune
from e2i_assets.services.checks import best_hyperparameters, hpo_study
from e2i_assets.services.checks.check import evaluated


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
