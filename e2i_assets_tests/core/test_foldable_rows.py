"""By default, a final model is the mean of fold models only where the rows allow it, so that no step fails later."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from final_models import experiment, rows

from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import Rows
from e2i_assets.core.search import final_model_choice
from e2i_assets.core.search.final_model_choice import MOST_ROWS
from e2i_assets.core.search.objective_choice import MOST_CELLS

BINARY = "binary_classification"


def searched(problem_type: str = "regression", **facts: Any) -> SearchRows:
    """The rows of 300 persons, whose facts say that they are few."""
    given = rows(problem_type).searched
    few = {"counts": {"train": len(given.train.target), "validation": len(given.validation.target)}}
    return replace(given, facts=given.facts.model_copy(update={**few, **facts}))


def is_foldable(experiment: Experiment, rows: SearchRows) -> bool:
    return final_model_choice.is_foldable(experiment, rows.facts, lambda: rows)


def test_few_rows_can_be_divided_into_folds() -> None:
    assert is_foldable(experiment("XGBoost", "regression"), searched())
    assert is_foldable(experiment("XGBoost", BINARY), searched(BINARY))


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"counts": {"train": MOST_ROWS - 1, "validation": 1}}, True),
        ({"counts": {"train": MOST_ROWS, "validation": 1}}, False),
        ({"counts": {"train": MOST_CELLS // 3 + 1}, "features": ("a", "b", "c")}, False),
    ],
)
def test_rows_above_the_bounds_are_not_divided(facts: dict[str, Any], found: bool) -> None:
    assert is_foldable(experiment("XGBoost", "regression"), searched(**facts)) is found


def test_rows_in_the_order_of_time_are_not_divided() -> None:
    assert not is_foldable(experiment("XGBoost", "regression", columns={"time": "seen"}), searched())


def test_a_class_with_fewer_rows_than_folds_is_not_divided() -> None:
    given = searched(BINARY)
    few = given.train.target.copy()
    labels = given.facts.classes
    few[:] = labels[0]
    few.iloc[:4] = labels[1]
    rest = given.validation.target.copy()
    rest[:] = labels[0]
    given = replace(
        given, train=Rows(given.train.features, few), validation=Rows(given.validation.features, rest), groups=None
    )
    assert not is_foldable(experiment("XGBoost", BINARY), given)


@pytest.mark.parametrize(("persons", "found"), [(4, False), (30, True)])
def test_rows_of_few_persons_are_not_divided(persons: int, found: bool) -> None:
    given = searched()
    count = len(given.train.target) + len(given.validation.target)
    given = replace(given, groups=pd.DataFrame({"person": np.arange(count) % persons}))
    assert is_foldable(experiment("XGBoost", "regression"), given) is found
