"""Results and progress for display, each read in one query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from e2i_assets.adapters.optuna_storage.worker_lease import HEARTBEAT_VALID_UNTIL
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.row_mapping import every
from e2i_assets.core.metrics import ProblemType


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """A finished training and its study; the study's values are in the orientation that it maximises.

    Attributes:
        patterns: Number of patterns of the memory that the study tried.
        most_similar: The study of the most similar of these patterns.
    """

    experiment_name: str
    algorithm: str
    default_value: float | None
    best_value: float | None
    validation_metrics: Mapping[str, Any]
    test_metrics: Mapping[str, Any]
    n_completed: int
    n_pruned: int
    n_failed: int
    patterns: int
    most_similar: str | None
    study_name: str | None
    mlflow_run_id: str | None


_RESULTS = sa.text("""
    SELECT experiment.experiment_name, run.algorithm, study.default_value, study.best_value,
           run.validation_metrics, run.test_metrics,
           coalesce(study.n_completed, 0) AS n_completed, coalesce(study.n_pruned, 0) AS n_pruned,
           coalesce(study.n_failed, 0) AS n_failed,
           used.patterns, used.most_similar, study.study_name, run.mlflow_run_id
    FROM ml_training_runs AS run
    JOIN ml_experiments AS experiment ON experiment.id = run.experiment_id
    LEFT JOIN ml_hpo_studies AS study ON study.id = run.study_id
    CROSS JOIN LATERAL (
        SELECT count(DISTINCT usage.pattern_id) AS patterns,
               (array_agg(pattern.study_name ORDER BY usage.similarity DESC, pattern.created_at DESC))[1]
                   AS most_similar
        FROM ml_hpo_warmstart_uses AS usage JOIN ml_hpo_patterns AS pattern USING (pattern_id)
        WHERE usage.study_id = study.id
    ) AS used
    WHERE run.status = 'finished' AND run.spec_hash = ANY(:spec_hashes)
""")
_LAST_FINISHED = sa.text("""
    SELECT experiment.experiment_name, max(run.completed_at)
    FROM ml_training_runs AS run JOIN ml_experiments AS experiment ON experiment.id = run.experiment_id
    WHERE run.status = 'finished' GROUP BY experiment.experiment_name
""")


def result_rows(database: Database, spec_hashes: Sequence[str]) -> dict[str, ResultRow]:
    """Return the finished trainings with these spec hashes, by experiment name."""
    with database.connect() as connection:
        rows = every(ResultRow, connection.execute(_RESULTS, {"spec_hashes": list(spec_hashes)}))
    return {row.experiment_name: row for row in rows}


def last_finished(database: Database) -> dict[str, datetime]:
    """Return the completion time of the last training of each experiment, by experiment name."""
    with database.connect() as connection:
        return {name: moment for name, moment in connection.execute(_LAST_FINISHED)}


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyProgress:
    """The progress of a running study.

    Attributes:
        n_trials: The trial budget.
        finished: Trials that have ended, in this run and before.
        best: Best value so far, in the orientation that the study maximises.
        seconds_left: Estimate from the trials that ended since `since`; None before the first one.
    """

    metric: str
    problem_type: ProblemType
    n_trials: int
    finished: int
    best: float | None
    seconds_left: float | None

    @property
    def share(self) -> float:
        """The spent share of the budget, 0 to 1."""
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
    """Return the progress of the running study of an experiment, or None if no study runs.

    Args:
        database: The database of the study.
        experiment: Name of the experiment.
        since: Start of the run in seconds since the epoch; earlier trials do not count for the time estimate.
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


_WORKED_ON = sa.text(f"""
    SELECT DISTINCT experiment.experiment_name
    FROM ml_hpo_trials AS trial
    JOIN ml_hpo_workers AS worker ON worker.name = trial.worker
    JOIN ml_hpo_studies AS study ON study.id = trial.study_id
    JOIN ml_experiments AS experiment ON experiment.id = study.experiment_id
    WHERE trial.state = 'RUNNING' AND {HEARTBEAT_VALID_UNTIL} >= clock_timestamp()
    ORDER BY experiment.experiment_name
""")


def searched_now(database: Database) -> list[str]:
    """Return the experiments for which a live process fits a trial now, in the order of their names."""
    with database.connect() as connection:
        return list(connection.execute(_WORKED_ON).scalars())
