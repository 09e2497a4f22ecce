"""What the memory keeps of a finished study, as it is written and as it is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

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


def pattern_id(spec_hash: str) -> str:
    """Return the id of a study's pattern: it follows from the identity, so that nobody can make two of one study."""
    return str(uuid5(NAMESPACE_URL, f"e2i_assets/hpo-pattern/{spec_hash}"))
