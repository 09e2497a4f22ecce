"""What finished studies taught: the tables `ml_hpo_patterns`, `procedural_memories` and `ml_hpo_warmstart_uses`."""

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
    """The result of a trial that tried a pattern, beside those of the study's other trials; higher is better.

    `value` is the trial's, `default_value` that of the algorithm's defaults, `best_value` the best of the study's other
    first trials; `rank` is that of the trial among the `n_ranked` completed ones, 1 is the best.
    """

    value: float | None
    default_value: float | None
    best_value: float | None
    rank: int | None
    n_ranked: int | None


@dataclass(frozen=True, slots=True)
class PatternRepository:
    """Reads and writes the memory."""

    database: Database

    def store(self, pattern: PatternRow) -> str:
        """Keep a pattern, once for each study, and return its id; how often it has helped is left as it is."""
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
        """Return the patterns of problems at least so similar, most similar first.

        Only patterns of the same algorithm, problem type and metric count, and none of `exclude_data_hash`. With a
        vector the similarity is exp(-distance) to the patterns with one of the same version; all others, and without
        one all, are compared by their sizes.
        """
        asked = {
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
            return every(SimilarPattern, connection.execute(_SIMILAR, asked))

    def record_use(
        self,
        pattern_id: str,
        study_id: str,
        trial_number: int,
        similarity: float,
        improvement: float | None,
        **measures: Unpack[UseMeasures],
    ) -> bool:
        """Record that a study tried a pattern in one of its trials, and what that brought, if it could be measured.

        Args:
            pattern_id: The pattern.
            study_id: The study that tried it.
            trial_number: The trial that did; each is a use of its own.
            similarity: Of the pattern's problem, 0 to 1.
            improvement: `value` minus `default_value`, higher is better; None leaves the pattern's mean as it is.
            measures: What else is known of the trial.

        Returns:
            Whether it counts: not when the trial failed or never ran, and not when the pattern was forgotten since it
            was asked for. Once for each trial, however often it is said.

        Raises:
            IntegrityError: There is no such pattern, and there never was one that was forgotten.
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
            # Forgotten a moment later, its uses would have gone with it: the same, whichever came first.
            with self.database.connect() as connection:
                if connection.execute(_FORGOTTEN, {"pattern_id": pattern_id}).scalar_one():
                    return False
            raise

    def get(self, pattern_id: str) -> StoredPattern | None:
        """Return a pattern."""
        with self.database.connect() as connection:
            return one(StoredPattern, connection.execute(_GET, {"pattern_id": pattern_id}))

    def list(self) -> list[StoredPattern]:
        """Return all patterns, newest first."""
        with self.database.connect() as connection:
            return every(StoredPattern, connection.execute(_LIST))
