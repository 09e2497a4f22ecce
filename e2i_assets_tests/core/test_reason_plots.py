"""Plots of reasons: for every algorithm that gives reasons, small enough for metadata."""

import numpy as np
import pytest
from fitted_models import PAIRS, averaged, fitted, table

from e2i_assets.core.plots.captions import CAPTIONS
from e2i_assets.core.plots.figures import new_figure
from e2i_assets.core.plots.reasons import BEESWARM, DEPENDENCE, _draw_categories, _spread, reason_pictures

EXPLAINED = ("XGBoost", "LightGBM", "LogisticRegression", "Ridge", "Lasso")


@pytest.mark.parametrize(("name", "problem"), [one for one in PAIRS if one[0] in (*EXPLAINED, "RandomForest")])
def test_models_with_reasons_have_both_plots(name: str, problem: str) -> None:
    rows = table(3000)
    rows["region"] = rows["region"].map({"north": "a long name of a region $x$", "south": "south", "west": "west"})
    rows = rows.astype({"region": "category"})  # as in the stored rows
    positive = "True" if problem == "binary_classification" else None
    drawn = reason_pictures(fitted(name, problem), rows, positive)
    assert set(drawn) == ({BEESWARM, DEPENDENCE} if name in EXPLAINED else set())
    assert set(drawn) <= set(CAPTIONS)
    # They are stored in asset metadata, where a value should stay below 100 kB; base64 adds a third.
    assert all(png.startswith(b"\x89PNG\r\n") and len(png) < 60_000 for png in drawn.values())


def test_a_mean_of_models_and_few_rows_have_plots() -> None:
    assert set(reason_pictures(averaged("LightGBM", "binary_classification"), table(40), "yes")) == {
        BEESWARM,
        DEPENDENCE,
    }


def test_categories_that_matter_are_drawn_with_the_missing_ones() -> None:
    rows = table(200).astype({"region": "category"})
    assert rows["region"].isna().any()
    figure = new_figure()
    axes = figure.subplots()
    _draw_categories(axes, rows["region"], np.arange(200.0))
    assert {label.get_text() for label in axes.get_xticklabels()} == {"north", "south", "west", "missing"}


def test_points_of_the_same_effect_stand_apart_and_on_their_line() -> None:
    offsets = _spread(np.zeros(101))
    assert len(set(offsets)) == 101
    assert np.abs(offsets).max() < 0.5
