"""What finished studies taught: the tables `ml_hpo_patterns`, `procedural_memories` and `ml_hpo_warmstart_uses`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.stores.rows import columns, document, every, one, parameters, placeholders, replacements


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternRow:
    """What the memory keeps of a study; `spec_hash` is the study's identity.

    Attributes:
        top_configurations: The best distinct configurations, best first.
        class_balance: Share of the rarest class, for classification.
        source: Where the pattern comes from: ``study``, or the name of what it was imported from.
    """

    spec_hash: str
    data_hash: str
    algorithm_name: str
    problem_type: str
    search_space: Mapping[str, Any]
    best_hyperparameters: Mapping[str, Any]
    top_configurations: Sequence[Mapping[str, Any]]
    best_value: float
    optimization_metric: str
    n_samples: int
    n_features: int
    n_trials: int
    n_completed: int
    n_pruned: int = 0
    n_classes: int | None = None
    class_balance: float | None = None
    feature_types: Mapping[str, Any] | None = None
    meta_features: Mapping[str, Any] = field(default_factory=dict)
    duration_seconds: float | None = None
    study_name: str | None = None
    source: str = "study"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPattern(PatternRow):
    """A pattern with how often it has helped; `warmstart_improvement_avg` is the mean of the measured improvements."""

    pattern_id: str
    times_used_as_warmstart: int
    warmstart_improvement_avg: float | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarPattern(StoredPattern):
    """A pattern with its similarity, 0 to 1, to the problem that was asked about."""

    similarity: float


_STORE_MEMORY = sa.text("""
    INSERT INTO procedural_memories (
        procedure_id, procedure_name, procedure_type, tool_sequence, trigger_pattern, intent_keywords, detected_intent,
        applicable_agents, usage_count, success_count
    ) VALUES (
        :pattern_id, :procedure_name, 'optimization', :tool_sequence, :trigger_pattern, :intent_keywords,
        'optimization', '{model_trainer}', 1, 1
    ) ON CONFLICT (procedure_id) DO UPDATE SET tool_sequence = excluded.tool_sequence
""")
_STORE_PATTERN = sa.text(f"""
    INSERT INTO ml_hpo_patterns (pattern_id, procedure_id, {columns(PatternRow)})
    VALUES (:pattern_id, :pattern_id, {placeholders(PatternRow)})
    ON CONFLICT (pattern_id) DO UPDATE SET {replacements(PatternRow, "spec_hash")}
""")
_SIMILAR = sa.text(f"""
    SELECT {columns(StoredPattern, "pattern")}, found.similarity
    FROM find_similar_hpo_patterns(
        :algorithm, :problem_type, :metric, :n_samples, :n_features, :class_balance, :min_similarity, :limit,
        :exclude_data_hash
    ) WITH ORDINALITY AS found (pattern_id, similarity, place)
    JOIN ml_hpo_patterns AS pattern ON pattern.pattern_id = found.pattern_id
    ORDER BY found.place
""")
_RECORD_USE = sa.text(
    "SELECT record_hpo_warmstart_usage(:pattern_id, :study_id, :trial_number, :similarity, :improvement)"
)
_GET = sa.text(f"SELECT {columns(StoredPattern)} FROM ml_hpo_patterns WHERE pattern_id = :pattern_id")
_LIST = sa.text(f"SELECT {columns(StoredPattern)} FROM ml_hpo_patterns ORDER BY created_at DESC, pattern_id")


@dataclass(frozen=True, slots=True)
class PatternStore:
    """Reads and writes the memory."""

    database: Database

    def store(self, pattern: PatternRow) -> str:
        """Keep a pattern, once for each study, and return its id; how often it has helped is left as it is."""
        # The id follows from the identity, so that two processes cannot make two patterns of one study.
        pattern_id = str(uuid5(NAMESPACE_URL, f"e2i_assets/hpo-pattern/{pattern.spec_hash}"))
        with self.database.begin() as connection:
            connection.execute(_STORE_MEMORY, _memory(pattern) | {"pattern_id": pattern_id})
            connection.execute(_STORE_PATTERN, parameters(pattern) | {"pattern_id": pattern_id})
        return pattern_id

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
    ) -> list[SimilarPattern]:
        """Return the patterns of problems at least so similar, most similar first.

        Only patterns of the same algorithm, problem type and metric count, and none of `exclude_data_hash`.
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
        }
        with self.database.connect() as connection:
            return every(SimilarPattern, connection.execute(_SIMILAR, asked))

    def record_use(
        self, pattern_id: str, study_id: str, trial_number: int, similarity: float, improvement: float | None
    ) -> bool:
        """Record that a study tried a pattern in one of its trials, and what that brought, if it could be measured.

        Returns:
            Whether it counts: not when the trial failed or never ran. Once for each study, however often it is said.
        """
        use = {
            "pattern_id": pattern_id,
            "study_id": study_id,
            "trial_number": trial_number,
            "similarity": similarity,
            "improvement": improvement,
        }
        with self.database.begin() as connection:
            return bool(connection.execute(_RECORD_USE, use).scalar_one())

    def get(self, pattern_id: str) -> StoredPattern | None:
        """Return a pattern."""
        with self.database.connect() as connection:
            return one(StoredPattern, connection.execute(_GET, {"pattern_id": pattern_id}))

    def list(self) -> list[StoredPattern]:
        """Return all patterns, newest first."""
        with self.database.connect() as connection:
            return every(StoredPattern, connection.execute(_LIST))


def _memory(pattern: PatternRow) -> dict[str, Any]:
    """What the general memory says of a pattern."""
    learnt = {"algorithm": pattern.algorithm_name, "best_hyperparameters": dict(pattern.best_hyperparameters)}
    return {
        "procedure_name": f"hpo_{pattern.algorithm_name}_{pattern.problem_type}",
        "tool_sequence": document(learnt),
        "trigger_pattern": f"tune {pattern.algorithm_name} for {pattern.problem_type} by {pattern.optimization_metric}",
        "intent_keywords": ["hpo", pattern.algorithm_name, pattern.problem_type, pattern.optimization_metric],
    }
