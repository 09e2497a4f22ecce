"""Plots of the decisions of a binary model: the gain chart, and what decisions are worth at each threshold."""

import numpy as np

from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.evaluation.decisions import (
    PER,
    break_even,
    error_shares,
    flagged_and_found,
    net_benefit,
    net_benefit_of_all,
)
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.sections import Costs
from e2i_assets.core.figures import shortened
from e2i_assets.core.metrics import Array, counted
from e2i_assets.core.plots.figures import new_figure, png
from e2i_assets.core.training import Training

_THRESHOLDS = 200
_LONGEST_NAME = 28
_MODEL, _REFERENCE, _CHOSEN, _OTHER = "#2f6db5", "#7a7a7a", "#d1781c", "#7b4fa3"


def decision_pictures(experiment: Experiment, rows: TrainingRows, training: Training) -> dict[str, bytes]:
    """Return PNGs by file name: the gain chart, and the expected cost or the net benefit by threshold.

    Scores of a fit on balanced classes are no probabilities, so they have no net benefit.

    Args:
        experiment: The experiment.
        rows: The rows of the splits.
        training: A training with a threshold, and with both classes in its test rows.
    """
    truth, prediction, weights = counted(*training.on_test, rows.test.weights)
    score, threshold = np.asarray(prediction.scores)[:, 1], float(training.report.threshold or 0)
    label = f"{rows.facts.target} = {rows.facts.classes[-1]}"
    drawn = {"gain_chart.png": _gain_chart(truth, score, threshold, label, weights)}
    is_probability = training.strategy == "none"
    if experiment.costs is not None:
        drawn["expected_cost.png"] = _costs(truth, score, threshold, experiment.costs, is_probability, weights)
    elif is_probability:
        drawn["decision_curve.png"] = _decision_curve(truth, score, threshold, weights)
    return drawn


def _gain_chart(positive: Array, score: Array, threshold: float, label: str, weights: Array | None) -> bytes:
    flagged, found = flagged_and_found(positive, score, weights)
    prevalence = np.average(positive == 1, weights=weights)
    at = float(np.average(score >= threshold, weights=weights))
    figure = new_figure()
    axes = figure.subplots()
    axes.plot(100 * flagged, 100 * found, color=_MODEL, label="model")
    axes.plot([0, 100 * prevalence, 100], [0, 100, 100], color=_REFERENCE, linestyle=":", label="perfect ranking")
    axes.plot([0, 100], [0, 100], color=_REFERENCE, linestyle="--", label="random order")
    axes.plot([100 * at], [100 * np.interp(at, flagged, found)], "o", color=_CHOSEN, label="threshold in use")
    shown = shortened(label, _LONGEST_NAME)
    axes.set(xlabel="% of rows flagged, highest probability first", ylabel=f"% found of rows with {shown}")
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    return png(figure)


def _grid(score: Array, *marked: float) -> Array:
    """Return the thresholds to draw: up to the highest scores, and a little beyond the marked thresholds."""
    top = max(float(np.quantile(score, 0.995)), *(1.2 * one for one in marked))
    return np.linspace(0, min(top, 0.99), _THRESHOLDS + 1)[1:]


def _decision_curve(positive: Array, score: Array, threshold: float, weights: Array | None) -> bytes:
    grid = _grid(score, threshold)
    prevalence = float(np.average(positive == 1, weights=weights))
    figure = new_figure()
    axes = figure.subplots()
    axes.plot(grid, net_benefit(positive, score, grid, weights), color=_MODEL, label="model")
    axes.plot(grid, net_benefit_of_all(prevalence, grid), color=_REFERENCE, linestyle="--", label="flag every row")
    axes.axhline(0, color=_REFERENCE, linestyle=":", label="flag no row")
    axes.axvline(threshold, color=_CHOSEN, linewidth=1, label="threshold in use")
    axes.set(
        xlabel="threshold probability",
        ylabel="net benefit (true positives for each row)",
        ylim=(-0.15 * prevalence, 1.05 * prevalence),
    )
    axes.legend(fontsize=8, frameon=False, loc="upper right")
    return png(figure)


def _costs(
    positive: Array, score: Array, threshold: float, costs: Costs, is_probability: bool, weights: Array | None
) -> bytes:
    least = break_even((costs.missed, costs.false_alarm))
    grid = _grid(score, threshold, *([least] if is_probability else []))
    _, missed, alarms = error_shares(positive, score, grid, weights)
    prevalence = float(np.average(positive == 1, weights=weights))
    figure = new_figure()
    axes = figure.subplots()
    axes.plot(grid, PER * (costs.missed * missed + costs.false_alarm * alarms), color=_MODEL, label="model")
    every, none = PER * costs.false_alarm * (1 - prevalence), PER * costs.missed * prevalence
    axes.axhline(every, color=_REFERENCE, linestyle="--", label="flag every row")
    axes.axhline(none, color=_REFERENCE, linestyle=":", label="flag no row")
    axes.axvline(threshold, color=_CHOSEN, linewidth=1, label="threshold in use")
    if is_probability:
        axes.axvline(least, color=_OTHER, linewidth=1, linestyle="-.", label="break-even probability")
    unit = f", {shortened(costs.unit, _LONGEST_NAME)}" if costs.unit else ""
    axes.set(xlabel="threshold", ylabel=f"cost for each {PER:,} rows{unit}")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
    return png(figure)
