"""What came of trainings, one row each, for a person to read: read from our tables in one query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.rows import every


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """A finished training with its study; the study's values are in the orientation that it maximises.

    Attributes:
        patterns: How many patterns of the memory the study tried.
        most_similar: The study of the most similar of them.
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
    """Return the finished trainings of these identities by the name of their experiment."""
    with database.connect() as connection:
        rows = every(ResultRow, connection.execute(_RESULTS, {"spec_hashes": list(spec_hashes)}))
    return {row.experiment_name: row for row in rows}


def last_finished(database: Database) -> dict[str, datetime]:
    """Return by experiment when its last training finished."""
    with database.connect() as connection:
        return {name: moment for name, moment in connection.execute(_LAST_FINISHED)}
