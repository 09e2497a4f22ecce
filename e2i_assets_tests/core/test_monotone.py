"""Columns in which the prediction is monotone, from the experiment file to the served model."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from e2i_assets.core.algorithms import registry
from e2i_assets.core.data.dataset import dataset_of
from e2i_assets.core.data.split_tables import SplitFacts, TrainingRows
from e2i_assets.core.errors import DataInvalid, ExperimentInvalid
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.final_fit import fitted
from e2i_assets.core.fitting.fit_context import Rows
from e2i_assets.core.fold_fit import fitted_on_folds
from e2i_assets.core.search import tuning
from e2i_assets.core.search.final_model_choice import used_final_model
from e2i_assets.core.search.study_output import hpo_output

BINARY, REGRESSION = "binary_classification", "regression"
PAIRS = [(name, problem) for problem in (BINARY, REGRESSION) for name in registry.able(problem, monotone=True)]
GIVEN: dict[str, Any] = {
    "name": "small",
    "owner": "team:tests",
    "source": {"csv": "rows.csv"},
    "target": "target",
    "hpo": {"enabled": False},
}


def experiment(algorithm: Any, problem_type: str, **columns: Any) -> Experiment:
    return experiment_from({**GIVEN, "problem_type": problem_type, "algorithm": algorithm, "columns": columns}, "small")


def table(n: int, problem_type: str) -> pd.DataFrame:
    """Rows whose target rises and falls with `dose`; a town and a count of huge numbers are beside it."""
    draws = np.random.default_rng(5)
    dose = draws.uniform(0, 10, n)
    town = draws.choice(["north", "south", "west"], n)
    huge = draws.integers(0, 50, n) + 1e15
    value = np.sin(dose) + 0.1 * dose + (town == "north") + 0.02 * (huge - 1e15) + 0.3 * draws.normal(size=n)
    target = value if problem_type == REGRESSION else np.where(value > 1.2, "yes", "no")
    return pd.DataFrame({"town": town, "huge": huge, "dose": dose, "target": target})


def rows(problem_type: str) -> TrainingRows:
    frame = table(600, problem_type)
    features, target = frame.drop(columns="target"), frame["target"]
    facts = SplitFacts(
        experiment="small", problem_type=problem_type, target="target", features=tuple(features.columns),
        classes=("no", "yes") if problem_type == BINARY else (), data_hash="d", split_hash="e", search_hash="f",
        strategy="random", seed=42, counts={}, left_out=0,
    )  # fmt: skip
    parts = [Rows(features[at], target[at]) for at in (slice(0, 360), slice(360, 480), slice(480, 600))]
    return TrainingRows(facts, *parts)


def steps(model: Any, column: str) -> Any:
    """The changes of the prediction from each value of a column to the next, for some rows."""
    frame = table(40, BINARY).drop(columns="target")
    grid = np.linspace(0, 10, 60) if column == "dose" else 1e15 + np.arange(50.0)
    at = pd.concat([frame.assign(**{column: value}) for value in grid], ignore_index=True)
    found = model.predict(at) if model.classes_ is None else model.predict_proba(at)[:, 1]
    return np.diff(found.reshape(len(grid), len(frame)), axis=0)


def served(of: Experiment) -> Any:
    given = rows(of.problem_type)
    fit = fitted_on_folds if used_final_model(of, given.facts) == "folds" else fitted
    fits = fit(of, given, hpo_output(of, "a" * 64, None))
    return fits.model


@pytest.mark.parametrize("final_model", ["refit", "folds"])
@pytest.mark.parametrize(("algorithm", "problem_type"), PAIRS)
def test_the_served_model_is_monotone_in_the_named_columns_alone(
    algorithm: str, problem_type: str, final_model: str
) -> None:
    of = experiment(algorithm, problem_type, monotone={"dose": "increasing", "huge": "decreasing"})
    model = served(of.model_copy(update={"final_model": final_model}))
    assert steps(model, "dose").min() >= -1e-6
    assert steps(model, "dose").max() > 0.01
    assert steps(model, "huge").max() <= 1e-6
    if final_model == "refit":
        free = served(experiment(algorithm, problem_type))
        assert steps(free, "dose").min() < -0.01
        assert steps(free, "huge").max() > 0.001


def test_the_columns_belong_to_the_study_and_change_no_other_key() -> None:
    facts = rows(BINARY).facts
    plain, rising, falling = (
        experiment("XGBoost", BINARY, **columns)
        for columns in ({}, {"monotone": {"dose": "increasing"}}, {"monotone": {"dose": "decreasing"}})
    )
    assert len({tuning.spec_hash(one, facts) for one in (plain, rising, falling)}) == 3
    assert "monotone" not in plain.model_dump_json()
    assert experiment("XGBoost", BINARY, monotone={}).spec_hash == plain.spec_hash != rising.spec_hash


def test_auto_compares_the_algorithms_that_can() -> None:
    given = {**GIVEN, "hpo": {}, "problem_type": BINARY, "algorithm": "auto"}
    of = experiment_from({**given, "columns": {"monotone": {"dose": "increasing"}}}, "small")
    assert of.contenders == ("LightGBM", "XGBoost")
    assert registry.able(BINARY, monotone=True) == ("LightGBM", "XGBoost", "HistGradientBoosting")


@pytest.mark.parametrize(
    ("algorithm", "problem_type", "columns", "words"),
    [
        (
            "Ridge",
            REGRESSION,
            {"monotone": {"dose": "increasing"}},
            "is for LightGBM, XGBoost, HistGradientBoosting, not for Ridge",
        ),
        ("XGBoost", "multiclass_classification", {"monotone": {"dose": "increasing"}}, "needs a regression or two"),
        ("XGBoost", BINARY, {"monotone": {"target": "increasing"}}, "is the target"),
        ("XGBoost", BINARY, {"monotone": {"day": "increasing"}, "dates": ["day"]}, "is also columns.dates"),
        ("XGBoost", BINARY, {"monotone": {"zip": "decreasing"}, "categorical": ["zip"]}, "is also columns.categorical"),
        ("XGBoost", BINARY, {"monotone": {"dose": "up"}}, "increasing"),
    ],
)
def test_a_direction_without_an_effect_is_refused(
    algorithm: str, problem_type: str, columns: dict[str, Any], words: str
) -> None:
    with pytest.raises(ExperimentInvalid, match=words):
        experiment(algorithm, problem_type, **columns)


@pytest.mark.parametrize(
    ("column", "words"), [("doses", "is not a feature; did you mean 'dose'"), ("town", "not a column of numbers")]
)
def test_a_column_that_is_no_feature_of_numbers_is_refused_with_the_rows(column: str, words: str) -> None:
    of = experiment("XGBoost", BINARY, monotone={column: "increasing"})
    frame = table(100, BINARY)
    with pytest.raises(DataInvalid, match=words):
        dataset_of(frame, of)
