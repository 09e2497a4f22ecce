"""Plots of the reasons of a model: the effects of its columns on many rows, and how they depend on the values."""

from typing import Any

import numpy as np
import pandas as pd

from e2i_assets.core.figures import shortened
from e2i_assets.core.fitting.averaged_model import Model
from e2i_assets.core.fitting.date_parts import is_date
from e2i_assets.core.fitting.fitted_model import Array
from e2i_assets.core.fitting.reasons import NotExplained, contributions
from e2i_assets.core.plots.figures import new_figure, png

BEESWARM, DEPENDENCE = "shap_beeswarm.png", "shap_dependence.png"
_MOST_ROWS = 1000
_MOST_COLUMNS = 12
_DEPENDENCES = 3
_MOST_CATEGORIES = 6
_BINS = 60
_LONGEST_NAME = 28
_LONGEST_CATEGORY = 12
_DOTS: dict[str, Any] = {"s": 6, "color": "#2f6db5", "alpha": 0.5, "linewidths": 0}


def reason_pictures(model: Model, features: pd.DataFrame, positive: str | None) -> dict[str, bytes]:
    """Return the beeswarm and the dependence plots of the effects on the prediction; none without reasons.

    With more than two classes, the effects are on the log-odds of the predicted class of each row.

    Args:
        model: The model.
        features: Shape (n, columns): the rows; at most a thousand of them are drawn, evenly spaced.
        positive: The name of the positive class of two; None otherwise.

    Returns:
        PNGs by file name.
    """
    some = features.iloc[:: max(1, -(-len(features) // _MOST_ROWS))]
    try:
        found = contributions(model, some)
    except NotExplained:
        return {}
    effects = found.values[:, :, 0]
    if found.values.shape[2] > 1:
        effects = found.values[np.arange(len(some)), :, model.predict_proba(some).argmax(axis=1)]
    order = np.argsort(-np.abs(effects).mean(axis=0), kind="stable")
    unit = "logarithm of the target" if found.is_log else "unit of the target"
    unit = "log-odds of the predicted class" if found.values.shape[2] > 1 else unit
    unit = f"log-odds of {shortened(positive, _LONGEST_NAME)}" if positive is not None else unit
    columns = [(found.columns[position], effects[:, position]) for position in order[:_MOST_COLUMNS]]
    shown = [(name, effect) for name, effect in columns if np.abs(effect).max() > 0]
    if not shown:
        return {}
    return {
        BEESWARM: _beeswarm(shown, some, f"effect on the prediction, {unit}"),
        DEPENDENCE: _dependence(shown[:_DEPENDENCES], some, f"effect, {unit}"),
    }


def _beeswarm(columns: list[tuple[str, Array]], rows: pd.DataFrame, label: str) -> bytes:
    figure = new_figure()
    axes = figure.subplots()
    for height, (name, effect) in enumerate(columns[::-1]):
        ranks = _ranks(rows[name])
        known = ~np.isnan(ranks)
        heights = height + _spread(effect)
        axes.scatter(effect[~known], heights[~known], s=4, color="#999999", linewidths=0)
        drawn = axes.scatter(
            effect[known], heights[known], s=4, c=ranks[known], cmap="coolwarm", vmin=0, vmax=1, linewidths=0
        )
    bar = figure.colorbar(drawn, ax=axes, aspect=40, ticks=[0, 1])
    bar.ax.set_yticklabels(["low", "high"], fontsize=8)
    bar.set_label("value of the column; grey: category or missing", fontsize=8)
    axes.set_yticks(range(len(columns)), [shortened(name, _LONGEST_NAME) for name, _ in columns[::-1]], fontsize=8)
    axes.axvline(0, color="#999999", linewidth=0.8)
    axes.set(xlabel=label)
    return png(figure)


def _dependence(columns: list[tuple[str, Array]], rows: pd.DataFrame, label: str) -> bytes:
    from matplotlib.ticker import MaxNLocator

    figure = new_figure()
    panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    for axes, (name, effect) in zip(panels, columns, strict=True):
        cells = rows[name]
        if _is_category(cells):
            _draw_categories(axes, cells, effect)
        elif is_date(cells):
            days = cells.dt.tz_localize(None)
            axes.scatter(days.to_numpy(), effect, **_DOTS)
            ends = [one for one in (days.min(), days.max()) if not pd.isna(one)]
            axes.set_xticks(ends, [f"{one:%Y-%m-%d}" for one in ends], fontsize=7)
        else:
            axes.scatter(cells.to_numpy(), effect, **_DOTS)
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.tick_params(axis="x", labelsize=7)
        axes.axhline(0, color="#999999", linewidth=0.8)
        axes.set_xlabel(shortened(name, _LONGEST_NAME), fontsize=8)
    panels[0].set_ylabel(label, fontsize=8)
    return png(figure)


def _draw_categories(axes: Any, cells: pd.Series, effect: Array) -> None:
    """Draw the effects of the most frequent categories, each as a box."""
    names = cells.astype(object).map(str, na_action="ignore").fillna("missing")
    most = list(names.value_counts().index[:_MOST_CATEGORIES])
    axes.boxplot([effect[(names == one).to_numpy()] for one in most], showfliers=False, widths=0.6)
    labels = [shortened(one, _LONGEST_CATEGORY) for one in most]
    axes.set_xticks(range(1, len(most) + 1), labels, fontsize=7, rotation=30)


def _is_category(cells: pd.Series) -> bool:
    return not is_date(cells) and (cells.dtype == bool or not pd.api.types.is_numeric_dtype(cells.dtype))


def _ranks(cells: pd.Series) -> Array:
    """Return the ranks of numbers and dates between 0 and 1; NaN for categories and missing cells."""
    if _is_category(cells):
        return np.full(len(cells), np.nan)
    ranks = cells.rank(pct=True).to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(ranks)


def _spread(effect: Array) -> Array:
    """Return how far each point is above or below its line, so that points of about the same effect stand apart."""
    ends = effect.min(), effect.max()
    bins = np.digitize(effect, np.linspace(*ends, _BINS)) if ends[0] < ends[1] else np.zeros(len(effect), dtype=int)
    offsets = np.zeros(len(effect))
    largest = np.bincount(bins).max()
    for one in np.unique(bins):
        places = np.flatnonzero(bins == one)
        steps = np.arange(len(places))
        offsets[places] = np.where(steps % 2, 1, -1) * ((steps + 1) // 2)
    return np.asarray(offsets * (0.8 / max(largest, 8)))
