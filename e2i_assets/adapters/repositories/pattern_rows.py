"""The rows of the pattern memory: what it stores of a finished study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

STARTER = "starter"


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternRow:
    """The pattern of a study; `spec_hash` is the study key.

    Attributes:
        top_configurations: The best distinct configurations, best first.
        class_balance: Share of the rarest class, for classification.
        trials: Every evaluated configuration, ``{"values": {...}, "value": 0.8}`` each; higher is better.
        default_value: The value of the algorithm's defaults in the same study.
        meta_vector: The 16 scaled meta-features; None if only the sizes are known.
        meta_version: Version of the definition of the vector; only vectors of the same version are compared.
        source: Origin of the pattern: ``study``, ``starter``, or ``import:`` and the name of the imported file.
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
    """A stored pattern with its usefulness so far.

    Attributes:
        warmstart_improvement_avg: Mean of the measured improvements.
        trust: Usefulness, 0 to 1: (1 + uses that helped) / (1 + measured uses), 1 if it was never used.
    """

    pattern_id: str
    times_used_as_warmstart: int
    warmstart_improvement_avg: float | None
    trust: float
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarPattern(StoredPattern):
    """A pattern with its similarity, 0 to 1, to the requested problem."""

    similarity: float


def pattern_id(spec_hash: str) -> str:
    """Return the id of a study's pattern: derived from the study key, so that a study has exactly one pattern."""
    return str(uuid5(NAMESPACE_URL, f"e2i_assets/hpo-pattern/{spec_hash}"))
