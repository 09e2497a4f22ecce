"""The patterns that are similar to an experiment's problem, and their differences from it."""

from dataclasses import dataclass

from pydantic import BaseModel

from e2i_assets.adapters.files.asset_values import AssetMissing
from e2i_assets.adapters.repositories.pattern_rows import SimilarPattern
from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.memory import meta_vector
from e2i_assets.core.memory.meta_vector import Difference, differences
from e2i_assets.services.project import Project
from e2i_assets.services.remember import patterns_like


@dataclass(frozen=True, slots=True)
class SimilarProblem:
    """A pattern with its similarity; `differences` is empty if only the sizes could be compared."""

    pattern: SimilarPattern
    differences: tuple[Difference, ...]
    compared: str


@dataclass(frozen=True, slots=True)
class Described:
    """The latest meta-features of an experiment's rows, and their origin."""

    meta_features: dict[str, float]
    data_hash: str | None
    origin: str


class _Seen(BaseModel):
    """The fields that are read from a stored warm start."""

    meta_features: dict[str, float]


def described(project: Project, experiment: Experiment) -> Described:
    """Return the meta-features of an experiment's rows.

    Raises:
        E2iError: There is neither a stored warm start nor a pattern.
    """
    try:
        seen: _Seen = project.read(_Seen, "warm_start", experiment.name)
        facts: SplitFacts = project.read(SplitFacts, "validation_splits", experiment.name)
        return Described(seen.meta_features, facts.search_hash, "its stored warm_start")
    except AssetMissing:
        pattern_id = project.pattern_maintenance.of_experiment(experiment.name)
        pattern = project.patterns.get(pattern_id) if pattern_id else None
    if pattern is None:
        raise E2iError(
            f"the rows of {experiment.name} have not been described yet: run `e2i run {experiment.name}` "
            "or materialize its warm_start in Dagster"
        )
    return Described(dict(pattern.meta_features), pattern.data_hash, f"its pattern {pattern.pattern_id}")


def similar_problems(
    project: Project, experiment: Experiment, problem: Described, min_similarity: float, limit: int
) -> list[SimilarProblem]:
    """Return the patterns with at least this similarity to an experiment's problem, as its warm start finds them."""
    found = patterns_like(project, experiment, problem.meta_features, problem.data_hash, min_similarity, limit)
    vector = meta_vector.meta_vector(problem.meta_features)
    return [_compared(pattern, vector) for pattern in found]


def _compared(pattern: SimilarPattern, vector: tuple[float, ...]) -> SimilarProblem:
    if pattern.meta_vector is None or pattern.meta_version != meta_vector.VERSION:
        return SimilarProblem(pattern, (), "sizes")
    return SimilarProblem(pattern, tuple(differences(vector, pattern.meta_vector)), "meta-features")
