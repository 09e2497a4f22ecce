"""Patterns of finished studies: `ml_hpo_patterns`, `procedural_memories` and `ml_hpo_warmstart_uses`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

import sqlalchemy as sa
from sqlalchemy.exc import DataError, IntegrityError

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.pattern_rows import (
    STARTER,
    PatternRow,
    SimilarPattern,
    StoredPattern,
    pattern_id,
)
from e2i_assets.adapters.repositories.pattern_writes import add_patterns, replace_pattern
from e2i_assets.adapters.repositories.row_mapping import columns, every, one
from e2i_assets.core.errors import E2iError

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
_COUNT = sa.text("SELECT count(*) FILTER (WHERE spec_hash = :spec_hash), count(*) FROM ml_hpo_patterns")
# Every installation has the starter memory. Exporting it would lose its source on import.
_EXPORTED = sa.text(f"""
    SELECT CAST(pattern_id AS text) AS pattern_id, {columns(PatternRow)} FROM ml_hpo_patterns
    WHERE source <> '{STARTER}' ORDER BY created_at, pattern_id
""")
_INDEX = sa.text("SELECT e2i.index_hpo_patterns()")


class PatternRejected(E2iError):
    """A pattern with a value that the table does not accept."""


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

    def add(self, patterns: Iterable[PatternRow]) -> int:
        """Insert the patterns of studies that are not in the memory yet, all or none, and return their number.

        Raises:
            PatternRejected: The database does not accept a value of a pattern.
        """
        try:
            with self.database.begin() as connection:
                return add_patterns(connection, patterns)
        except (IntegrityError, DataError) as error:
            raise PatternRejected(str(error.orig).strip().splitlines()[0]) from error

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

    def counts(self, spec_hash: str) -> tuple[int, int]:
        """Return the number of patterns of a study, and of all patterns."""
        with self.database.connect() as connection:
            of_study, of_all = connection.execute(_COUNT, {"spec_hash": spec_hash}).one()
        return int(of_study), int(of_all)

    def exported(self) -> Iterator[dict[str, Any]]:
        """Yield the documents of all patterns except the starter memory, oldest first."""
        with self.database.connect() as connection:
            for found in connection.execution_options(yield_per=200).execute(_EXPORTED).mappings():
                yield dict(found)

    def build_index(self) -> None:
        """Create the index over the meta-feature vectors, if the server has pgvector and this account may use it."""
        with self.database.begin() as connection:
            connection.execute(_INDEX)

    def list(self) -> list[StoredPattern]:
        """Return all patterns, newest first."""
        with self.database.connect() as connection:
            return every(StoredPattern, connection.execute(_LIST))
