"""A search without a completed trial: the graph trains the default parameters and records the cause."""

import json
from typing import Any

import pytest

# With one bin every trial fails; the defaults have more bins and can be fitted.
ONE_BIN = "max_bin: {type: categorical, choices: [1]}, max_depth: {"


def contract(project: Any) -> dict[str, Any]:
    file = project.project.asset_folder("best_hyperparameters", "cells") / "value.json"
    return dict(json.loads(file.read_text()))


def warned(result: Any) -> dict[str, str]:
    evaluations = result.get_asset_check_evaluations()
    return {one.check_name: str(one.description) for one in evaluations if not one.passed}


@pytest.mark.parametrize("trials", [10, *(pytest.param(one, marks=pytest.mark.drill) for one in (5, 14))])
def test_the_defaults_are_trained_if_every_trial_fails(project: Any, trials: int) -> None:
    text = project.experiment.replace("max_depth: {", ONE_BIN).replace("{trials: 6", f"{{trials: {trials}")
    result = project.run(text)
    assert result.success, project.failure(result)
    output, ended = contract(project), min(trials, 10)
    assert (output["hpo_completed"], output["hpo_best_trial"], output["error_type"]) == (False, None, "hpo_error")
    assert f"{ended} of {ended} trials failed, the last with XGBoostError" in output["error"]
    ((status, failed, message),) = project.all("SELECT status, n_failed, error_message FROM ml_hpo_studies")
    assert (status, failed, message) == ("failed", ended, output["error"])
    ((run, is_best),) = project.all("SELECT status, is_best_trial FROM ml_training_runs")
    assert (run, is_best) == ("finished", False)
    assert output["error"] in warned(result)["no_failure_ended_the_search"]


def test_a_search_that_times_out_before_its_first_trial_is_a_partial_study(project: Any) -> None:
    result = project.run(project.experiment.replace("{trials: 6", "{timeout_hours: 1.0e-9, trials: 6"))
    assert result.success, project.failure(result)
    ((status, reason, trials),) = project.all("SELECT status, stop_reason, n_completed FROM ml_hpo_studies")
    assert (status, reason, trials) == ("partial", "time is up", 0)
    output = contract(project)
    assert (output["hpo_completed"], output["hpo_stop_reason"], output["error"]) == (False, "time is up", None)
    assert warned(result) == {}
