"""Plots of a study and of its gain over the defaults, as PNG bytes."""

from collections.abc import Iterable, Mapping

from e2i_assets.core.evaluation.intervals import Interval
from e2i_assets.core.evaluation.measures import Measure
from e2i_assets.core.plots.figures import new_figure, png
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search.trial_selection import candidates
from e2i_assets.core.search.trials import TrialRecord

# Origin of a trial: its colour and its label in the legend.
_KINDS = {
    "default": ("#7a7a7a", "default parameters"),
    "warm_start": ("#d1781c", "taken from past studies"),
    "startup": ("#8ec6a0", "drawn at random"),
    "sampler": ("#2f6db5", "proposed from the results so far"),
    "retry": ("#7b4fa3", "repeated after a failure"),
}


def optimisation_history(result: StudyResult, metric: str, startup: int = 0) -> bytes:
    """Draw the value of each trial by origin, and the best value so far; a pruned trial has its last reported value.

    Args:
        result: The study.
        metric: Name of its first objective. Values are drawn in its own unit, so an RMSE is positive.
        startup: Number of trials after which the sampler uses results; the sampled trials before have another colour.
    """
    greater = next(iter(result.objectives.greater_is_better.values()))
    sign = 1.0 if greater else -1.0
    figure = new_figure()
    axes = figure.subplots()
    completed = [trial for trial in result.trials if trial.value is not None]
    for kind, (colour, label) in _KINDS.items():
        if done := [trial for trial in completed if _kind(trial, startup) == kind]:
            heights = [sign * (one.value or 0.0) for one in done]
            axes.scatter([one.number for one in done], heights, s=22, color=colour, label=label)
    pruned = [trial for trial in result.trials if trial.state == "PRUNED" and trial.intermediate_values]
    if pruned:
        heights = [sign * trial.intermediate_values[max(trial.intermediate_values)] for trial in pruned]
        numbers = [trial.number for trial in pruned]
        axes.scatter(numbers, heights, s=22, marker="x", color="#b0b0b0", label="stopped early")
    able = candidates(result.trials)
    best = [sign * max(one.value or 0.0 for one in able[: i + 1]) for i in range(len(able))]
    axes.step([trial.number for trial in able], best, where="post", color="#1c1c1c", label="best so far")
    if result.default_value is not None:
        axes.axhline(
            sign * result.default_value, color="#7a7a7a", linestyle=":", label="value of the default parameters"
        )
    axes.set(xlabel="number of the trial", ylabel=f"{metric} on validation ({_better(greater)})")
    axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
    return png(figure)


def _kind(trial: TrialRecord, startup: int) -> str:
    return "startup" if trial.origin == "sampler" and trial.number < startup else trial.origin


def _better(greater: bool) -> str:
    return "higher is better" if greater else "lower is better"


def pareto_front(result: StudyResult) -> bytes:
    """Draw the completed trials by the first two objectives, with the front, the chosen trial and the tolerance.

    The front is computed over all objectives, so with a third objective it may not look like a front in this plane.
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
    axes.scatter(*points(outside), s=22, marker="x", color="#c4c4c4", label="misses a constraint")
    axes.scatter(*points(able), s=22, color="#8fb4da", label="worse than another trial")
    axes.plot(
        *points(front), color="#2f6db5", marker="o", markersize=5, linewidth=1, label="best trade-offs (Pareto front)"
    )
    if result.best is not None:
        top = (max if greater[first] else min)(points(front)[1])
        end = top - result.objectives.tolerance if greater[first] else top + result.objectives.tolerance
        axes.axhspan(min(top, end), max(top, end), color="#d1781c", alpha=0.12, label="within the tolerance")
        axes.scatter(
            *points([result.best]), s=110, facecolors="none", edgecolors="#d1781c", linewidths=2, label="chosen"
        )
    axes.set(xlabel=f"{second} ({_better(greater[second])})", ylabel=f"{first} ({_better(greater[first])})")
    axes.legend(fontsize=8, frameon=False)
    return png(figure)


def parameter_importances(importances: Mapping[str, float]) -> bytes:
    """Draw the share of the variation among trials that each parameter explains."""
    figure = new_figure()
    axes = figure.subplots()
    names = list(importances)[::-1]
    axes.barh(names, [importances[name] for name in names], color="#2f6db5")
    axes.set(xlabel="share of the difference between good and other trials")
    return png(figure)


def default_against_tuned(
    measure: Measure, on_test: Mapping[str, float | None], interval: Interval | None, on_validation: Mapping[str, float]
) -> bytes:
    """Draw one metric of the baseline, the default parameters and the trained model, on test and on validation.

    Args:
        measure: The metric.
        on_test: Value by model, the trained model last; models without a value are left out.
        interval: 95 % interval of the trained model.
        on_validation: Value by model on the validation rows, where the study compared them.
    """
    figure = new_figure()
    axes = figure.subplots()
    names = [name for name in dict.fromkeys([*on_test, *on_validation]) if on_test.get(name) is not None]
    heights = {name: place for place, name in enumerate(reversed(names))}
    for name, place in heights.items():
        value = on_test[name] or 0.0
        axes.plot([value], [place], "o", color="#2f6db5", markersize=8)
        axes.annotate(f"{value:.4g}", (value, place), (0, 9), textcoords="offset points", ha="center", fontsize=8)
        if name in on_validation:
            axes.plot([on_validation[name]], [place], "D", color="#b9c7d6", markersize=6)
    if interval is not None and names:
        axes.hlines(heights[names[-1]], interval.low, interval.high, color="#2f6db5", alpha=0.35, linewidth=6)
    axes.plot([], [], "o", color="#2f6db5", label="on test")
    if on_validation:
        axes.plot([], [], "D", color="#b9c7d6", label="on validation")
    axes.set_yticks(list(heights.values()), list(heights))
    axes.set(xlabel=f"{measure.name} ({_better(measure.greater_is_better)})", ylim=(-0.6, len(names) - 0.4))
    axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
    return png(figure)
