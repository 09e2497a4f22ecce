"""The models that there are, each with its version: the table `ml_model_registry`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.rows import columns, one, parameters, placeholders, replacements


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersionRow:
    """A model as it is registered; `model_key` is its identity.

    Attributes:
        model_version: MLflow's number; without MLflow the beginning of the identity.
        stage: Of a model that is new; the stage of a known one is changed by people alone.
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


_TAKEN = sa.text(
    "SELECT 1 FROM ml_model_registry "
    "WHERE model_name = :model_name AND model_version = :model_version AND model_key IS DISTINCT FROM :model_key"
)
_WRITE = sa.text(f"""
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
    """Register a model, or bring the row of a known one up to date, and have its training run name it.

    An MLflow that was emptied counts its versions from 1 again: a number that another model has gets the beginning of
    the identity behind it, because a trained model is worth more than a tidy number.
    """
    values = parameters(row)
    if connection.execute(_TAKEN, values).first() is not None:
        values["model_version"] = f"{row.model_version}+{row.model_key[:12]}"
    registered = connection.execute(_WRITE, values).scalar_one()
    connection.execute(_LINK, {"id": registered, "training_run_id": training_run_id})


def version_of(database: Database, training_run_id: str) -> StoredVersion | None:
    """Return the registered model of a training run."""
    with database.connect() as connection:
        return one(StoredVersion, connection.execute(_OF_RUN, {"training_run_id": training_run_id}))
