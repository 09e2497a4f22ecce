"""A search in which every trial fails: the contract has the cause and the defaults, for every algorithm."""

from dataclasses import replace
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest

from e2i_assets.core.algorithms import registry
from e2i_assets.core.contracts.violations import violations_of
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts
from e2i_assets.core.errors import MissingHpoData, UnsupportedAlgorithm
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.core.fitting.fit_context import Rows
from e2i_assets.core.metrics import Metric
from e2i_assets.core.search import tuning
from e2i_assets.core.search.goals import metric_goal
from e2i_assets.core.search.objective import Objective
from e2i_assets.core.search.study import search
from e2i_assets.core.search.study_output import hpo_output
from e2i_assets.core.search.study_result import StudyResult

PAIRS = [(name, kind) for name in registry.installed() for kind in registry.algorithm(name).problem_types]
CLASSES = {"binary_classification": (0, 1), "multiclass_classification": (0, 1, 2), "regression": ()}


def experiment(algorithm: str, problem_type: str, trials: int, more: str = "") -> Experiment:
    return parse_experiment(
        f"name: failing\nowner: team:t\nsource: {{csv: rows.csv}}\ntarget: y\nproblem_type: {problem_type}\n"
        f"algorithm: {algorithm}\nhpo: {{trials: {trials}, workers: 1{more}}}\n",
        "test",
    )


def rows(problem_type: Any, train: int = 40, validation: int = 20) -> SearchRows:
    random = np.random.default_rng(0)
    table = pd.DataFrame({"a": random.normal(size=train + validation), "b": random.normal(size=train + validation)})
    classes = CLASSES[problem_type]
    table["y"] = np.arange(len(table)) % len(classes) if classes else table["a"] * 2
    facts = SplitFacts(
        experiment="failing", problem_type=problem_type, target="y", features=("a", "b"), classes=classes,
        data_hash="d", split_hash="s", search_hash="h", strategy="rows", seed=42,
        counts={"train": train, "validation": validation, "test": 0, "holdout": 0}, left_out=0,
    )  # fmt: skip
    parts = (table.iloc[:train], table.iloc[train:])
    return SearchRows(facts, *(Rows(part[["a", "b"]], part["y"]) for part in parts))


def searched(asked: Experiment, error: Exception, good: int = 0) -> StudyResult:
    """Search with a metric that raises from call ``good`` on; the first call evaluates the defaults."""
    calls = iter(range(10**6))

    def broken(truth: Any, prediction: Any) -> float:
        if next(calls) >= good:
            raise error
        return 0.5

    kind = "labels"
    goal = metric_goal(Metric("broken", True, kind, broken))
    made = tuning.objective(asked, rows(asked.problem_type))

    def until(deadline: float) -> Objective:
        return replace(made(deadline), goals=(goal,))

    return search(until, tuning.plan(asked, "a" * 64, 1), optuna.storages.InMemoryStorage())


@pytest.mark.parametrize("trials", [5, 10, 14])
@pytest.mark.parametrize(("algorithm", "problem_type"), PAIRS)
def test_the_defaults_are_trained_and_the_cause_is_in_the_contract(
    algorithm: str, problem_type: str, trials: int
) -> None:
    asked = experiment(algorithm, problem_type, trials)
    result = searched(asked, ValueError("the labels went missing"))
    output = hpo_output(asked, "a" * 64, result)
    ended = min(trials, asked.hpo.max_failures or trials)
    assert (result.status, output.hpo_completed, output.error_type) == ("failed", False, "hpo_error")
    assert (output.hpo_trials_failed, output.hpo_trials_begun) == (ended, ended)
    assert output.error is not None
    assert f"{ended} of {ended} trials failed, the last with ValueError: the labels went missing" in output.error
    assert output.best_hyperparameters == {**tuning.defaults(asked), **tuning.fixed(asked)}
    space, fixed, defaults = asked.search_space(), tuning.fixed(asked), tuning.defaults(asked)
    assert violations_of(output.model_dump(), space, fixed, defaults) == []


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (UnsupportedAlgorithm("its library cannot be loaded"), "unsupported_algorithm"),
        (MissingHpoData("there are no validation rows"), "missing_hpo_data"),
        (RuntimeError("no"), "hpo_error"),
    ],
)
def test_the_contract_names_the_cause(error: Exception, word: str) -> None:
    asked = experiment("Ridge", "regression", 3)
    output = hpo_output(asked, "a" * 64, searched(asked, error))
    assert output.error_type == word
    assert str(error) in str(output.error)


def test_a_study_aborted_after_completed_trials_trains_the_best_and_reports_why() -> None:
    asked = experiment("Ridge", "regression", 30)
    result = searched(asked, ValueError("no"), good=4)
    output = hpo_output(asked, "a" * 64, result)
    assert (result.status, output.hpo_completed, output.error) == ("partial", True, None)
    assert "too many failures in a row: 10 of 13 trials failed" in str(output.hpo_stop_reason)


def test_a_study_without_time_for_a_trial_reports_a_timeout() -> None:
    asked = experiment("Ridge", "regression", 3, ", timeout_hours: 1.0e-9")
    result = search(
        tuning.objective(asked, rows("regression")), tuning.plan(asked, "a"), optuna.storages.InMemoryStorage()
    )
    output = hpo_output(asked, "a" * 64, result)
    assert (result.status, output.hpo_completed, output.hpo_stop_reason) == ("partial", False, "time is up")
    assert (output.error, output.error_type) == (None, None)


@pytest.mark.parametrize(("train", "validation", "which"), [(0, 20, "train"), (40, 0, "validation")])
def test_an_empty_split_is_named(train: int, validation: int, which: str) -> None:
    asked = experiment("Ridge", "regression", 3)
    with pytest.raises(MissingHpoData, match=f"there are no {which} rows"):
        tuning.scheme(asked, rows("regression", train, validation))


def test_an_unsupported_problem_type_is_reported_as_unsupported() -> None:
    with pytest.raises(UnsupportedAlgorithm, match="Ridge does not support binary_classification"):
        registry.algorithm("Ridge").estimator({}, "binary_classification")
