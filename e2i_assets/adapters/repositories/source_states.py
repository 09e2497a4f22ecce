"""What the sources held when a run last set out to read them: the table `ml_source_states`."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database

_WRITE = sa.text("""
    INSERT INTO ml_source_states (experiment_id, fingerprint)
    SELECT id, :fingerprint FROM ml_experiments WHERE experiment_name = :experiment
    ON CONFLICT (experiment_id) DO UPDATE SET
        fingerprint = excluded.fingerprint, read_at = clock_timestamp()
""")
_READ = sa.text("""
    SELECT experiment.experiment_name, state.fingerprint, state.read_at
    FROM ml_source_states AS state JOIN ml_experiments AS experiment ON experiment.id = state.experiment_id
""")


@dataclass(frozen=True, slots=True)
class SourceState:
    """What a source was when a run last set out to read it, and when that was."""

    fingerprint: str
    read_at: datetime


@dataclass(frozen=True, slots=True)
class SourceStateRepository:
    """Reads and writes the states of sources."""

    database: Database

    def read(self, experiment: str, fingerprint: str) -> None:
        """Record that the rows of an experiment are about to be read, and what their source is."""
        with self.database.begin() as connection:
            connection.execute(_WRITE, {"experiment": experiment, "fingerprint": fingerprint})

    def last(self) -> dict[str, SourceState]:
        """Return by experiment what its source was when it was last read."""
        with self.database.connect() as connection:
            return {name: SourceState(*state) for name, *state in connection.execute(_READ)}
