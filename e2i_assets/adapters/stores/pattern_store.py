"""What finished studies taught: the tables `ml_hpo_patterns`, `procedural_memories` and `ml_hpo_warmstart_uses`."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.stores.rows import columns, document, every, one, replacements

STARTER = "starter"


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternRow:
    """What the memory keeps of a study; `spec_hash` is the study's identity.

    Attributes:
        top_configurations: The best distinct configurations, best first.
        class_balance: Share of the rarest class, for classification.
        trials: Every judged configuration, ``{"values": {...}, "value": 0.8}`` each; higher is better.
        default_value: What the algorithm's defaults came to in the same study.
        meta_vector: The meta-features on their scales, 16 numbers; None where only the sizes are known.
        meta_version: What its numbers mean: vectors of different versions are not compared.
        source: Where the pattern comes from: ``study``, ``starter``, or ``import:`` and the name of what it came in.
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
    trials: Sequence[Mapping[str, Any]] = ()
    default_value: float | None = None
    meta_vector: Sequence[float] | None = None
    meta_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPattern(PatternRow):
    """A pattern with how often it has helped.

    Attributes:
        warmstart_improvement_avg: The mean of the improvements that could be measured.
        trust: What its uses say of it, 0 to 1: (1 + uses that helped) / (1 + measured uses), 1 when it was never used.
    """

    pattern_id: str
    times_used_as_warmstart: int
    warmstart_improvement_avg: float | None
    trust: float
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarPattern(StoredPattern):
    """A pattern with its similarity, 0 to 1, to the problem that was asked about."""

    similarity: float


_MEMORY = (
    "procedure_id", "procedure_name", "procedure_type", "tool_sequence", "trigger_pattern", "intent_keywords",
    "detected_intent", "applicable_agents", "usage_count", "success_count",
)  # fmt: skip
# Both tables in one statement, from documents: a bulk of patterns costs no more round trips than one.
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
_AT_ONCE = 200
_GET = sa.text(f"SELECT {columns(StoredPattern)} FROM ml_hpo_patterns WHERE pattern_id = :pattern_id")
_LIST = sa.text(f"SELECT {columns(StoredPattern)} FROM ml_hpo_patterns ORDER BY created_at DESC, pattern_id")


@dataclass(frozen=True, slots=True)
class PatternStore:
    """Reads and writes the memory."""

    database: Database

    def store(self, pattern: PatternRow) -> str:
        """Keep a pattern, once for each study, and return its id; how often it has helped is left as it is."""
        with self.database.begin() as connection:
            connection.execute(_REPLACE, _documents([pattern]))
        return pattern_id(pattern.spec_hash)

    def store_many(self, patterns: Iterable[PatternRow]) -> int:
        """Keep the patterns of studies that are not in the memory yet, all or none, and return how many those were."""
        with self.database.begin() as connection:
            return add_patterns(connection, patterns)

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
        *,
        value: float | None = None,
        default_value: float | None = None,
        best_value: float | None = None,
        rank: int | None = None,
        n_ranked: int | None = None,
    ) -> bool:
        """Record that a study tried a pattern in one of its trials, and what that brought, if it could be measured.

        Args:
            pattern_id: The pattern.
            study_id: The study that tried it.
            trial_number: The trial that did; each is a use of its own.
            similarity: Of the pattern's problem, 0 to 1.
            improvement: `value` minus `default_value`, higher is better; None leaves the pattern's mean as it is.
            value: What the trial came to.
            default_value: What the algorithm's defaults came to in the same study.
            best_value: What the best of the study's other first trials came to.
            rank: Of the trial among the `n_ranked` completed ones, 1 is the best.
            n_ranked: How many trials were ranked.

        Returns:
            Whether it counts: not when the trial failed or never ran. Once for each trial, however often it is said.
        """
        use = {
            "pattern_id": pattern_id,
            "study_id": study_id,
            "trial_number": trial_number,
            "similarity": similarity,
            "improvement": improvement,
            "value": value,
            "default_value": default_value,
            "best_value": best_value,
            "rank": rank,
            "n_ranked": n_ranked,
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


def pattern_id(spec_hash: str) -> str:
    """Return the id of a study's pattern: it follows from the identity, so that nobody can make two of one study."""
    return str(uuid5(NAMESPACE_URL, f"e2i_assets/hpo-pattern/{spec_hash}"))


def add_patterns(connection: sa.Connection, patterns: Iterable[PatternRow], refresh: bool = False) -> int:
    """Keep the patterns of studies that are not in the memory yet, in a transaction of the caller's, and count them.

    Args:
        connection: In a transaction.
        patterns: May be many.
        refresh: Bring those that are there from the same source up to date, and count them too.
    """
    remaining = iter(patterns)
    written = 0
    while batch := list(islice(remaining, _AT_ONCE)):
        written += connection.execute(_REFRESH if refresh else _ADD, _documents(batch)).rowcount
    return written


def _documents(patterns: Iterable[PatternRow]) -> dict[str, str]:
    """Return what is bound to store patterns.

    Raises:
        ValueError: A number inside a document is not finite; the database refuses those that have a column.
    """
    rows = [(pattern_id(pattern.spec_hash), pattern) for pattern in patterns]
    return {
        "memories": document([_memory(pattern) | {"procedure_id": id} for id, pattern in rows]),
        "patterns": document([_pattern(pattern) | {"pattern_id": id} for id, pattern in rows]),
    }


def _pattern(pattern: PatternRow) -> dict[str, Any]:
    """A pattern as a document; numbers that JSON does not have travel as text, for the table to refuse."""
    row = {field.name: getattr(pattern, field.name) for field in fields(pattern)}
    row["meta_vector"] = None if pattern.meta_vector is None else [_number(value) for value in pattern.meta_vector]
    return {name: _number(value) for name, value in row.items()}


def _number(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _memory(pattern: PatternRow) -> dict[str, Any]:
    """What the general memory says of a pattern."""
    learnt = {"algorithm": pattern.algorithm_name, "best_hyperparameters": dict(pattern.best_hyperparameters)}
    return {
        "procedure_type": "optimization",
        "detected_intent": "optimization",
        "applicable_agents": ["model_trainer"],
        "usage_count": 1,
        "success_count": 1,
        "procedure_name": f"hpo_{pattern.algorithm_name}_{pattern.problem_type}",
        "tool_sequence": learnt,
        "trigger_pattern": f"tune {pattern.algorithm_name} for {pattern.problem_type} by {pattern.optimization_metric}",
        "intent_keywords": ["hpo", pattern.algorithm_name, pattern.problem_type, pattern.optimization_metric],
    }
