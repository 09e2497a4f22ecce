"""Records of the automation: the tables `ml_alerts`, `ml_drift_reports` and `ml_source_states`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.row_mapping import columns, every, parameters, placeholders

# A single statement, so that of several daemons exactly one sends the alert.
_CLAIM = sa.text("""
    INSERT INTO ml_alerts AS alert (cause, told_at, last_text) VALUES (:cause, clock_timestamp(), :text)
    ON CONFLICT (cause) DO UPDATE SET
        told_at = clock_timestamp(), times = alert.times + 1, last_text = excluded.last_text
    WHERE alert.told_at <= clock_timestamp() - make_interval(secs => :pause)
    RETURNING untold
""")
_COUNT = sa.text("UPDATE ml_alerts SET times = times + 1, untold = untold + 1, last_text = :text WHERE cause = :cause")
_RESET = sa.text("UPDATE ml_alerts SET untold = 0 WHERE cause = :cause")
_RELEASE = sa.text("UPDATE ml_alerts SET told_at = '-infinity', untold = untold + 1 WHERE cause = :cause")

PAUSE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class AlertRepository:
    """Reads and writes alerts."""

    database: Database
    pause_seconds: float = PAUSE_SECONDS

    def claim(self, cause: str, text: str) -> int | None:
        """Claim the sending of an alert for a cause.

        Returns:
            The number of failures of this cause that were not reported since the last alert; None if that alert was
            sent within the pause.
        """
        values = {"cause": cause, "text": text, "pause": self.pause_seconds}
        with self.database.begin() as connection:
            unreported = connection.execute(_CLAIM, values).scalar_one_or_none()
            connection.execute(_COUNT if unreported is None else _RESET, {"cause": cause, "text": text})
        return None if unreported is None else int(unreported)

    def release(self, cause: str) -> None:
        """Release a claimed cause whose alert could not be sent."""
        with self.database.begin() as connection:
            connection.execute(_RELEASE, {"cause": cause})


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRow:
    """A drift report; `features` are documents of `core.automation.drift.FeatureDrift`, the most drifted first."""

    experiment_id: str
    fingerprint: str
    rows_seen: int
    labelled_rows: int
    drifted: bool
    reason: str
    features: Sequence[Mapping[str, Any]]
    metric: str | None
    metric_then: float | None
    metric_now: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReport(DriftRow):
    """A stored drift report."""

    looked_at: datetime


_WRITE = sa.text(f"INSERT INTO ml_drift_reports ({columns(DriftRow)}) VALUES ({placeholders(DriftRow)})")
_LAST = sa.text(f"""
    SELECT DISTINCT ON (experiment_id) {columns(StoredReport)} FROM ml_drift_reports
    ORDER BY experiment_id, looked_at DESC
""")


@dataclass(frozen=True, slots=True)
class DriftReportRepository:
    """Reads and writes drift reports."""

    database: Database

    def save(self, row: DriftRow) -> None:
        """Store a drift report."""
        with self.database.begin() as connection:
            connection.execute(_WRITE, parameters(row))

    def last(self) -> dict[str, StoredReport]:
        """Return the last drift report of each experiment, by experiment id."""
        with self.database.connect() as connection:
            return {one.experiment_id: one for one in every(StoredReport, connection.execute(_LAST))}


_WRITE_SOURCE_STATE = sa.text("""
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
    """The fingerprint of a source when a run last started to read it, and the time of that."""

    fingerprint: str
    read_at: datetime


@dataclass(frozen=True, slots=True)
class SourceStateRepository:
    """Reads and writes the states of sources."""

    database: Database

    def read(self, experiment: str, fingerprint: str) -> None:
        """Record that a run is about to read the rows of an experiment, and the fingerprint of their source."""
        with self.database.begin() as connection:
            connection.execute(_WRITE_SOURCE_STATE, {"experiment": experiment, "fingerprint": fingerprint})

    def last(self) -> dict[str, SourceState]:
        """Return the last state of each experiment's source, by experiment name."""
        with self.database.connect() as connection:
            return {name: SourceState(*state) for name, *state in connection.execute(_READ)}
