"""The rules of search settings: every unsupported combination is rejected with a reason before anything runs."""

from typing import get_args

import pytest

from e2i_assets.core.errors import ExperimentInvalid
from e2i_assets.core.experiments.file import experiment_from, parse_experiment
from e2i_assets.core.experiments.search_sections import Pruner, Sampler
from e2i_assets.core.search.samplers import PRUNERS, SAMPLERS


def read(hpo, target="y"):
    return parse_experiment(
        f"name: e\nowner: team:t\nsource: {{csv: rows.csv}}\ntarget: {target}\nproblem_type: binary_classification\n"
        f"columns: {{id: [visit], drop: [cost], group: person}}\nalgorithm: XGBoost\nhpo: {hpo}\n",
        "test",
    )


def broken(hpo, target="y"):
    with pytest.raises(ExperimentInvalid) as error:
        read(hpo, target)
    return [(one.where, one.rule) for one in error.value.violations]


@pytest.mark.parametrize(
    ("hpo", "where", "rule"),
    [
        ("{objectives: [modelsize]}", "hpo.objectives.0", "did you mean 'model_size'?"),
        ("{objectives: [rmse]}", "hpo.objectives.0", "is not one of roc_auc, "),
        ("{objectives: [roc_auc]}", "hpo.objectives.0", "is the metric, which is always the first objective"),
        ("{objectives: [model_size, f1, model_size]}", "hpo.objectives.2", "is listed twice"),
        ("{objectives: [fairness_gap]}", "hpo.objectives.0", "needs a column"),
        ("{objectives: [{name: f1, column: sex}]}", "hpo.objectives.0.column", "is for fairness_gap only, not for f1"),
        ("{objectives: [{name: fairness_gap, column: y}]}", "hpo.objectives.0.column", "is the target"),
        ("{objectives: [{name: fairness_gap, column: cost}]}", "hpo.objectives.0.column", "is dropped"),
        ("{objectives: [{name: fairness_gap, column: visit}]}", "hpo.objectives.0.column", "is an id"),
        ("{objectives: [{name: fairness_gap, column: person}]}", "hpo.objectives.0.column", "is the group"),
        ("{objectives: [{name: f1, colum: a}]}", "hpo.objectives.0.colum", "did you mean 'column'?"),
        ("{tolerance: 0.1}", "hpo.tolerance", "has no effect without hpo.objectives"),
        ("{tolerance: -0.1, objectives: [f1]}", "hpo.tolerance", "must be at least 0"),
        ("{constraints: {size: 5}}", "hpo.constraints.size", "did you mean 'model_size'?"),
        ("{constraints: {fairness_gap: 0.1}}", "hpo.constraints.fairness_gap", "needs a column"),
        ("{constraints: {model_size: a lot}}", "hpo.constraints.model_size.limit", "must be a number"),
        ("{constraints: {model_size: true}}", "hpo.constraints.model_size.limit", "must be a number"),
        (
            "{constraints: {model_size: {limit: 5, column: a}}}",
            "hpo.constraints.model_size.column",
            "is for fairness_gap",
        ),
        ("{constraints: {fairness_gap: {limit: 5, colum: a}}}", "hpo.constraints.fairness_gap.colum", "mean 'column'?"),
        ("{enabled: false, constraints: {model_size: 5}}", "hpo.constraints", "need a search: set hpo.enabled: true"),
        ("{sampler: cmaes, objectives: [f1]}", "hpo.sampler", "optimises one objective only: choose one of tpe"),
        ("{pruner: median, objectives: [f1]}", "hpo.pruner", "cannot be used with hpo.objectives"),
    ],
)
def test_an_unsupported_search_is_rejected(hpo, where, rule):
    found = broken(hpo)
    assert [place for place, _ in found] == [where]
    assert rule in found[0][1]


def test_the_source_column_of_a_binned_target_cannot_define_groups():
    cut = "{name: long, column: days, bins: [7], labels: [short, long]}"
    found = broken("{objectives: [{name: fairness_gap, column: days}]}", target=cut)
    assert [where for where, _ in found] == ["hpo.objectives.0.column"]
    assert "is the column that the target is cut from" in found[0][1]


@pytest.mark.parametrize(
    "hpo",
    [
        "{objectives: [model_size, prediction_time, f1], tolerance: 0.01}",
        "{objectives: [{name: fairness_gap, column: sex}, {name: fairness_gap, column: age_band}]}",
        "{constraints: {model_size: 500000, roc_auc: 0.7, fairness_gap: {limit: 0.05, column: sex}}}",
        "{sampler: nsga2, pruner: none, objectives: [model_size]}",
        "{sampler: cmaes, constraints: {model_size: 5}}",
    ],
)
def test_a_supported_search_is_read_and_survives_being_stored(hpo):
    experiment = read(hpo)
    again = experiment_from(experiment.model_dump(mode="json"), "stored")
    assert again == experiment
    assert again.spec_hash == experiment.spec_hash


def test_the_default_pruner_suits_the_search():
    """Optuna compares intermediate values by one number only."""
    assert read("{}").hpo.used_pruner == "median"
    assert read("{objectives: [model_size]}").hpo.used_pruner == "none"
    assert read("{pruner: hyperband}").hpo.used_pruner == "hyperband"


def test_every_allowed_name_works():
    assert set(get_args(Sampler)) == set(SAMPLERS)
    assert set(get_args(Pruner)) == set(PRUNERS)
