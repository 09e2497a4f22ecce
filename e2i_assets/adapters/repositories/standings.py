"""How each experiment stands: its registration, its champion and the training of that model, in one query."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.row_mapping import every


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingRow:
    """An experiment, retired or not, with its model.

    Attributes:
        of_component: Whether a Dagster component defines it.
        model_key: Key of the model in use, or of the last trained one if none is; None before the first training.
        model_version: Its version in MLflow; None without MLflow.
        promoted_at: When the model in use became the champion; None if no model is in use.
        trained_at: When the model was trained.
        algorithm: The algorithm of the model.
    """

    experiment_name: str
    spec: Mapping[str, Any]
    of_component: bool
    retired_at: datetime | None
    model_key: str | None
    model_version: str | None
    promoted_at: datetime | None
    trained_at: datetime | None
    algorithm: str | None
    test_samples: int | None
    test_metrics: Mapping[str, float | None] | None
    test_intervals: Mapping[str, Mapping[str, float]] | None


_STANDINGS = sa.text("""
    SELECT experiment.experiment_name, experiment.spec, experiment.upstream IS NOT NULL AS of_component,
           experiment.retired_at, run.model_key, champion.mlflow_model_version AS model_version,
           champion.decided_at AS promoted_at, run.completed_at AS trained_at,
           run.algorithm, run.test_samples, run.test_metrics, run.test_intervals
    FROM ml_experiments AS experiment
    LEFT JOIN LATERAL (
        SELECT challenger_key, mlflow_model_version, decided_at FROM ml_champion_decisions
        WHERE experiment_id = experiment.id AND promoted ORDER BY decided_at DESC LIMIT 1
    ) AS champion ON true
    LEFT JOIN LATERAL (
        SELECT model_key, completed_at, algorithm, test_samples, test_metrics, test_intervals FROM ml_training_runs
        WHERE experiment_id = experiment.id AND status = 'finished'
          AND (champion.challenger_key IS NULL OR model_key = champion.challenger_key)
        ORDER BY completed_at DESC LIMIT 1
    ) AS run ON true
    ORDER BY experiment.experiment_name
""")


def standing_rows(database: Database) -> list[StandingRow]:
    """Return the experiments, retired ones too, in the order of their names."""
    with database.connect() as connection:
        return every(StandingRow, connection.execute(_STANDINGS))
