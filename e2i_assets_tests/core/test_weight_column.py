"""The weight column of an experiment: what is refused, and what reaches the trained model and its report."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.data.dataset import Dataset, dataset_of, schema_of
from e2i_assets.core.data.recent_rows import recent_rows
from e2i_assets.core.data.row_places import RowPlaces, with_places
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.data.splits import Assignment
from e2i_assets.core.data.weight_column import without_weightless
from e2i_assets.core.errors import DataInvalid, ExperimentInvalid
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.fitting.fit_context import Rows, fit_context
from e2i_assets.core.plots.training import validation_importance
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study_output import hpo_output
from e2i_assets.core.training import Training, trained
from e2i_assets_tests.support.small_training import Names, problem, rows_of, searched

N = 80
RANDOM = np.random.default_rng(2)
TABLE = pd.DataFrame({"a": RANDOM.normal(size=N), "w": RANDOM.uniform(0.5, 2, N), "y": RANDOM.normal(size=N)})
BASE = {
    "name": "weighted",
    "owner": "team:a",
    "source": {"csv": "a.csv"},
    "target": "y",
    "problem_type": "regression",
    "algorithm": "Ridge",
}


def experiment(columns: dict[str, Any] | None = None, **changes: Any) -> Experiment:
    return experiment_from({**BASE, "columns": columns or {"weight": "w"}, **changes}, "x")


def dataset(weights: Any) -> Dataset:
    return dataset_of(with_places(TABLE.assign(w=weights), RowPlaces("line", 2)), experiment())


def test_the_weight_is_in_the_table_and_is_no_feature() -> None:
    made = dataset(TABLE["w"])
    assert made.features == ("a",)
    assert (made.weight, made.left_out["w"]) == ("w", "the weight")
    assert made.frame["w"].tolist() == TABLE["w"].tolist()
    schema_of(made).validate(made.frame)
    effective = TABLE["w"].sum() ** 2 / (TABLE["w"] ** 2).sum()
    assert any(f"as much information as {effective:,.0f} equally weighted" in note for note in made.notes)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (np.nan, "columns.weight: 'w' is missing in 2 rows (lines 5, 9): correct them in the source"),
        (-1.0, "columns.weight: 'w' is negative in 2 rows (lines 5, 9): correct them in the source"),
        (np.inf, "columns.weight: 'w' is infinite in 2 rows (lines 5, 9): correct them in the source"),
    ],
)
def test_a_weight_that_is_none_is_refused_with_its_rows(cell: float, expected: str) -> None:
    with pytest.raises(DataInvalid) as caught:
        dataset(TABLE["w"].where(~TABLE.index.isin([3, 7]), cell))
    (found,) = map(str, caught.value.violations)
    assert found.startswith(expected)


def test_the_weight_of_a_row_without_a_target_does_not_matter() -> None:
    table = TABLE.assign(y=TABLE["y"].where(TABLE.index > 0), w=TABLE["w"].where(TABLE.index > 0))
    assert dataset_of(table, experiment()).frame["w"].tolist() == TABLE["w"].tolist()[1:]


@pytest.mark.parametrize(("weights", "expected"), [(0.0, "is 0 in all rows"), ("heavy", "but weights are numbers")])
def test_a_column_without_weights_is_refused(weights: Any, expected: str) -> None:
    with pytest.raises(DataInvalid, match=expected):
        dataset(weights)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"weight": "y"}, "columns.weight: 'y' is the target"),
        ({"weight": "w", "drop": ["w"]}, "is the weight column, which is never a feature"),
        ({"weight": "w", "group": "w"}, "columns.weight: 'w' is also columns.group"),
        ({"weight": "w", "id": ["w"]}, "columns.weight: 'w' is also columns.id"),
        ({"weight": "w", "categorical": ["w"]}, "columns.categorical: 'w' is not a feature"),
    ],
)
def test_a_weight_with_another_meaning_is_refused(columns: dict[str, Any], expected: str) -> None:
    with pytest.raises(ExperimentInvalid) as caught:
        experiment(columns)
    assert any(expected in str(one) for one in caught.value.violations)


def test_a_split_without_any_weight_is_refused() -> None:
    roles = pd.Series(["train"] * 40 + ["test"] * 40)
    weights = pd.Series([1.0] * 40 + [0.0] * 40, name="w")
    left, (found,) = without_weightless(Assignment("random", pd.Series(range(80)), roles), weights)
    assert str(found).startswith("columns.weight: 'w' is 0 in all 40 rows of test")
    assert set(left) == {"train", "left_out"}


def test_newer_rows_need_the_weight_and_ignore_cells_that_are_none() -> None:
    blank = pd.DataFrame({"a": pd.Series(dtype="float64")})
    newer = TABLE.head(4).assign(w=[1.0, -2.0, None, 3.0])
    found = recent_rows(newer, blank, (), experiment())
    assert found.weights is not None
    assert found.weights.tolist() == [1.0, 0.0, 0.0, 3.0]
    with pytest.raises(DataInvalid, match="these rows lack it"):
        recent_rows(newer.drop(columns="w"), blank, (), experiment())


def weighted(rows: TrainingRows, factor: Any) -> TrainingRows:
    """Give all rows a weight, which `factor` makes from their number."""

    def given(part: Rows) -> Rows:
        return replace(part, weights=factor(len(part.target)))

    train, validation, test = (given(part) for part in (rows.train, rows.validation, rows.test))  # type: ignore[arg-type]
    facts = rows.facts.model_copy(update={"weight": "w"})
    return replace(rows, facts=facts, train=train, validation=validation, test=test)


def training(rows: TrainingRows, of: Experiment) -> Training:
    return trained(of, rows, hpo_output(of, "a" * 64, searched(of, rows)))


@pytest.mark.parametrize(
    ("problem_type", "algorithm"),
    [("binary_classification", "LightGBM"), ("regression", "XGBoost"), ("regression", "Ridge")],
)
def test_equal_weights_give_the_same_training(problem_type: str, algorithm: str) -> None:
    of, rows = problem(Names(), problem_type, algorithm, ""), rows_of(Names(), problem_type)
    plain, same = training(rows, of), training(weighted(rows, lambda n: np.full(n, 2.5)), of)
    assert plain.parameters == same.parameters
    for split, one in plain.report.splits.items():
        assert same.report.splits[split].metrics == pytest.approx(one.metrics, rel=1e-9, abs=1e-12)
    assert same.report.threshold == plain.report.threshold
    assert same.baseline_metrics == pytest.approx(plain.baseline_metrics, rel=1e-9, abs=1e-12)
    assert same.default_metrics == pytest.approx(plain.default_metrics, rel=1e-9, abs=1e-12)
    assert (same.slope or 0.0) == pytest.approx(plain.slope or 0.0, rel=1e-6)
    assert [one.n_rows for one in same.segments] == [one.n_rows for one in plain.segments]


def test_unequal_weights_reach_the_report_the_baseline_and_the_importance() -> None:
    of, rows = problem(Names(), "regression", "Ridge", ""), rows_of(Names(), "regression")
    heavy = weighted(rows, lambda n: np.where(np.arange(n) % 3, 1.0, 25.0))
    plain, found = training(rows, of), training(heavy, of)
    test, weights = found.report.splits["test"], heavy.test.weights
    assert weights is not None
    truth, prediction = found.on_test
    assert test.metrics["mae"] == pytest.approx(np.average(np.abs(truth - prediction.labels), weights=weights))
    assert test.effective_rows == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    mean = np.average(heavy.train.target, weights=heavy.train.weights)
    assert found.baseline_metrics["mae"] == pytest.approx(np.average(np.abs(truth - mean), weights=weights))
    assert found.report.intervals["mae"] != plain.report.intervals["mae"]
    ((model, unseen),) = found.unseen
    assert unseen is heavy.validation
    without = replace(found, unseen=((model, rows.validation),))
    importance = [validation_importance(of, heavy, one)[0].loss for one in (found, without)]
    assert importance[0] != importance[1]


def test_weights_start_another_study() -> None:
    of, rows = problem(Names(), "regression", "Ridge", ""), rows_of(Names(), "regression")
    assert tuning.spec_hash(of, rows.facts) != tuning.spec_hash(of, weighted(rows, np.ones).facts)


def test_a_rate_weighted_by_its_time_is_the_expected_rate() -> None:
    """The recipe for an exposure: the same rate in rows of very different times."""
    random = np.random.default_rng(0)
    n, years = 4000, random.choice([0.1, 1.0, 10.0], 4000)
    group = random.integers(0, 2, n)
    events = random.poisson(np.where(group == 1, 0.6, 0.2) * years)
    rate = events / years

    for name in ("LightGBM", "XGBoost", "Ridge"):
        algorithm = registry.algorithm(name)
        rows = Rows(pd.DataFrame({"group": group}), pd.Series(rate), None, years)
        made = fit_context(algorithm, Task("regression"), rows, rows, ())
        predicted = made.on_validation(made.fit({**algorithm.default_values, **algorithm.fixed_values})).labels
        of_groups = [predicted[group == 0][0], predicted[group == 1][0]]
        # 4,000 rows with 14,800 years: the standard errors are 0.005 and 0.009.
        assert of_groups == pytest.approx([0.2, 0.6], abs=0.03), name
