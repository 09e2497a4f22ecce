"""From the memory to a head start and back: which configurations a study tries first, and what that brought."""

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from e2i_assets.core.search.selection import candidates
from e2i_assets.core.search.study import Proposal
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search_space.space import SearchSpace, brought_into, violations

PATTERN = "pattern_id"
KEPT_CONFIGURATIONS = 5


class Candidate(BaseModel):
    """A configuration that did well on a similar past problem."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    pattern_id: str
    similarity: float
    study_name: str | None
    values: dict[str, Any]


class WarmConfiguration(BaseModel):
    """A configuration that the study tries first.

    Attributes:
        values: Legal in the study's space; parameters that are not named are left to the sampler.
        origin: ``default`` for the algorithm's defaults brought into the space, else ``warm_start``.
        notes: What was moved onto the grid or dropped on the way.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    values: dict[str, Any]
    origin: str
    pattern_id: str | None = None
    similarity: float | None = None
    study_name: str | None = None
    notes: tuple[str, ...] = ()

    def proposal(self) -> Proposal:
        """Return it as the study takes it."""
        attributes = {PATTERN: self.pattern_id, "similarity": self.similarity} if self.pattern_id else {}
        return Proposal(self.values, "warm_start" if self.pattern_id else "default", attributes)


class WarmStart(BaseModel):
    """Everything that a study tries first, in order."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    configurations: tuple[WarmConfiguration, ...]
    meta_features: dict[str, float]
    considered: int
    reason: str

    @property
    def patterns(self) -> tuple[WarmConfiguration, ...]:
        """The configurations that come from the memory."""
        return tuple(one for one in self.configurations if one.pattern_id)


def first_configurations(
    candidates: Iterable[Candidate], defaults: dict[str, Any], space: SearchSpace, limit: int
) -> tuple[WarmConfiguration, ...]:
    """Return the distinct legal configurations of the most similar patterns, then the defaults.

    Args:
        candidates: Most similar first.
        defaults: The algorithm's defaults; values outside the space move to its edge.
        space: Today's search space.
        limit: Most configurations to take from the memory.
    """
    found: list[WarmConfiguration] = []
    for candidate in candidates:
        values, notes = brought_into(candidate.values, space)
        if len(found) < limit and values and all(values != other.values for other in found):
            found.append(
                WarmConfiguration(
                    values=values,
                    origin="warm_start",
                    pattern_id=candidate.pattern_id,
                    similarity=candidate.similarity,
                    study_name=candidate.study_name,
                    notes=tuple(notes),
                )
            )
    values, notes = brought_into({name: defaults[name] for name in defaults if name in space}, space)
    if values and all(values != other.values for other in found):
        found.append(WarmConfiguration(values=values, origin="default", notes=tuple(notes)))
    return tuple(found)


def illegal_values(warm_start: WarmStart, space: SearchSpace) -> list[str]:
    """Return what in the warm start today's space does not allow, in words."""
    found = []
    for position, configuration in enumerate(warm_start.configurations):
        given = {name: dimension for name, dimension in space.items() if name in configuration.values}
        broken = violations(
            configuration.values, {name: one.model_copy(update={"when": None}) for name, one in given.items()}
        )
        found += [f"configuration {position}: {violation}" for violation in broken]
        found += [
            f"configuration {position}: {name} is not searched" for name in configuration.values if name not in space
        ]
    return found


def top_configurations(result: StudyResult, space: SearchSpace) -> list[dict[str, Any]]:
    """Return the best few distinct configurations within a study's constraints, best first by its first objective.

    Rounds that early stopping cut short are kept as they ended, brought onto the grid.
    """
    found: list[dict[str, Any]] = []
    for trial in sorted(candidates(result.trials), key=lambda one: (-(one.value or 0.0), one.number)):
        values, _ = brought_into({name: trial.params[name] for name in trial.sampled if name in trial.params}, space)
        if all(values != other["values"] for other in found):
            found.append({"values": values, "value": trial.value, "trial_number": trial.number})
        if len(found) == KEPT_CONFIGURATIONS:
            break
    return found


class WarmStartUse(BaseModel):
    """What one pattern's configuration brought to the study that tried it.

    Attributes:
        improvement: Its value minus the value of the algorithm's defaults in the same study, on the same rows, higher
            is better; None when the trial did not complete.
        rank: Its rank among the completed trials, 1 is the best.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    pattern_id: str
    trial_number: int
    similarity: float
    value: float | None
    improvement: float | None
    rank: int | None


def uses(result: StudyResult) -> tuple[WarmStartUse, ...]:
    """Return what each warm trial that ran brought; a configuration that was never run is not a use."""
    values = sorted((trial.value for trial in result.trials if trial.value is not None), reverse=True)
    return tuple(
        WarmStartUse(
            pattern_id=trial.attributes[PATTERN],
            trial_number=trial.number,
            similarity=trial.attributes["similarity"],
            value=trial.value,
            improvement=_difference(trial.value, result.default_value),
            rank=None if trial.value is None else values.index(trial.value) + 1,
        )
        for trial in result.trials
        if PATTERN in trial.attributes and trial.counts
    )


def similar_first(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Order candidates so that each pattern's best comes before any pattern's second."""
    seen: dict[str, int] = {}
    ranked = []
    for candidate in candidates:
        seen[candidate.pattern_id] = seen.get(candidate.pattern_id, 0) + 1
        ranked.append((seen[candidate.pattern_id], -candidate.similarity, candidate))
    return [candidate for _, _, candidate in sorted(ranked, key=lambda entry: entry[:2])]


def _difference(value: float | None, default: float | None) -> float | None:
    return None if value is None or default is None else value - default
