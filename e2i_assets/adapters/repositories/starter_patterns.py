"""The starter memory: patterns that came with the product, marked as such; taken out once, they stay out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.pattern_rows import STARTER, PatternRow
from e2i_assets.adapters.repositories.pattern_writes import add_patterns
from e2i_assets.adapters.repositories.rows import one


@dataclass(frozen=True, slots=True, kw_only=True)
class StarterMemory:
    """The starter memory that was loaded or removed last."""

    starter_hash: str
    n_patterns: int
    loaded_at: datetime
    removed_at: datetime | None


# One at a time: two processes that start together load it once.
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
    """Puts the starter memory into the memory, and takes it out."""

    database: Database

    def last(self) -> StarterMemory | None:
        """Return what was loaded or removed last."""
        with self.database.connect() as connection:
            return one(StarterMemory, connection.execute(_LAST))

    def load(self, starter_hash: str, rows: Callable[[], Iterable[PatternRow]], again: bool = False) -> int | None:
        """Put a starter memory in, in place of an earlier one; how often its patterns have helped is kept.

        Args:
            starter_hash: Identifies what is loaded.
            rows: Gives the patterns; asked for only when they are to be loaded.
            again: Although it is there, or somebody took a starter memory out.

        Returns:
            How many patterns it has; None when it was left as it is.
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
        """Take the starter memory out, for good until somebody loads one again, and return how many patterns went."""
        with self.database.begin() as connection:
            connection.execute(_LOCK)
            connection.execute(_NOT_WANTED)
            connection.execute(_REMOVED)
            return connection.execute(_DELETE, {"kept": []}).rowcount
