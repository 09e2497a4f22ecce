"""What was looked for in which split, and what was found: the table `ml_leakage_audit`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.rows import columns, document, every
from e2i_assets.core.leakage.finding import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One line of the audit."""

    check_type: str
    passed: bool
    severity: str
    affected_records: int
    details: str
    examples: list[str]
    data_hash: str
    checked_at: datetime


_SAVE = sa.text(
    "INSERT INTO ml_leakage_audit (experiment_id, data_hash, split_hash, check_type, passed, severity, "
    "affected_records, details, examples) VALUES (:experiment_id, :data_hash, :split_hash, :check_type, :passed, "
    ":severity, :affected_records, :details, :examples) ON CONFLICT (experiment_id, split_hash, check_type) DO UPDATE "
    "SET passed = excluded.passed, severity = excluded.severity, affected_records = excluded.affected_records, "
    "details = excluded.details, examples = excluded.examples, checked_at = now()"
)
_OF_SPLIT = sa.text(
    f"SELECT {columns(AuditRow)} FROM ml_leakage_audit "
    "WHERE experiment_id = :experiment_id AND split_hash = :split_hash ORDER BY check_type"
)


@dataclass(frozen=True, slots=True)
class LeakageAuditRepository:
    """Reads and writes the audit."""

    database: Database

    def save(self, experiment_id: str, data_hash: str, split_hash: str, findings: Sequence[Finding]) -> None:
        """Store what was found; what was found in the same split before is replaced."""
        key = {"experiment_id": experiment_id, "data_hash": data_hash, "split_hash": split_hash}
        values = [
            {
                **key,
                "check_type": finding.check_type,
                "passed": finding.passed,
                "severity": finding.severity,
                "affected_records": finding.affected,
                "details": finding.details,
                "examples": document(list(finding.examples)),
            }
            for finding in findings
        ]
        with self.database.begin() as connection:
            connection.execute(_SAVE, values)

    def of_split(self, experiment_id: str, split_hash: str) -> list[AuditRow]:
        """Return what was found in a split."""
        with self.database.connect() as connection:
            key = {"experiment_id": experiment_id, "split_hash": split_hash}
            return every(AuditRow, connection.execute(_OF_SPLIT, key))
