"""What a model is worth for each part of its test rows: the table `ml_segment_metrics`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.rows import columns, every, parameters, placeholders


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRow:
    """The test rows that have one value in one column; `is_small` ones are not to be compared."""

    column_name: str
    segment: str
    test_rows: int
    is_small: bool
    test_metrics: Mapping[str, Any]
    test_intervals: Mapping[str, Any]


_CLEAR = sa.text("DELETE FROM ml_segment_metrics WHERE training_run_id = :training_run_id")
_WRITE = sa.text(
    f"INSERT INTO ml_segment_metrics (training_run_id, {columns(SegmentRow)}) "
    f"VALUES (:training_run_id, {placeholders(SegmentRow)})"
)
_READ = sa.text(
    f"SELECT {columns(SegmentRow)} FROM ml_segment_metrics WHERE training_run_id = :training_run_id "
    "ORDER BY column_name, test_rows DESC, segment"
)


def write_segments(connection: sa.Connection, training_run_id: str, rows: Sequence[SegmentRow]) -> None:
    """Replace the segments of a training run."""
    connection.execute(_CLEAR, {"training_run_id": training_run_id})
    if rows:
        connection.execute(_WRITE, [{**parameters(row), "training_run_id": training_run_id} for row in rows])


def segments_of(database: Database, training_run_id: str) -> list[SegmentRow]:
    """Return the segments of a training run, by column, the largest first."""
    with database.connect() as connection:
        return every(SegmentRow, connection.execute(_READ, {"training_run_id": training_run_id}))
