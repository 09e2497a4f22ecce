"""Studies with several objectives, with constraints and with conditional spaces, on real rows."""

import itertools
import math
from importlib.util import find_spec

import numpy as np
import optuna
import pandas as pd
import pytest
from fitted_again import value_again
from sklearn.datasets import load_breast_cancer

from e2i_assets.core.contracts.violations import violations_of
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.core.fitting.fit_context import Rows
from e2i_assets.core.plots import search_history
from e2i_assets.core.search import tuning
from e2i_assets.core.search.samplers import SAMPLERS, sampler
from e2i_assets.core.search.study import search
from e2i_assets.core.search.study_output import hpo_output
from e2i_assets.core.search_space.space import parse_space, violations

SPACE = "n_estimators: {low: 10, high: 60, step: 10}, max_depth: {low: 2, high: 6}"
GROWERS = (
    "grow_policy: {type: categorical, choices: [depthwise, lossguide]}, "
    "max_depth: {low: 2, high: 6, when: {grow_policy: [depthwise]}, otherwise: 0}, "
    "max_leaves: {type: int, low: 4, high: 64, log: true, when: {grow_policy: [lossguide]}, otherwise: 0}"
)
WITHOUT_TORCH = tuple(name for name in SAMPLERS if name != "gp")


def experiment(hpo, space=SPACE, algorithm="XGBoost"):
    return parse_experiment(
        "name: cells\nowner: team:t\nsource: {csv: rows.csv}\ntarget: y\nproblem_type: binary_classification\n"
        f"algorithm: {algorithm}\nsearch_space: {{{space}}}\nhpo: {{{hpo}}}\n",
        "test",
    )


@pytest.fixture(scope="module")
def rows():
    data = load_breast_cancer(as_frame=True)
    half = pd.Series(np.where(np.arange(len(data.data)) % 2, "a", "b")).astype("category")
    table = data.data.assign(site=half, y=data.target).sample(frac=1.0, random_state=0)
    features = tuple(name for name in table.columns if name != "y")
    facts = SplitFacts(
        **{"experiment": "cells", "problem_type": "binary_classification", "target": "y", "features": features},
        **{"classes": (0, 1), "data_hash": "d", "split_hash": "s", "search_hash": "h", "strategy": "rows"},
        **{"seed": 42, "counts": {"train": 400, "validation": 169, "test": 0, "holdout": 0}, "left_out": 0},
    )
    parts = (table.iloc[:400], table.iloc[400:])
    return SearchRows(facts, *(Rows(part[list(features)], part["y"]) for part in parts))


def searched(asked, rows, storage=None, **changes):
    plan = tuning.plan(asked, "identity", 1)
    return search(tuning.objective(asked, rows), plan, storage or optuna.storages.InMemoryStorage(), **changes)


@pytest.mark.parametrize("name", [name for name in WITHOUT_TORCH if name != "cmaes"])
def test_samplers_support_several_objectives_and_a_constraint(name, rows):
    asked = experiment(
        f"trials: 14, sampler: {name}, objectives: [model_size], tolerance: 0.01, constraints: {{log_loss: 0.5}}"
    )
    result = searched(asked, rows)
    assert result.count("COMPLETE") == 14
    assert result.best in result.pareto_front
    assert result.best.constraint_values["log_loss"] <= 0.5
    sizes = [trial.objective_values["model_size"] for trial in result.pareto_front]
    assert result.best.objective_values["model_size"] <= max(sizes)
    assert result.best.value == result.best.objective_values["roc_auc"]


def test_a_tolerance_gives_a_smaller_model(rows):
    """With one study and two rules, the tolerance decides which trial is trained."""
    strict, generous = (
        searched(experiment(f"trials: 14, objectives: [model_size], tolerance: {tolerance}"), rows).best
        for tolerance in (0.0, 0.1)
    )
    assert generous.objective_values["model_size"] < strict.objective_values["model_size"]
    assert strict.value - 0.1 <= generous.value <= strict.value


def test_every_deterministic_value_of_the_best_is_reproducible(rows):
    asked = experiment(
        "trials: 6, objectives: [model_size, {name: fairness_gap, column: site}, prediction_time], "
        "constraints: {log_loss: 0.9}"
    )
    best = searched(asked, rows).best
    again = tuning.objective(asked, rows)(math.inf).measures_again(best.params)
    stored = {**best.objective_values, **best.constraint_values}
    assert set(stored) - set(again) == {"prediction_time"}
    assert again == pytest.approx({name: stored[name] for name in again}, abs=1e-9)


def test_a_study_without_a_feasible_trial_has_no_best_and_reports_the_nearest(rows):
    """A model that violates a constraint is not trained, and the defaults do not replace a result."""
    asked = experiment("trials: 4, constraints: {model_size: 10, roc_auc: 0.5}")
    result = searched(asked, rows)
    assert (result.best, result.pareto_front, result.status) == (None, [], "failed")
    assert result.stop_reason == "no trial within the constraints"
    output = hpo_output(asked, "identity", result)
    assert (output.hpo_completed, output.hpo_best_trial, output.hpo_trials_run) == (False, None, 4)
    nearest = min(trial.constraint_values["model_size"] for trial in result.trials)
    assert f"model_size at most 10 (the nearest trial has {nearest:g})" in output.hpo_stop_reason
    fixed, defaults = tuning.fixed(asked), tuning.defaults(asked)
    assert violations_of(output.model_dump(), asked.search_space(), fixed, defaults) == []


@pytest.mark.parametrize(
    "hpo",
    [
        "objectives: [model_size], tolerance: 0.02, constraints: {log_loss: 0.4}",
        "objectives: [log_loss, model_size]",
        "objectives: [model_size], constraints: {model_size: 10}",
    ],
)
def test_a_pareto_front_is_drawn_for_any_content(hpo, rows):
    assert search_history.pareto_front(searched(experiment(f"trials: 6, {hpo}"), rows)).startswith(b"\x89PNG")


def test_an_infeasible_trial_does_not_count_as_better(rows):
    """It counts neither as the best so far nor as progress of the study."""
    best_values = []
    asked = experiment("trials: 12, constraints: {model_size: 30000}")
    result = searched(asked, rows, on_trial=lambda trial, best: best_values.append(best))
    completed = [trial for trial in result.trials if trial.state == "COMPLETE"]
    able = [trial.value for trial in completed if trial.is_feasible]
    assert 0 < len(able) < len(completed)
    assert best_values[-1] == result.best.value == max(able)


def test_the_time_limit_applies_with_several_objectives(rows):
    ticks = itertools.count()
    asked = experiment("trials: 3, objectives: [model_size]")
    made = tuning.objective(asked, rows)

    def late(deadline):
        one = made(deadline)
        fields = {name: getattr(one, name) for name in one.__dataclass_fields__}
        return type(one)(**{**fields, "deadline": 0.0, "clock": lambda: math.inf if next(ticks) > 3 else -math.inf})

    result = search(late, tuning.plan(asked, "identity", 1), optuna.storages.InMemoryStorage())
    assert [trial.state for trial in result.trials if trial.error_type == "TrialOutOfTime"][:1] == ["PRUNED"]


def test_a_study_with_several_objectives_is_resumed(rows):
    storage = optuna.storages.InMemoryStorage()
    hpo = "sampler: nsga2, objectives: [model_size]"
    first = searched(experiment(f"trials: 12, {hpo}"), rows, storage)
    more = searched(experiment(f"trials: 16, {hpo}"), rows, storage)
    assert more.trials[:12] == first.trials
    assert len(more.trials) == 16


def test_both_growth_policies_are_searched_and_the_best_refits(rows):
    """Depth-wise trees have a depth and leaf-wise trees a number of leaves; the other parameter is 0, no limit."""
    asked = experiment("trials: 14", GROWERS)
    result = searched(asked, rows)
    space, fixed, defaults = asked.search_space(), tuning.fixed(asked), tuning.defaults(asked)
    completed = [trial for trial in result.trials if trial.state == "COMPLETE"]
    assert {trial.params["grow_policy"] for trial in completed} == {"depthwise", "lossguide"}
    for trial in completed:
        waits = "max_leaves" if trial.params["grow_policy"] == "depthwise" else "max_depth"
        assert waits not in trial.sampled
        assert trial.params[waits] == 0
        assert violations(trial.params, space, frozenset({"n_estimators"}), defaults) == []
    again = value_again(tuning.objective(asked, rows)(math.inf), result.best.params)
    assert again == pytest.approx(result.best.value, abs=1e-9)
    output = hpo_output(asked, "identity", result)
    assert violations_of(output.model_dump(), space, fixed, defaults, frozenset({"n_estimators"})) == []


def test_a_parameter_that_is_never_sampled_has_its_otherwise_value():
    asked = parse_experiment(
        "name: cells\nowner: team:t\nsource: {csv: rows.csv}\ntarget: y\nproblem_type: regression\nalgorithm: XGBoost\n"
        "search_space: {grow_policy: {type: categorical, choices: [lossguide]}, "
        "max_leaves: {type: int, low: 8, high: 64}, "
        "max_depth: {when: {grow_policy: [lossguide]}, otherwise: 0}}\n",
        "test",
    )
    fixed = asked.model_copy(update={"search_space_changes": {**asked.search_space_changes, "grow_policy": None}})
    assert "max_depth" in asked.search_space()
    assert "max_depth" not in fixed.search_space()
    assert (asked.default_parameters()["max_depth"], fixed.default_parameters()["max_depth"]) == (6, 0)


def test_generations_are_small_for_a_small_budget():
    space = parse_space({"x": {"low": 0.0, "high": 1.0}})
    sizes = [sampler("nsga2", 1, space, budget)._population_size for budget in (5, 60, 100, 1000)]
    assert sizes == [10, 12, 20, 50]


def test_gaussian_processes_run_or_name_their_missing_requirement(rows):
    """The error comes before any trial, not as a traceback from inside one."""
    asked = experiment("trials: 12, sampler: gp, objectives: [model_size], constraints: {log_loss: 0.5}")
    if find_spec("torch") is None:
        with pytest.raises(E2iError, match="needs torch, which is not installed: install the extra gp"):
            searched(asked, rows)
    else:
        assert searched(asked, rows).count("COMPLETE") == 12
