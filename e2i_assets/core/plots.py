"""Pictures of a study as PNG bytes."""

from collections.abc import Iterable, Mapping, Sequence

from e2i_assets.core.figures import new_figure, png
from e2i_assets.core.search.selection import candidates
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search.trials import TrialRecord

_COLOURS = {"default": "#7a7a7a", "warm_start": "#d1781c", "sampler": "#2f6db5", "retry": "#7b4fa3"}
_LABELS = {"default": "defaults", "warm_start": "from memory", "sampler": "sampled", "retry": "tried again"}


def optimisation_history(trials: Sequence[TrialRecord], metric: str, default_value: float | None) -> bytes:
    """Draw the value of each trial and the best so far; pruned trials stand as crosses at their last report."""
    figure = new_figure()
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
    completed = candidates(trials)
    best = [max(one.value or 0.0 for one in completed[: i + 1]) for i in range(len(completed))]
    axes.step([trial.number for trial in completed], best, where="post", color="#1c1c1c", label="best so far")
    if default_value is not None:
        axes.axhline(default_value, color="#7a7a7a", linestyle=":", label="with the defaults")
    axes.set(xlabel="trial", ylabel=f"{metric} on validation (higher is better)")
    axes.legend(fontsize=8, frameon=False)
    return png(figure)


def pareto_front(result: StudyResult) -> bytes:
    """Draw the completed trials by the first two objectives: the front joined, the chosen one marked, the tolerance.

    The front is that of all objectives, so with a third one it need not look like one.
    """
    greater = result.objectives.greater_is_better
    first, second = list(greater)[:2]
    figure = new_figure()
    axes = figure.subplots()

    def points(trials: Iterable[TrialRecord]) -> tuple[list[float], list[float]]:
        values = [one.objective_values for one in trials]
        return [one[second] for one in values], [one[first] for one in values]

    front = sorted(result.pareto_front, key=lambda one: one.objective_values[second])
    able = candidates(result.trials)
    outside = [trial for trial in result.trials if trial.value is not None and trial not in able]
    axes.scatter(*points(outside), s=22, marker="x", color="#c4c4c4", label="outside the constraints")
    axes.scatter(*points(able), s=22, color="#8fb4da", label="dominated")
    axes.plot(*points(front), color="#2f6db5", marker="o", markersize=5, linewidth=1, label="Pareto front")
    if result.best is not None:
        top = (max if greater[first] else min)(points(front)[1])
        end = top - result.objectives.tolerance if greater[first] else top + result.objectives.tolerance
        axes.axhspan(min(top, end), max(top, end), color="#d1781c", alpha=0.12, label="within the tolerance")
        axes.scatter(
            *points([result.best]), s=110, facecolors="none", edgecolors="#d1781c", linewidths=2, label="chosen"
        )
    better = {name: "higher is better" if greater[name] else "lower is better" for name in (first, second)}
    axes.set(xlabel=f"{second} ({better[second]})", ylabel=f"{first} ({better[first]})")
    axes.legend(fontsize=8, frameon=False)
    return png(figure)


def parameter_importances(importances: Mapping[str, float]) -> bytes:
    """Draw how much of the variation among trials each parameter explains."""
    figure = new_figure()
    axes = figure.subplots()
    names = list(importances)[::-1]
    axes.barh(names, [importances[name] for name in names], color="#2f6db5")
    axes.set(xlabel="share of importance (PED-ANOVA)")
    return png(figure)
