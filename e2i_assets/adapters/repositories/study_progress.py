"""How far the running study of an experiment has come, for whoever waits for it."""

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.core.metrics import ProblemType


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyProgress:
    """A study that runs.

    Attributes:
        n_trials: Its budget.
        finished: Trials that have ended, in this call and before.
        best: Best value so far, in the orientation that the study maximises.
        seconds_left: At the pace of the trials that ended since it was started; None before the first.
    """

    metric: str
    problem_type: ProblemType
    n_trials: int
    finished: int
    best: float | None
    seconds_left: float | None

    @property
    def share(self) -> float:
        """The share of the budget that is spent, 0 to 1."""
        return min(self.finished / self.n_trials, 1.0)


_PROGRESS = sa.text("""
    SELECT study.n_trials, study.metric, study.problem_type,
           count(trial.id) FILTER (WHERE trial.state IN ('COMPLETE', 'PRUNED', 'FAIL')) AS finished,
           count(trial.id) FILTER (WHERE trial.datetime_complete >= :since) AS finished_now,
           max(trial.value) AS best,
           min(trial.datetime_start) FILTER (WHERE trial.datetime_complete >= :since) AS began
    FROM ml_hpo_studies AS study JOIN ml_experiments AS experiment ON experiment.id = study.experiment_id
    LEFT JOIN ml_hpo_trials AS trial ON trial.study_id = study.id
    WHERE experiment.experiment_name = :name AND study.status = 'running'
    GROUP BY study.id ORDER BY study.updated_at DESC LIMIT 1
""")


def progress_of(database: Database, experiment: str, since: float) -> StudyProgress | None:
    """Return how far the study of an experiment has come, None when none runs.

    Args:
        database: Where it is kept.
        experiment: Name of the experiment.
        since: When it was started, in seconds since the epoch: earlier trials say nothing about its pace.
    """
    moment = datetime.fromtimestamp(since, UTC)
    with database.connect() as connection:
        row = connection.execute(_PROGRESS, {"name": experiment, "since": moment}).one_or_none()
    if row is None:
        return None
    left = None
    if row.finished_now and row.began is not None:
        pace = (datetime.now(UTC) - row.began).total_seconds() / row.finished_now
        left = max(row.n_trials - row.finished, 0) * pace
    return StudyProgress(
        metric=row.metric,
        problem_type=row.problem_type,
        n_trials=row.n_trials,
        finished=row.finished,
        best=row.best,
        seconds_left=left,
    )
