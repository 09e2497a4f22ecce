"""Uses of test and holdout rows: `ml_test_looks`, `ml_holdout_openings` and `ml_segment_metrics`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.row_mapping import bound, columns, every, parameters, placeholders


@dataclass(frozen=True, slots=True, kw_only=True)
class TestAccess:
    """One use of the test rows to evaluate a model; `look` counts them for this model."""

    __test__ = False  # pytest collects every class whose name begins with Test

    look: int
    looked_at: datetime
    looked_by: str
    reason: str
    dagster_run_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldoutOpening:
    """One use of the holdout rows to evaluate a model; `opening` counts them for this experiment."""

    opening: int
    opened_at: datetime
    opened_by: str
    reason: str
    model_key: str
    holdout_rows: int
    metrics: Mapping[str, Any]


_LOOK = sa.text("""
    INSERT INTO ml_test_looks (model_key, look, training_run_id, dagster_run_id, looked_by, reason)
    SELECT :model_key, count(*) + 1, :training_run_id, :dagster_run_id, :looked_by,
           CASE WHEN count(*) = 0 THEN :reason ELSE :reason || ' again' END
    FROM ml_test_looks WHERE model_key = :model_key
""")
_LOCK_RUN = sa.text("SELECT id FROM ml_training_runs WHERE id = :training_run_id FOR UPDATE")
_LOOK_ONCE = sa.text("""
    INSERT INTO ml_test_looks (model_key, look, training_run_id, looked_by, reason)
    SELECT :model_key, count(*) + 1, :training_run_id, :looked_by, :reason
    FROM ml_test_looks WHERE model_key = :model_key
    HAVING count(*) FILTER (WHERE reason = :reason) = 0
""")
_LOOKS = sa.text(f"SELECT {columns(TestAccess)} FROM ml_test_looks WHERE model_key = :model_key ORDER BY look")
_LOCK_EXPERIMENT = sa.text("SELECT id FROM ml_experiments WHERE id = :experiment_id FOR UPDATE")
_OPEN = sa.text(f"""
    INSERT INTO ml_holdout_openings (experiment_id, opening, training_run_id, model_key, split_id, opened_by, reason,
        holdout_rows, decision_threshold, metrics, intervals)
    SELECT id, (SELECT count(*) + 1 FROM ml_holdout_openings WHERE experiment_id = :experiment_id), :training_run_id,
        :model_key, :split_id, :opened_by, :reason, :holdout_rows, :decision_threshold, :metrics, :intervals
    FROM ml_experiments WHERE id = :experiment_id
    RETURNING {columns(HoldoutOpening)}
""")
_OPENINGS = sa.text(f"""
    SELECT {columns(HoldoutOpening, "opened")} FROM ml_holdout_openings AS opened
    JOIN ml_experiments AS experiment ON experiment.id = opened.experiment_id
    WHERE experiment.experiment_name = :name ORDER BY opened.opening
""")


@dataclass(frozen=True, slots=True)
class TestAccessRepository:
    """Reads and writes test-set accesses and holdout openings."""

    database: Database

    def accesses(self, model_key: str) -> list[TestAccess]:
        """Return the test-set accesses of a model, oldest first."""
        with self.database.connect() as connection:
            return every(TestAccess, connection.execute(_LOOKS, {"model_key": model_key}))

    def record_once(self, training_run_id: str, model_key: str, looked_by: str, reason: str) -> None:
        """Record a test-set access of a model, unless one with this reason is recorded already."""
        values = {"training_run_id": training_run_id, "model_key": model_key, "looked_by": looked_by, "reason": reason}
        with self.database.begin() as connection:
            connection.execute(_LOCK_RUN, {"training_run_id": training_run_id}).one()
            connection.execute(_LOOK_ONCE, values)

    def openings(self, experiment: str) -> list[HoldoutOpening]:
        """Return the holdout openings of an experiment, oldest first."""
        with self.database.connect() as connection:
            return every(HoldoutOpening, connection.execute(_OPENINGS, {"name": experiment}))

    def open_holdout(self, **opening: Any) -> HoldoutOpening:
        """Record a holdout opening with its metrics, and return it with its number.

        Args:
            opening: experiment_id, training_run_id, model_key, split_id, opened_by, reason, holdout_rows,
                decision_threshold, metrics and intervals.
        """
        with self.database.begin() as connection:
            connection.execute(_LOCK_EXPERIMENT, {"experiment_id": opening["experiment_id"]}).one()
            (found,) = every(HoldoutOpening, connection.execute(_OPEN, bound(opening)))
        return found


def record_test_access(
    connection: sa.Connection,
    training_run_id: str,
    *,
    model_key: str,
    looked_by: str,
    reason: str,
    dagster_run_id: str | None,
) -> None:
    """Record a test-set access; the caller's transaction must lock the training run, so that numbers are unique."""
    values = {
        "training_run_id": training_run_id,
        "model_key": model_key,
        "looked_by": looked_by,
        "reason": reason,
        "dagster_run_id": dagster_run_id,
    }
    connection.execute(_LOOK, values)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRow:
    """The test rows with one value in one column; `is_small` segments are not to be compared."""

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
    """Return the segments of a training run, by column, largest first."""
    with database.connect() as connection:
        return every(SegmentRow, connection.execute(_READ, {"training_run_id": training_run_id}))
