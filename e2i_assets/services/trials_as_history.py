"""The trials of a study for MLflow: metric histories and a table."""

from collections.abc import Sequence
from typing import Any

from e2i_assets.adapters.mlflow.trial_history import Point
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.metrics import metric
from e2i_assets.core.search.trials import TrialRecord


def history(experiment: Experiment, trials: Sequence[TrialRecord]) -> list[Point]:
    """Return the value of each completed trial and the best so far, in the natural orientation of the metric."""
    optimised = metric(experiment.metric, experiment.problem_type)
    points: list[Point] = []
    best: float | None = None
    for trial in sorted(trials, key=lambda one: one.number):
        if trial.completed_at is None:
            continue
        step, at = trial.number, trial.completed_at
        if trial.seconds is not None:
            points.append(Point("trial_seconds", step, trial.seconds, at))
        if trial.state == "COMPLETE" and trial.value is not None:
            best = trial.value if best is None else max(best, trial.value)
            points.append(Point(f"trial_{experiment.metric}", step, optimised.oriented(trial.value), at))
            points.append(Point(f"trial_best_{experiment.metric}", step, optimised.oriented(best), at))
    return points


def trial_rows(experiment: Experiment, trials: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    """Return a table row for each trial; pruned and failed ones have a reason."""
    optimised = metric(experiment.metric, experiment.problem_type)
    return [
        {
            "trial": one.number,
            "state": one.state,
            "origin": one.origin,
            experiment.metric: None if one.value is None else optimised.oriented(one.value),
            "seconds": one.seconds,
            **{f"hp_{name}": value for name, value in one.sampled.items()},
            "reason": one.error_message,
        }
        for one in sorted(trials, key=lambda one: one.number)
    ]
