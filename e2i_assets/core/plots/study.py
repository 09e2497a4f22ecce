"""Plots of a study that Optuna draws: intermediate values, slices and parallel coordinates."""

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from e2i_assets.core.plots.figures import png
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search.trials import TrialRecord
from e2i_assets.core.search_space.space import SearchSpace, suggest

if TYPE_CHECKING:
    import optuna

_SIDE_BY_SIDE = 4
_MOST_PARAMETERS = 8
_MOST_NAMED_TRIALS = 12
_FEWEST_TRIALS = 3
_PYPLOT = threading.Lock()


def study_pictures(
    result: StudyResult, space: SearchSpace, importances: Mapping[str, float], metric: str
) -> dict[str, bytes]:
    """Return PNGs by file name; a plot for which the study has too few trials or reports is left out.

    Args:
        result: The study.
        space: The search space of the study.
        importances: By parameter; the eight most important parameters are shown, the most important first.
        metric: Name of the first objective.
    """
    study = _natural_study(result, space)
    drawn: dict[str, bytes] = {}
    if any(trial.intermediate_values for trial in study.trials):
        drawn["intermediate_values.png"] = _drawn("plot_intermediate_values", (7.2, 3.8), _style_values(metric), study)
    completed = [trial for trial in result.trials if trial.value is not None]
    names = _shown_parameters(completed, importances)
    if len(completed) < _FEWEST_TRIALS or not names:
        return drawn
    for number, start in enumerate(range(0, len(names), _SIDE_BY_SIDE), 1):
        some = names[start : start + _SIDE_BY_SIDE]
        size = (2.0 + 2.2 * len(some), 2.9)
        drawn[f"slice_{number}.png"] = _drawn(
            "plot_slice", size, _style_slice(size), study, params=some, target_name=metric
        )
    if len(names) > 1:
        drawn["parallel_coordinates.png"] = _drawn(
            "plot_parallel_coordinate", (9.0, 4.2), _style_parallel, study, params=names, target_name=metric
        )
    return drawn


def _natural_study(result: StudyResult, space: SearchSpace) -> "optuna.Study":
    """Return the finished trials as an in-memory study, in the metric's own unit, so an RMSE is positive."""
    greater = next(iter(result.objectives.greater_is_better.values()))
    sign = 1.0 if greater else -1.0
    study = _silent_study(result.study_name, "maximize" if greater else "minimize")
    study.add_trials([_trial(one, space, sign) for one in result.trials if one.state in ("COMPLETE", "PRUNED")])
    return study


def _silent_study(name: str, direction: Literal["maximize", "minimize"]) -> "optuna.Study":
    """Create a study without Optuna's log line, which would show a second study in the log of a run."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(study_name=name, direction=direction)
    finally:
        optuna.logging.set_verbosity(verbosity)


def _trial(record: TrialRecord, space: SearchSpace, sign: float) -> "optuna.trial.FrozenTrial":
    import optuna

    fixed = optuna.trial.FixedTrial(record.sampled, record.number)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Fixed parameter", UserWarning)  # the space may have changed since
        suggest(fixed, {name: one for name, one in space.items() if name in record.sampled})  # type: ignore[arg-type]
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState[record.state],
        value=None if record.value is None else sign * record.value,
        params=fixed.params,
        distributions=fixed.distributions,
        intermediate_values={step: sign * value for step, value in record.intermediate_values.items()},
    )


def _shown_parameters(completed: Sequence[TrialRecord], importances: Mapping[str, float]) -> list[str]:
    """Return the parameters that differ among the trials, the most important first."""
    values: dict[str, set[Any]] = {}
    for trial in completed:
        for name, value in trial.sampled.items():
            values.setdefault(name, set()).add(value)
    differing = [name for name, seen in values.items() if len(seen) > 1]
    return sorted(differing, key=lambda name: -importances.get(name, 0.0))[:_MOST_PARAMETERS]


def _drawn(
    function: str, size: tuple[float, float], style: Callable[[Any], None], study: "optuna.Study", **options: Any
) -> bytes:
    import numpy as np
    from optuna.exceptions import ExperimentalWarning
    from optuna.visualization import matplotlib as drawing

    with _pyplot(size) as pyplot, warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # experimental since Optuna 2.2; our tests cover each
        axes = getattr(drawing, function)(study, **options)
        figure = np.ravel(axes)[0].figure
        style(figure)
        try:
            return png(figure)
        finally:
            pyplot.close(figure)


@contextmanager
def _pyplot(size: tuple[float, float]) -> Iterator[Any]:
    """Give exclusive access to pyplot, because Optuna draws with its global state; restore the style afterwards."""
    import matplotlib
    from matplotlib import pyplot

    with (
        _PYPLOT,
        matplotlib.rc_context({"figure.figsize": size, "figure.dpi": 80, "figure.constrained_layout.use": True}),
    ):
        pyplot.switch_backend("agg")
        yield pyplot


def _plain(axes: Any) -> None:
    axes.set_facecolor("white")
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.tick_params(labelsize=8, colors="#333333")
    axes.xaxis.label.set(size=9, color="#333333")
    axes.yaxis.label.set(size=9, color="#333333")
    axes.spines[:].set_color("#999999")


def _style_values(metric: str) -> Callable[[Any], None]:
    def style(figure: Any) -> None:
        (axes,) = figure.axes
        _plain(axes)
        axes.set(
            title="", xlabel="size of the model: boosting rounds or trees; or folds", ylabel=f"{metric} on validation"
        )
        if legend := axes.get_legend():
            legend.remove()
        if len(axes.lines) <= _MOST_NAMED_TRIALS:
            axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
        for line in axes.lines:
            line.set(marker="", linewidth=1.1)

    return style


def _style_slice(size: tuple[float, float]) -> Callable[[Any], None]:
    def style(figure: Any) -> None:
        from matplotlib.collections import PathCollection

        figure.suptitle("")
        figure.set_size_inches(*size)
        for axes in figure.axes:
            _plain(axes)
            axes.set_title("")
            axes.tick_params(axis="x", labelrotation=30)
            for dots in axes.collections:
                if isinstance(dots, PathCollection):
                    dots.set_sizes([16])

    return style


def _style_parallel(figure: Any) -> None:
    figure.axes[0].set_title("")
    for axes in figure.axes:
        axes.tick_params(which="both", labelsize=7)
