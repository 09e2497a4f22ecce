"""A search with several objectives and constraints, from the experiment file to the tables."""

import pytest

from e2i_assets.core.contracts.contract import HpoOutput, TrainingOutput
from e2i_assets.core.search.tuning import Tuned

SMALLER = "{trials: 9, objectives: [model_size], tolerance: 0.01, constraints: {log_loss: 0.6}}"
IMPOSSIBLE = "{trials: 3, constraints: {model_size: 10}}"


def of(project, hpo):
    return project.experiment.replace("{trials: 6}", hpo)


def failed_checks(result):
    return [one.check_name for one in result.get_asset_check_evaluations() if not one.passed]


@pytest.mark.usefixtures("pictures")
def test_the_selected_trial_of_the_pareto_front_is_trained_and_recorded(project):
    result = project.run(of(project, SMALLER))
    assert result.success, project.failure(result)
    assert failed_checks(result) == []
    study = project.project.read(Tuned, "hpo_study", "cells").result
    output = project.project.read(HpoOutput, "best_hyperparameters", "cells")
    front = [trial.number for trial in study.pareto_front]
    marked = project.all("SELECT trial_number FROM ml_hpo_trials WHERE is_pareto ORDER BY trial_number")
    assert [number for (number,) in marked] == front
    assert output.hpo_best_trial == study.best.number
    assert output.hpo_best_value == study.best.objective_values["roc_auc"]
    (row,) = project.all("SELECT objectives, constraints, objective, best_trial_number, best_value FROM ml_hpo_studies")
    assert row.objectives == [
        {"name": "roc_auc", "greater_is_better": True},
        {"name": "model_size", "greater_is_better": False},
    ]
    assert (row.constraints, row.objective) == ({"log_loss": 0.6}, "validation")
    assert (row.best_trial_number, row.best_value) == (study.best.number, output.hpo_best_value)
    stored = project.all(
        "SELECT objective_values, constraint_values, is_feasible FROM ml_hpo_trials "
        "WHERE is_pareto ORDER BY trial_number"
    )
    assert [tuple(one) for one in stored] == [
        (trial.objective_values, trial.constraint_values, True) for trial in study.pareto_front
    ]
    (shown,) = [
        one.metadata for one in result.asset_materializations_for_node("hpo_study") if "pareto_front" in one.metadata
    ]
    assert "data:image/png;base64," in shown["pareto_front"].value


def test_a_model_that_violates_a_constraint_is_not_trained(project):
    """No trial and not the defaults satisfy the constraint: the graph stops, and every record says why."""
    result = project.run(of(project, IMPOSSIBLE))
    assert failed_checks(result) == ["constraints_are_satisfied"]
    assert not project.project.asset_folder("trained_model", "cells").exists()
    output = project.project.read(HpoOutput, "best_hyperparameters", "cells")
    assert output.hpo_completed is False
    assert output.hpo_stop_reason.startswith("no trial within the constraints: model_size at most 10 (the nearest")
    assert project.all("SELECT status, stop_reason, error_message, best_trial_number FROM ml_hpo_studies") == [
        ("failed", "no trial within the constraints", "no trial within the constraints", None)
    ]
    assert project.all("SELECT count(*) FROM ml_hpo_trials WHERE is_feasible OR is_pareto") == [(0,)]


def test_defaults_that_satisfy_the_constraints_are_trained_as_defaults(project):
    """No model of the search space satisfies the constraint; the defaults, which are outside it, do."""
    text = of(project, "{trials: 3, constraints: {log_loss: 0.4}}").replace(
        "{n_estimators: {low: 20, high: 60, step: 20}, max_depth: {low: 2, high: 3}}",
        "{learning_rate: {low: 0.001, high: 0.002}}\nfixed: {n_estimators: 20}",
    )
    result = project.run(text)
    assert failed_checks(result) == []
    assert result.success, project.failure(result)
    output = project.project.read(HpoOutput, "best_hyperparameters", "cells")
    assert (output.hpo_completed, output.best_hyperparameters["learning_rate"]) == (False, 0.1)
    assert output.hpo_stop_reason.startswith("no trial within the constraints: log_loss at most 0.4 (the nearest")
    assert project.project.read(TrainingOutput, "trained_model", "cells").hpo_completed is False
