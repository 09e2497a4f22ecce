"""Patterns of finished studies: `ml_hpo_patterns`, `procedural_memories` and `ml_hpo_warmstart_uses`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict, Unpack

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.pattern_rows import PatternRow, SimilarPattern, StoredPattern, pattern_id
from e2i_assets.adapters.repositories.pattern_writes import replace_pattern
from e2i_assets.adapters.repositories.rows import columns, every, one

_SIMILAR = sa.text(f"""
    SELECT {columns(StoredPattern, "pattern")}, found.similarity
    FROM find_similar_hpo_patterns(
        :algorithm, :problem_type, :metric, :n_samples, :n_features, :class_balance, :min_similarity, :limit,
        :exclude_data_hash, CAST(:meta_vector AS real[]), :meta_version
    ) WITH ORDINALITY AS found (pattern_id, similarity, place)
    JOIN ml_hpo_patterns AS pattern ON pattern.pattern_id = found.pattern_id
    ORDER BY found.place
""")
_RECORD_USE = sa.text("""
    SELECT record_hpo_warmstart_usage(
        :pattern_id, :study_id, :trial_number, :similarity, :improvement, :value, :default_value, :best_value, :rank,
        :n_ranked
    )
""")
_FORGOTTEN = sa.text("""
    SELECT EXISTS (SELECT FROM ml_hpo_forgotten_patterns WHERE pattern_id = :pattern_id)
       AND NOT EXISTS (SELECT FROM ml_hpo_patterns WHERE pattern_id = :pattern_id)
""")
_GET = sa.text(f"SELECT {columns(StoredPattern)} FROM ml_hpo_patterns WHERE pattern_id = :pattern_id")
_LIST = sa.text(f"SELECT {columns(StoredPattern)} FROM ml_hpo_patterns ORDER BY created_at DESC, pattern_id")


class UseMeasures(TypedDict, total=False):
    """The result of a trial that tried a pattern, compared with the study's other trials; higher is better.

    `value` is the value of the trial, `default_value` that of the algorithm's defaults, and `best_value` that of the
    best trial of the study. `rank` is the rank of the trial among `n_ranked` completed ones, 1 is the best.
    """

    value: float | None
    default_value: float | None
    best_value: float | None
    rank: int | None
    n_ranked: int | None


@dataclass(frozen=True, slots=True)
class PatternRepository:
    """Reads and writes the pattern memory."""

    database: Database

    def store(self, pattern: PatternRow) -> str:
        """Insert or update the pattern of a study and return its id; the statistics of its uses are preserved."""
        with self.database.begin() as connection:
            replace_pattern(connection, pattern)
        return pattern_id(pattern.spec_hash)

    def similar(
        self,
        *,
        algorithm: str,
        problem_type: str,
        metric: str,
        n_samples: int,
        n_features: int,
        class_balance: float | None = None,
        min_similarity: float = 0.6,
        limit: int = 5,
        exclude_data_hash: str | None = None,
        meta_vector: Sequence[float] | None = None,
        meta_version: int | None = None,
    ) -> list[SimilarPattern]:
        """Return the patterns with at least the minimum similarity, most similar first.

        Only patterns with the same algorithm, problem type and metric are compared, and none of `exclude_data_hash`. If
        `meta_vector` is given, the similarity to patterns with a vector of the same version is exp(-distance); all
        other patterns are compared by their sizes.
        """
        query = {
            "algorithm": algorithm,
            "problem_type": problem_type,
            "metric": metric,
            "n_samples": n_samples,
            "n_features": n_features,
            "class_balance": class_balance,
            "min_similarity": min_similarity,
            "limit": limit,
            "exclude_data_hash": exclude_data_hash,
            "meta_vector": None if meta_vector is None else list(meta_vector),
            "meta_version": meta_version,
        }
        with self.database.connect() as connection:
            return every(SimilarPattern, connection.execute(_SIMILAR, query))

    def record_use(
        self,
        pattern_id: str,
        study_id: str,
        trial_number: int,
        similarity: float,
        improvement: float | None,
        **measures: Unpack[UseMeasures],
    ) -> bool:
        """Record that a trial of a study tried a pattern, and the measured improvement, if any.

        Args:
            pattern_id: The pattern.
            study_id: The study that tried it.
            trial_number: The trial that tried it; each trial counts as one use.
            similarity: Similarity of the pattern's problem, 0 to 1.
            improvement: `value` minus `default_value`, higher is better; None does not affect the pattern's mean.
            measures: Further measures of the trial.

        Returns:
            Whether the use counts: False if the trial failed or never ran, if it was recorded before, or if the pattern
            was removed after it was read.

        Raises:
            IntegrityError: The pattern does not exist and was never removed.
        """
        use = {
            "pattern_id": pattern_id,
            "study_id": study_id,
            "trial_number": trial_number,
            "similarity": similarity,
            "improvement": improvement,
            **dict.fromkeys(UseMeasures.__annotations__),
            **measures,
        }
        try:
            with self.database.begin() as connection:
                return bool(connection.execute(_RECORD_USE, use).scalar_one())
        except IntegrityError:
            # If the pattern had been removed a moment later, its uses would have been deleted too: the same result.
            with self.database.connect() as connection:
                if connection.execute(_FORGOTTEN, {"pattern_id": pattern_id}).scalar_one():
                    return False
            raise

    def get(self, pattern_id: str) -> StoredPattern | None:
        """Return a pattern, or None."""
        with self.database.connect() as connection:
            return one(StoredPattern, connection.execute(_GET, {"pattern_id": pattern_id}))

    def list(self) -> list[StoredPattern]:
        """Return all patterns, newest first."""
        with self.database.connect() as connection:
            return every(StoredPattern, connection.execute(_LIST))
