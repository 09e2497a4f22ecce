"""Pictures of a study as PNG bytes, small enough to stand inline in an asset's metadata."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from e2i_assets.core.search.trials import TrialRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = {"default": "#7a7a7a", "warm_start": "#d1781c", "sampler": "#2f6db5", "retry": "#7b4fa3"}
_LABELS = {"default": "defaults", "warm_start": "from memory", "sampler": "sampled", "retry": "tried again"}
_DPI = 80


def optimisation_history(trials: Sequence[TrialRecord], metric: str, default_value: float | None) -> bytes:
    """Draw the value of each trial and the best so far; pruned trials stand as crosses at their last report."""
    figure = _figure()
    axes = figure.subplots()
    for origin, colour in _COLOURS.items():
        done = [trial for trial in trials if trial.origin == origin and trial.value is not None]
        if done:
            axes.scatter(
                [one.number for one in done],
                [one.value or 0.0 for one in done],
                s=22,
                color=colour,
                label=_LABELS[origin],
            )
    pruned = [trial for trial in trials if trial.state == "PRUNED" and trial.intermediate_values]
    if pruned:
        heights = [trial.intermediate_values[max(trial.intermediate_values)] for trial in pruned]
        axes.scatter(
            [trial.number for trial in pruned], heights, s=22, marker="x", color="#b0b0b0", label="pruned (last report)"
        )
    completed = [trial for trial in trials if trial.value is not None]
    best = [max(one.value or 0.0 for one in completed[: i + 1]) for i in range(len(completed))]
    axes.step([trial.number for trial in completed], best, where="post", color="#1c1c1c", label="best so far")
    if default_value is not None:
        axes.axhline(default_value, color="#7a7a7a", linestyle=":", label="with the defaults")
    axes.set(xlabel="trial", ylabel=f"{metric} on validation (higher is better)")
    axes.legend(fontsize=8, frameon=False)
    return _png(figure)


def parameter_importances(importances: Mapping[str, float]) -> bytes:
    """Draw how much of the variation among trials each parameter explains."""
    figure = _figure()
    axes = figure.subplots()
    names = list(importances)[::-1]
    axes.barh(names, [importances[name] for name in names], color="#2f6db5")
    axes.set(xlabel="share of importance (PED-ANOVA)")
    return _png(figure)


def _figure() -> "Figure":
    """Make a figure of our own: pyplot keeps global state, which is not safe in a server's threads."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), dpi=_DPI, layout="constrained")
    return figure


def _png(figure: "Figure") -> bytes:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
