"""Registered models and champion decisions: the tables `ml_model_registry` and `ml_champion_decisions`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.row_mapping import columns, one, parameters, placeholders, replacements
from e2i_assets.adapters.repositories.test_access import record_test_access
from e2i_assets.adapters.repositories.training_runs import StoredRun
from e2i_assets.core.automation.champion import ChampionDecision


@dataclass(frozen=True, slots=True, kw_only=True)
class ChampionRow(ChampionDecision):
    """A champion decision with its links: the experiment, the champion before it, the split and the model."""

    experiment_id: str
    champion_key: str | None
    split_id: str | None
    model_folder: str
    decision_threshold: float | None
    mlflow_model_version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDecision(ChampionRow):
    """A stored decision, with the split configuration that its test rows came from."""

    config_hash: str | None
    decided_at: datetime


_DECISION = f"""
    SELECT {columns(ChampionRow, "decision")}, decision.decided_at, split.config_hash
    FROM ml_champion_decisions AS decision LEFT JOIN ml_split_registry AS split ON split.id = decision.split_id
    WHERE decision.experiment_id = :experiment_id
"""
_CURRENT = sa.text(f"{_DECISION} AND decision.promoted ORDER BY decision.decided_at DESC LIMIT 1")
_ABOUT = sa.text(f"{_DECISION} AND decision.challenger_key = :challenger_key ORDER BY decision.decided_at DESC LIMIT 1")
_WRITE = sa.text(
    f"INSERT INTO ml_champion_decisions ({columns(ChampionRow)}) VALUES ({placeholders(ChampionRow)}) RETURNING id"
)
_DEMOTE = sa.text("""
    UPDATE ml_model_registry SET is_champion = false
    WHERE is_champion AND model_name IN (SELECT model_name FROM ml_model_registry WHERE model_key = :challenger_key)
""")
_PROMOTE = sa.text("UPDATE ml_model_registry SET is_champion = true WHERE model_key = :challenger_key")
_CHAMPION_KEY = sa.text("""
    SELECT model_key FROM ml_model_registry
    WHERE is_champion AND model_name IN (SELECT model_name FROM ml_model_registry WHERE model_key = :model_key)
""")
_CONFIG = sa.text("SELECT config_hash FROM ml_split_registry WHERE id = :split_id")


@dataclass(frozen=True, slots=True)
class ChampionRepository:
    """Reads and writes champion decisions."""

    database: Database

    def current(self, experiment_id: str) -> StoredDecision | None:
        """Return the decision that promoted the current champion of an experiment, or None."""
        with self.database.connect() as connection:
            return one(StoredDecision, connection.execute(_CURRENT, {"experiment_id": experiment_id}))

    def about(self, experiment_id: str, challenger_key: str) -> StoredDecision | None:
        """Return the last decision about a model, or None."""
        values = {"experiment_id": experiment_id, "challenger_key": challenger_key}
        with self.database.connect() as connection:
            return one(StoredDecision, connection.execute(_ABOUT, values))

    def decide(self, row: ChampionRow, run: StoredRun, looked_by: str) -> None:
        """Record a decision, the new champion, and the test-set access of the old one, in one transaction."""
        with self.database.begin() as connection:
            connection.execute(_WRITE, parameters(row))
            if row.promoted:
                connection.execute(_DEMOTE, {"challenger_key": row.challenger_key})
                connection.execute(_PROMOTE, {"challenger_key": row.challenger_key})
            if row.champion_key is not None and row.gain is not None:
                record_test_access(
                    connection,
                    run.id,
                    model_key=row.champion_key,
                    looked_by=looked_by,
                    reason=f"it was compared with the challenger {row.challenger_key[:12]}",
                    dagster_run_id=run.dagster_run_id,
                )

    def registered_champion(self, model_key: str) -> str | None:
        """Return the key of the champion among the registered models with the same name as this one, or None."""
        with self.database.connect() as connection:
            found = connection.execute(_CHAMPION_KEY, {"model_key": model_key}).scalar_one_or_none()
        return None if found is None else str(found)

    def config_hash(self, split_id: str | None) -> str | None:
        """Return the hash of the split configuration of a split."""
        with self.database.connect() as connection:
            return connection.execute(_CONFIG, {"split_id": split_id}).scalar_one_or_none()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersionRow:
    """A registered model; `model_key` identifies it.

    Attributes:
        model_version: MLflow's version number; without MLflow, the start of the model key.
        stage: The stage of a new model; only users change the stage of a known one.
    """

    model_key: str
    model_name: str
    model_version: str
    mlflow_run_id: str | None
    mlflow_model_uri: str | None
    algorithm: str
    hyperparameters: Mapping[str, Any]
    feature_count: int
    training_samples: int
    auc: float | None
    pr_auc: float | None
    brier_score: float | None
    calibration_slope: float | None
    fairness_metrics: Mapping[str, Any]
    stage: str
    artifact_path: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVersion(ModelVersionRow):
    """A registered model with its id."""

    id: str
    is_champion: bool


_VERSION_EXISTS = sa.text(
    "SELECT 1 FROM ml_model_registry "
    "WHERE model_name = :model_name AND model_version = :model_version AND model_key IS DISTINCT FROM :model_key"
)
_WRITE_MODEL_VERSION = sa.text(f"""
    INSERT INTO ml_model_registry ({columns(ModelVersionRow)}) VALUES ({placeholders(ModelVersionRow)})
    ON CONFLICT (model_key) DO UPDATE SET {replacements(ModelVersionRow, "model_key", "stage")}
    RETURNING id
""")
_LINK = sa.text("UPDATE ml_training_runs SET model_registry_id = :id WHERE id = :training_run_id")
_OF_RUN = sa.text(f"""
    SELECT {columns(StoredVersion, "model")} FROM ml_model_registry AS model
    JOIN ml_training_runs AS run ON run.model_registry_id = model.id WHERE run.id = :training_run_id
""")


def write_version(connection: sa.Connection, training_run_id: str, row: ModelVersionRow) -> None:
    """Insert or update the row of a model, and link its training run to it.

    An MLflow store that was emptied counts its versions from 1 again. If another model has the same version number, the
    start of the model key is appended to it, because an odd number is better than a training that fails.
    """
    values = parameters(row)
    if connection.execute(_VERSION_EXISTS, values).first() is not None:
        values["model_version"] = f"{row.model_version}+{row.model_key[:12]}"
    registered = connection.execute(_WRITE_MODEL_VERSION, values).scalar_one()
    connection.execute(_LINK, {"id": registered, "training_run_id": training_run_id})


def version_of(database: Database, training_run_id: str) -> StoredVersion | None:
    """Return the registered model of a training run, or None."""
    with database.connect() as connection:
        return one(StoredVersion, connection.execute(_OF_RUN, {"training_run_id": training_run_id}))
