"""What was seen of newer rows: the table `ml_drift_reports`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.rows import columns, every, parameters, placeholders


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRow:
    """One look; `features` are documents of a `core.automation.drift.FeatureDrift` each, the most drifted first."""

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
    """A look as it is kept."""

    looked_at: datetime


_WRITE = sa.text(f"INSERT INTO ml_drift_reports ({columns(DriftRow)}) VALUES ({placeholders(DriftRow)})")
_LAST = sa.text(f"""
    SELECT DISTINCT ON (experiment_id) {columns(StoredReport)} FROM ml_drift_reports
    ORDER BY experiment_id, looked_at DESC
""")


@dataclass(frozen=True, slots=True)
class DriftReportRepository:
    """Reads and writes looks at newer rows."""

    database: Database

    def save(self, row: DriftRow) -> None:
        """Keep a look."""
        with self.database.begin() as connection:
            connection.execute(_WRITE, parameters(row))

    def last(self) -> dict[str, StoredReport]:
        """Return the last look by the id of the experiment."""
        with self.database.connect() as connection:
            return {one.experiment_id: one for one in every(StoredReport, connection.execute(_LAST))}
