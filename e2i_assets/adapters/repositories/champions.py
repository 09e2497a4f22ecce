"""Who is the champion of each experiment, and how it came to be: the table `ml_champion_decisions`."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.rows import columns, one, parameters, placeholders
from e2i_assets.adapters.repositories.test_access import record_test_access
from e2i_assets.adapters.repositories.training_runs import StoredRun


@dataclass(frozen=True, slots=True, kw_only=True)
class ChampionRow:
    """A decision; ``gain`` above 0 means that the challenger is better. See `core.automation.champion`."""

    experiment_id: str
    challenger_key: str
    champion_key: str | None
    split_id: str | None
    metric: str
    test_rows: int
    challenger_value: float | None
    champion_value: float | None
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    promoted: bool
    reason: str
    model_folder: str
    decision_threshold: float | None
    mlflow_model_version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDecision(ChampionRow):
    """A decision as it stands, and the way of splitting that its test rows came from."""

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
_STEP_DOWN = sa.text("""
    UPDATE ml_model_registry SET is_champion = false
    WHERE is_champion AND model_name IN (SELECT model_name FROM ml_model_registry WHERE model_key = :challenger_key)
""")
_STEP_UP = sa.text("UPDATE ml_model_registry SET is_champion = true WHERE model_key = :challenger_key")
_CHAMPION_KEY = sa.text("""
    SELECT model_key FROM ml_model_registry
    WHERE is_champion AND model_name IN (SELECT model_name FROM ml_model_registry WHERE model_key = :model_key)
""")
_CONFIG = sa.text("SELECT config_hash FROM ml_split_registry WHERE id = :split_id")


@dataclass(frozen=True, slots=True)
class ChampionRepository:
    """Reads and writes decisions."""

    database: Database

    def current(self, experiment_id: str) -> StoredDecision | None:
        """Return the decision that made the present champion of an experiment."""
        with self.database.connect() as connection:
            return one(StoredDecision, connection.execute(_CURRENT, {"experiment_id": experiment_id}))

    def about(self, experiment_id: str, challenger_key: str) -> StoredDecision | None:
        """Return the last decision about a model."""
        values = {"experiment_id": experiment_id, "challenger_key": challenger_key}
        with self.database.connect() as connection:
            return one(StoredDecision, connection.execute(_ABOUT, values))

    def decide(self, row: ChampionRow, run: StoredRun, looked_by: str) -> None:
        """Record a decision, who is the champion now, and that the old one saw the test rows again: all or none."""
        with self.database.begin() as connection:
            connection.execute(_WRITE, parameters(row))
            if row.promoted:
                connection.execute(_STEP_DOWN, {"challenger_key": row.challenger_key})
                connection.execute(_STEP_UP, {"challenger_key": row.challenger_key})
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
        """Return the key of the champion among the registered models that share this one's name."""
        with self.database.connect() as connection:
            found = connection.execute(_CHAMPION_KEY, {"model_key": model_key}).scalar_one_or_none()
        return None if found is None else str(found)

    def config_hash(self, split_id: str | None) -> str | None:
        """Return the identity of the way of splitting behind a split."""
        with self.database.connect() as connection:
            return connection.execute(_CONFIG, {"split_id": split_id}).scalar_one_or_none()
