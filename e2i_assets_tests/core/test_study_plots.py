"""Plots of a study and of feature importances: every possible plot is drawn, small, in the unit of the metric."""

import struct
import sys

import numpy as np
import optuna
import pandas as pd
import pytest
from matplotlib import rcParams
from small_training import Names, report_facts, rows_of, searched

from e2i_assets.core.metrics import metric
from e2i_assets.core.permutation import MOST_FEATURES, permutation_importances
from e2i_assets.core.plots import search_history
from e2i_assets.core.plots.figures import new_figure, png
from e2i_assets.core.plots.study import _natural_study, study_pictures
from e2i_assets.core.search.samplers import STARTUP_TRIALS, startup_trials

OF_A_STUDY = {"intermediate_values.png", "slice_1.png", "slice_2.png", "parallel_coordinates.png"}
# A value of asset metadata stays below 100 kB, including the base64 overhead of a third.
LARGEST = 75_000


def test_a_study_of_a_booster_has_every_plot_and_each_is_small() -> None:
    report = report_facts()
    assert set(report.record.pictures) >= OF_A_STUDY
    sizes = {name: len(content) for name, content in report.record.pictures.items()}
    assert max(sizes.values()) < LARGEST, sizes
    for content in report.record.pictures.values():
        assert content.startswith(b"\x89PNG\r\n")
        width, height = struct.unpack(">II", content[16:24])
        assert 300 < width < 1200
        assert 150 < height < 700


def test_values_have_the_unit_and_direction_of_the_metric() -> None:
    report = report_facts(problem_type="regression")
    assert report.record.study is not None
    study = _natural_study(report.record.study, report.record.experiment.search_space())
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    completed = [trial for trial in report.record.study.trials if trial.value is not None]
    drawn = {trial.user_attrs.get("number", trial.number): trial.value for trial in study.trials if trial.value}
    assert sorted(drawn.values()) == sorted(-(trial.value or 0) for trial in completed)
    assert min(drawn.values()) > 0


def test_a_study_with_several_objectives_is_plotted_by_its_first() -> None:
    report = report_facts(hpo=", objectives: [model_size]")
    assert {"pareto_front.png", "parallel_coordinates.png", "optimisation_history.png"} <= set(report.record.pictures)


def test_a_study_with_too_few_trials_is_not_plotted() -> None:
    experiment = report_facts().record.experiment
    hpo = experiment.hpo.model_copy(update={"trials": 2})
    short = searched(experiment.model_copy(update={"hpo": hpo}), rows_of(Names(), "binary_classification"))
    assert set(study_pictures(short, experiment.search_space(), {}, "roc_auc")) <= {"intermediate_values.png"}
    none = short.model_copy(update={"trials": ()})
    assert study_pictures(none, experiment.search_space(), {}, "roc_auc") == {}


def test_plotting_leaves_no_open_figure_and_no_style() -> None:
    report = report_facts()
    before = dict(rcParams)
    assert report.record.study is not None
    first, again = (
        study_pictures(report.record.study, report.record.experiment.search_space(), {}, "roc_auc") for _ in range(2)
    )
    assert first == again
    assert dict(rcParams) == before
    assert sys.modules["matplotlib.pyplot"].get_fignums() == []


def test_trials_are_distinguished_by_their_source() -> None:
    report = report_facts()
    assert report.record.study is not None
    warm = [one.model_copy(update={"origin": "warm_start"}) for one in report.record.study.trials[:3]]
    warmed = report.record.study.model_copy(update={"trials": (*warm, *report.record.study.trials[3:])})
    drawn = {
        search_history.optimisation_history(study, "roc_auc", startup)
        for study in (report.record.study, warmed)
        for startup in (0, 10)
    }
    assert len(drawn) == 4


@pytest.mark.parametrize(("sampler", "expected"), [("tpe", STARTUP_TRIALS), ("random", 0), ("grid", 0), ("nsga2", 20)])
def test_a_sampler_reports_its_number_of_startup_trials(sampler: str, expected: int) -> None:
    assert startup_trials(sampler, 100) == expected


@pytest.mark.parametrize("name", [r"$\x$", "$$", "a_{b", "\\frac", "100 %", "日本語"])
def test_a_name_is_not_rendered_as_a_formula(name: str) -> None:
    figure = new_figure()
    axes = figure.subplots()
    axes.barh([name], [1.0], label=name)
    axes.set(xlabel=name, title=name)
    axes.legend(title=name)
    assert png(figure).startswith(b"\x89PNG")


def test_powers_of_ten_are_rendered_as_formulas() -> None:
    figure = new_figure()
    axes = figure.subplots()
    axes.plot([1e-3, 1e-1], [1, 2])
    axes.set_xscale("log")
    png(figure)
    assert all(label.get_parse_math() for label in axes.get_xticklabels())
    assert not axes.xaxis.label.get_parse_math()


def test_the_informative_column_has_the_largest_importance() -> None:
    report = report_facts()
    assert report.record.validation_importance[0].feature == "age"
    assert report.record.validation_importance[0].loss > 0.1
    assert {one.feature for one in report.record.validation_importance} == {"age", "noise", "region"}


def test_the_importance_for_a_regression_is_the_increase_of_its_error() -> None:
    report = report_facts(problem_type="regression")
    assert report.record.validation_importance[0].feature == "age"
    assert report.record.validation_importance[0].loss > 0.1


def test_too_many_columns_are_not_permuted() -> None:
    wide = pd.DataFrame(np.zeros((5, MOST_FEATURES + 1)))
    model = report_facts().record.training.model
    assert permutation_importances(model, wide, np.zeros(5), metric("roc_auc", "binary_classification"), 0) == []


def test_the_importances_are_reproducible() -> None:
    report = report_facts()
    rows = rows_of(Names(), "binary_classification").validation
    truth = (rows.target == "yes").to_numpy().astype(int)
    again = permutation_importances(
        report.record.training.unseen[0][0],
        rows.features,
        truth,
        metric("roc_auc", "binary_classification"),
        report.record.experiment.hpo.seed,
    )
    assert again == report.record.validation_importance
