"""The trials of a study in the MLflow run of its training: one table, and curves over the trials, in a few statements.

Not as runs of their own: a nested run for each trial costs many times as much (`benchmarks/tracking.py`) and buries
the trainings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.entities import Run

    from mlflow import MlflowClient

MOST_IN_A_BATCH = 1000  # what MLflow takes at once


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a metric that has a history: its step is the number of the trial."""

    name: str
    step: int
    value: float
    at: datetime


def log_history(client: "MlflowClient", run: "Run", points: Sequence[Point]) -> None:
    """Log the points that the run does not have: a step of a metric is never logged twice."""
    from mlflow.entities import Metric

    names = {point.name for point in points}
    # A run that was created just now has none, which saves asking.
    known = {
        (name, one.step)
        for name in names & run.data.metrics.keys()
        for one in client.get_metric_history(run.info.run_id, name)
    }
    metrics = [
        Metric(point.name, point.value, round(point.at.timestamp() * 1000), point.step)
        for point in points
        if (point.name, point.step) not in known
    ]
    for start in range(0, len(metrics), MOST_IN_A_BATCH):
        client.log_batch(run.info.run_id, metrics=metrics[start : start + MOST_IN_A_BATCH])
