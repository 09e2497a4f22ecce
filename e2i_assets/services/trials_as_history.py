"""The trials of a search as MLflow shows them: curves over the search, and a table."""

from collections.abc import Sequence
from typing import Any

from e2i_assets.adapters.mlflow.trial_history import Point
from e2i_assets.adapters.repositories.study_rows import TrialRow
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.metrics import metric


def history(experiment: Experiment, trials: Sequence[TrialRow]) -> list[Point]:
    """Return the curves of a search: the value of each completed trial and the best so far, in natural orientation."""
    judged = metric(experiment.metric, experiment.problem_type)
    ended = sorted((one for one in trials if one.datetime_complete is not None), key=lambda one: one.trial_number)
    points: list[Point] = []
    best: float | None = None
    for trial in ended:
        assert trial.datetime_complete is not None
        step, at = trial.trial_number, trial.datetime_complete
        if trial.duration_seconds is not None:
            points.append(Point("trial_seconds", step, trial.duration_seconds, at))
        if trial.state == "COMPLETE" and trial.value is not None:
            best = trial.value if best is None else max(best, trial.value)
            points.append(Point(f"trial_{experiment.metric}", step, judged.oriented(trial.value), at))
            points.append(Point(f"trial_best_{experiment.metric}", step, judged.oriented(best), at))
    return points


def trial_rows(experiment: Experiment, trials: Sequence[TrialRow]) -> list[dict[str, Any]]:
    """Return a row for each trial, pruned and failed ones with their reason too."""
    judged = metric(experiment.metric, experiment.problem_type)
    return [
        {
            "trial": one.trial_number,
            "state": one.state,
            "origin": one.origin,
            experiment.metric: None if one.value is None else judged.oriented(one.value),
            "seconds": one.duration_seconds,
            **{f"hp_{name}": value for name, value in one.user_attrs.get("sampled", {}).items()},
            "reason": one.error_message,
        }
        for one in sorted(trials, key=lambda one: one.trial_number)
    ]
