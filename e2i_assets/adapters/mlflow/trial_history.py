"""The trials of a study in the MLflow run of its training: metric histories over the trials, in a few requests.

A nested run for each trial would cost many times as much (`benchmarks/tracking.py`), and the trials would crowd the
trainings out of MLflow's list of runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.entities import Run

    from mlflow import MlflowClient

MOST_IN_A_BATCH = 1000  # MLflow's limit per request


@dataclass(frozen=True, slots=True)
class Point:
    """A value in the history of a metric; its step is the trial number."""

    name: str
    step: int
    value: float
    at: datetime


def log_history(client: "MlflowClient", run: "Run", points: Sequence[Point]) -> None:
    """Log the points that the run does not have yet: no step of a metric is logged twice."""
    from mlflow.entities import Metric

    names = {point.name for point in points}
    # A new run has no metrics, so no request is needed for it.
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
