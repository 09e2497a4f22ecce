"""The fold settings of an experiment, and the messages for invalid combinations."""

from typing import Any

import pytest
import yaml

from e2i_assets.core.errors import ExperimentInvalid
from e2i_assets.core.experiments.file import experiment_from, parse_experiment

SMALLEST = {
    "name": "visits",
    "owner": "team:forecasting",
    "source": {"csv": "data/visits.csv"},
    "target": "count",
    "problem_type": "regression",
    "algorithm": "Ridge",
}
FOLDED = {"objective": "cross_validation"}


def text(**changes: Any) -> str:
    return yaml.safe_dump({**SMALLEST, **changes}, sort_keys=False)


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        (
            {"hpo": FOLDED, "columns": {"time": "day"}},
            "hpo.objective: 'cross_validation' would train on future rows, because columns.time orders the rows: "
            "choose validation",
        ),
        (
            {"hpo": {"folds": 10}},
            "hpo.folds: 10 is for hpo.objective: cross_validation or final_model: folds: set one of them",
        ),
        (
            {"hpo": {"repeats": 2}},
            "hpo.repeats: 2 is for hpo.objective: cross_validation or final_model: folds: set one of them",
        ),
        (
            {"hpo": {"pruner": "wilcoxon"}},
            "hpo.pruner: 'wilcoxon' compares folds and needs hpo.objective: cross_validation",
        ),
        (
            {"hpo": {**FOLDED, "pruner": "wilcoxon", "folds": 2, "repeats": 2}},
            "hpo.pruner: 'wilcoxon' needs at least 5 folds (hpo.folds times hpo.repeats), and there are 4",
        ),
        ({"hpo": {**FOLDED, "folds": 1}}, "hpo.folds: 1 must be at least 2"),
        ({"hpo": {**FOLDED, "repeats": 0}}, "hpo.repeats: 0 must be at least 1"),
    ],
)
def test_invalid_fold_settings_are_rejected_with_a_fix(changes: dict[str, Any], mistake: str) -> None:
    with pytest.raises(ExperimentInvalid) as caught:
        parse_experiment(text(**changes), "visits.yaml")
    assert [str(violation) for violation in caught.value.violations] == [mistake]


@pytest.mark.parametrize(
    "changes",
    [
        {"hpo": FOLDED, "columns": {"group": "person"}},
        {"hpo": {**FOLDED, "folds": 3, "repeats": 4}},
        {"hpo": {**FOLDED, "pruner": "wilcoxon"}},
        {"hpo": {"folds": 5, "repeats": 1}},
    ],
)
def test_valid_fold_settings_are_accepted_also_from_the_registry(changes: dict[str, Any]) -> None:
    experiment = parse_experiment(text(**changes), "visits.yaml")
    assert experiment_from(experiment.model_dump(mode="json"), "registered") == experiment


def test_fold_settings_are_part_of_the_experiment_hash() -> None:
    hashes = {parse_experiment(text(hpo=hpo), "x").spec_hash for hpo in ({}, FOLDED, {**FOLDED, "repeats": 2})}
    assert len(hashes) == 3
