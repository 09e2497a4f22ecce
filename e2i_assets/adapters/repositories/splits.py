"""Splits and their leakage audit: `ml_split_registry`, `ml_split_assignments` and `ml_leakage_audit`."""

import io
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.row_mapping import columns, document, every
from e2i_assets.core.data.splits import ROLES, Role
from e2i_assets.core.leakage.finding import Finding

_CHUNK_ROWS = 50_000
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRow:
    """A split of an experiment's rows.

    Attributes:
        split_hash: Hash of this split of these rows.
        config_hash: Hash of the split configuration, equal for older and newer rows.
        ratios: Intended share of each split.
        counts: Number of rows in each split.
        row_count: Number of all rows, including those without a split.
        boundaries: The last time of each split's period; empty if time is not used.
    """

    experiment_id: str
    split_hash: str
    config_hash: str
    data_hash: str
    strategy: str
    ratios: Mapping[Role, float]
    counts: Mapping[Role, int]
    row_count: int
    seed: int
    group_column: str | None = None
    time_column: str | None = None
    gap_days: int = 0
    boundaries: Sequence[str | float] = ()


_SAVE = sa.text("""
    INSERT INTO ml_split_registry (
        experiment_id, split_hash, config_hash, data_hash, strategy, seed, group_column, time_column, gap_days,
        train_ratio, validation_ratio, test_ratio, holdout_ratio,
        train_rows, validation_rows, test_rows, holdout_rows, row_count, boundaries
    ) VALUES (
        :experiment_id, :split_hash, :config_hash, :data_hash, :strategy, :seed, :group_column, :time_column, :gap_days,
        :train_ratio, :validation_ratio, :test_ratio, :holdout_ratio,
        :train_rows, :validation_rows, :test_rows, :holdout_rows, :row_count, :boundaries
    ) ON CONFLICT (experiment_id, split_hash) DO NOTHING RETURNING id::text
""")
_ID_OF = sa.text(
    "SELECT id::text FROM ml_split_registry WHERE experiment_id = :experiment_id AND split_hash = :split_hash"
)
_SPLITS = sa.text("""
    SELECT id::text, boundaries FROM ml_split_registry
    WHERE experiment_id = :experiment_id AND config_hash = :config_hash ORDER BY created_at, id
""")
_REGISTERED = sa.text(
    "SELECT split.id::text, "
    + ", ".join(f"split.{role}_rows AS {role}" for role in ROLES)
    + " FROM ml_split_registry AS split JOIN ml_experiments AS experiment ON experiment.id = split.experiment_id "
    "WHERE experiment.experiment_name = :name AND split.split_hash = :split_hash"
)
_ASSIGNMENTS = sa.text("SELECT entity_key, role FROM ml_split_assignments WHERE split_id = :split_id")
_COPY = "COPY ml_split_assignments (split_id, entity_key, role) FROM STDIN"


@dataclass(frozen=True, slots=True)
class SplitRepository:
    """Reads and writes splits."""

    database: Database

    def save(self, split: SplitRow, assignments: Mapping[str, Role]) -> str:
        """Store a split and the assignment of each entity, and return its id; an existing split stays unchanged."""
        with self.database.begin() as connection:
            split_id = connection.execute(_SAVE, _values(split)).scalar_one_or_none()
            if split_id is not None:
                _copy(connection, f"{split_id}\t", assignments.items())
                return str(split_id)
        found = self.id_of(split.experiment_id, split.split_hash)
        assert found is not None, "splits are never deleted while their experiment is being split"
        return found

    def id_of(self, experiment_id: str, split_hash: str) -> str | None:
        """Return the id of a stored split, or None."""
        with self.database.connect() as connection:
            key = {"experiment_id": experiment_id, "split_hash": split_hash}
            return connection.execute(_ID_OF, key).scalar_one_or_none()

    def registered(self, experiment: str, split_hash: str) -> Mapping[str, Any] | None:
        """Return the id of a stored split and its row count of each split by name, or None."""
        with self.database.connect() as connection:
            key = {"name": experiment, "split_hash": split_hash}
            found = connection.execute(_REGISTERED, key).mappings().one_or_none()
        return None if found is None else dict(found)

    def assignments(self, split_id: str) -> dict[str, Role]:
        """Return the assignment of each entity of a stored split."""
        with self.database.connect() as connection:
            return {entity: role for entity, role in connection.execute(_ASSIGNMENTS, {"split_id": split_id})}

    def previous(self, experiment_id: str, config_hash: str) -> dict[str, Role] | None:
        """Return the assignment of each entity that was ever split with this configuration; None if there is no split.

        All splits are read and not only the newest, so that an entity that reappears keeps its assignment.
        """
        splits = self._splits(experiment_id, config_hash)
        if not splits:
            return None
        known: dict[str, Role] = {}
        for split_id, _ in splits:
            known.update(self.assignments(split_id))
        return known

    def boundaries(self, experiment_id: str, config_hash: str) -> list[str | float]:
        """Return the time boundaries of the first split with this configuration; empty if there is none."""
        splits = self._splits(experiment_id, config_hash)
        return list(splits[0][1]) if splits else []

    def _splits(self, experiment_id: str, config_hash: str) -> list[tuple[str, list[str | float]]]:
        """Return id and boundaries of all splits with one configuration, oldest first."""
        with self.database.connect() as connection:
            key = {"experiment_id": experiment_id, "config_hash": config_hash}
            return [(str(one[0]), one[1]) for one in connection.execute(_SPLITS, key)]


def _values(split: SplitRow) -> dict[str, Any]:
    ratios = {f"{role}_ratio": share for role, share in split.ratios.items()}
    counts = {f"{role}_rows": count for role, count in split.counts.items()}
    plain = (
        "experiment_id", "split_hash", "config_hash", "data_hash", "strategy", "row_count", "seed", "group_column",
        "time_column", "gap_days",
    )  # fmt: skip
    given = {name: getattr(split, name) for name in plain}
    return {**given, **ratios, **counts, "boundaries": document(list(split.boundaries))}


def _copy(connection: sa.Connection, prefix: str, assignments: Iterable[tuple[str, Role]]) -> None:
    """Send the assignments as text, in chunks: a million rows then take neither minutes nor gigabytes."""
    remaining = iter(assignments)
    with closing(connection.connection.cursor()) as cursor:
        while chunk := list(islice(remaining, _CHUNK_ROWS)):
            lines = "".join(f"{prefix}{entity.translate(_ESCAPES)}\t{role}\n" for entity, role in chunk)
            cursor.copy_expert(_COPY, io.StringIO(lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """A result of the leakage audit."""

    check_type: str
    passed: bool
    severity: str
    affected_records: int
    details: str
    examples: list[str]
    data_hash: str
    checked_at: datetime


_SAVE_LEAKAGE_AUDIT = sa.text(
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
    """Reads and writes the leakage audit."""

    database: Database

    def save(self, experiment_id: str, data_hash: str, split_hash: str, findings: Sequence[Finding]) -> None:
        """Store the findings of a split; earlier findings of the same split are replaced."""
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
            connection.execute(_SAVE_LEAKAGE_AUDIT, values)

    def of_split(self, experiment_id: str, split_hash: str) -> list[AuditRow]:
        """Return the audit results of a split."""
        with self.database.connect() as connection:
            key = {"experiment_id": experiment_id, "split_hash": split_hash}
            return every(AuditRow, connection.execute(_OF_SPLIT, key))
