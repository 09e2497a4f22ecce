"""Writes of patterns, including those of the starter memory."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.pattern_rows import STARTER, PatternRow, pattern_id
from e2i_assets.adapters.repositories.row_mapping import columns, document, one, replacements

_MEMORY = (
    "procedure_id", "procedure_name", "procedure_type", "tool_sequence", "trigger_pattern", "intent_keywords",
    "detected_intent", "applicable_agents", "usage_count", "success_count",
)  # fmt: skip
# One statement writes both tables from JSON documents: many patterns need no more round trips than one.
_STORE = """
    WITH memories AS (
        INSERT INTO procedural_memories ({memory})
        SELECT {memory} FROM json_populate_recordset(NULL::procedural_memories, CAST(:memories AS json))
        ON CONFLICT (procedure_id) DO {on_memory}
    )
    INSERT INTO ml_hpo_patterns (pattern_id, procedure_id, {pattern})
    SELECT pattern_id, pattern_id, {pattern}
    FROM json_populate_recordset(NULL::ml_hpo_patterns, CAST(:patterns AS json))
    ON CONFLICT (pattern_id) DO {on_pattern}
"""
_COLUMNS = {"memory": ", ".join(_MEMORY), "pattern": columns(PatternRow)}
_REPLACE = sa.text(
    _STORE.format(
        **_COLUMNS,
        on_memory="UPDATE SET tool_sequence = excluded.tool_sequence",
        on_pattern=f"UPDATE SET {replacements(PatternRow, 'spec_hash')}",
    )
)
_ADD = sa.text(_STORE.format(**_COLUMNS, on_memory="NOTHING", on_pattern="NOTHING"))
_REFRESH = sa.text(
    _STORE.format(
        **_COLUMNS,
        on_memory="NOTHING",
        on_pattern=f"UPDATE SET {replacements(PatternRow, 'spec_hash')} WHERE ml_hpo_patterns.source = excluded.source",
    )
)
_AT_ONCE = 200


def replace_pattern(connection: sa.Connection, pattern: PatternRow) -> None:
    """Insert or update the pattern of a study, in the caller's transaction."""
    connection.execute(_REPLACE, _documents([pattern]))


def add_patterns(connection: sa.Connection, patterns: Iterable[PatternRow], refresh: bool = False) -> int:
    """Insert the patterns of studies that are not in the memory yet, and return the number of rows written.

    Args:
        connection: A connection in a transaction of the caller.
        patterns: The patterns; they are written in batches.
        refresh: Also update, and count, existing patterns from the same source.
    """
    remaining = iter(patterns)
    written = 0
    while batch := list(islice(remaining, _AT_ONCE)):
        written += connection.execute(_REFRESH if refresh else _ADD, _documents(batch)).rowcount
    return written


def _documents(patterns: Iterable[PatternRow]) -> dict[str, str]:
    """Return the statement parameters for storing patterns.

    Raises:
        ValueError: A number in a JSON document is not finite. For numbers with a column, the database raises.
    """
    rows = [(pattern_id(pattern.spec_hash), pattern) for pattern in patterns]
    return {
        "memories": document([_memory(pattern) | {"procedure_id": id} for id, pattern in rows]),
        "patterns": document([_pattern(pattern) | {"pattern_id": id} for id, pattern in rows]),
    }


def _pattern(pattern: PatternRow) -> dict[str, Any]:
    """Return a pattern as a document; non-finite numbers become text, so that the table rejects them."""
    row = {field.name: getattr(pattern, field.name) for field in fields(pattern)}
    row["meta_vector"] = None if pattern.meta_vector is None else [_number(value) for value in pattern.meta_vector]
    return {name: _number(value) for name, value in row.items()}


def _number(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _memory(pattern: PatternRow) -> dict[str, Any]:
    """Return the row of a pattern in `procedural_memories`."""
    learned = {"algorithm": pattern.algorithm_name, "best_hyperparameters": dict(pattern.best_hyperparameters)}
    return {
        "procedure_type": "optimization",
        "detected_intent": "optimization",
        "applicable_agents": ["model_trainer"],
        "usage_count": 1,
        "success_count": 1,
        "procedure_name": f"hpo_{pattern.algorithm_name}_{pattern.problem_type}",
        "tool_sequence": learned,
        "trigger_pattern": f"tune {pattern.algorithm_name} for {pattern.problem_type} by {pattern.optimization_metric}",
        "intent_keywords": ["hpo", pattern.algorithm_name, pattern.problem_type, pattern.optimization_metric],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class StarterMemory:
    """The starter memory that was last loaded or removed."""

    starter_hash: str
    n_patterns: int
    loaded_at: datetime
    removed_at: datetime | None


# A table lock: of two processes that start together, only one loads the starter memory.
_LOCK = sa.text("LOCK TABLE ml_hpo_starter_memories IN SHARE ROW EXCLUSIVE MODE")
_LAST = sa.text("""
    SELECT starter_hash, n_patterns, loaded_at, removed_at FROM ml_hpo_starter_memories
    ORDER BY loaded_at DESC, starter_hash LIMIT 1
""")
_LOADED = sa.text("""
    INSERT INTO ml_hpo_starter_memories (starter_hash, n_patterns) VALUES (:starter_hash, :n_patterns)
    ON CONFLICT (starter_hash) DO UPDATE
    SET n_patterns = excluded.n_patterns, loaded_at = excluded.loaded_at, removed_at = NULL
""")
_REMOVED = sa.text("UPDATE ml_hpo_starter_memories SET removed_at = clock_timestamp() WHERE removed_at IS NULL")
_NOT_WANTED = sa.text("""
    INSERT INTO ml_hpo_starter_memories (starter_hash, n_patterns, removed_at)
    SELECT 'none', 0, clock_timestamp() WHERE NOT EXISTS (SELECT FROM ml_hpo_starter_memories)
""")
_DELETE = sa.text(f"""
    DELETE FROM procedural_memories AS memory USING ml_hpo_patterns AS pattern
    WHERE memory.procedure_id = pattern.procedure_id AND pattern.source = '{STARTER}'
      AND pattern.spec_hash <> ALL (CAST(:kept AS text[]))
""")


@dataclass(frozen=True, slots=True)
class StarterPatternRepository:
    """Loads and removes the starter memory."""

    database: Database

    def last(self) -> StarterMemory | None:
        """Return the starter memory that was last loaded or removed, or None."""
        with self.database.connect() as connection:
            return one(StarterMemory, connection.execute(_LAST))

    def load(self, starter_hash: str, rows: Callable[[], Iterable[PatternRow]], again: bool = False) -> int | None:
        """Load a starter memory in place of an earlier one; statistics of its patterns' uses are preserved.

        Args:
            starter_hash: Identifies the starter memory.
            rows: Returns the patterns; called only if they are to be loaded.
            again: Whether to load it even if it is loaded already or was removed by a user.

        Returns:
            The number of its patterns; None if nothing was loaded.
        """
        with self.database.begin() as connection:
            connection.execute(_LOCK)
            last = one(StarterMemory, connection.execute(_LAST))
            if last and not again and (last.removed_at or last.starter_hash == starter_hash):
                return None
            patterns = [replace(row, source=STARTER) for row in rows()]
            connection.execute(_DELETE, {"kept": [row.spec_hash for row in patterns]})
            add_patterns(connection, patterns, refresh=True)
            connection.execute(_LOADED, {"starter_hash": starter_hash, "n_patterns": len(patterns)})
        return len(patterns)

    def remove(self) -> int:
        """Remove the starter memory until a user loads one again, and return the number of removed patterns."""
        with self.database.begin() as connection:
            connection.execute(_LOCK)
            connection.execute(_NOT_WANTED)
            connection.execute(_REMOVED)
            return connection.execute(_DELETE, {"kept": []}).rowcount
