"""The warm start of a study: the configurations from the memory to try first, and which of them is next."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from e2i_assets.core.errors import E2iError
from e2i_assets.core.memory.past_problems import PastProblem, regrets
from e2i_assets.core.memory.portfolio import next_candidate, planned
from e2i_assets.core.search.proposals import Proposal, Proposer, Tried
from e2i_assets.core.search_space.space import SearchSpace, adapted_to, violations

PATTERN = "pattern_id"
# The number for each pattern: further configurations of the same study are mostly close to its best.
CONFIGURATIONS_OF_A_PATTERN = 3
# The maximum number of distinct candidates.
MOST_CANDIDATES = 80


class Pattern(BaseModel):
    """A stored study, as far as a warm start needs it.

    Attributes:
        similarity: Similarity of its rows to those of the new study, 0 to 1.
        trust: Share of its uses that helped, 0 to 1.
        top: Its best distinct configurations, best first.
        trials: ``values`` and ``value`` of its completed trials.
        data_hash, best_value: Hash of its rows, and its best value; they compare algorithms.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    pattern_id: str
    study_name: str | None
    similarity: float
    trust: float = 1.0
    top: tuple[dict[str, Any], ...]
    trials: tuple[dict[str, Any], ...] = ()
    data_hash: str | None = None
    best_value: float | None = None


class WarmConfiguration(BaseModel):
    """A configuration that a study may try first.

    Attributes:
        values: Valid values in the search space of the study; the sampler draws the parameters that are absent.
        origin: ``default`` for the algorithm's defaults, adapted to the space, else ``warm_start``.
        notes: A note for each value that was moved into the space or dropped.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    values: dict[str, Any]
    origin: str
    pattern_id: str | None = None
    similarity: float | None = None
    study_name: str | None = None
    notes: tuple[str, ...] = ()

    def proposal(self) -> Proposal:
        """Return the configuration as a proposal for a study."""
        attributes = {PATTERN: self.pattern_id, "similarity": self.similarity} if self.pattern_id else {}
        return Proposal(self.values, "warm_start" if self.pattern_id else "default", attributes)


class WarmStart(BaseModel):
    """The configurations that a study may try first, with their regrets on past problems.

    Attributes:
        configurations: The planned ones in order, then the other candidates, among them the defaults.
        tries: Number of configurations from the memory that the study tries before its sampler draws.
        problems: Past problems with the regret of each configuration.
        meta_features: Meta-features of the train rows.
        considered: Number of patterns with enough similarity.
        reason: Human-readable reason for this choice.
        error: Why the memory could not be read; the study then starts without it.
        contenders: The warm start of each compared algorithm, in the order of trying; None if there is only one.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    configurations: tuple[WarmConfiguration, ...]
    tries: int = 0
    problems: tuple[PastProblem, ...] = ()
    meta_features: dict[str, float]
    considered: int
    reason: str
    error: str | None = None
    contenders: "dict[str, WarmStart] | None" = None

    def of(self, algorithm: str) -> "WarmStart":
        """Return the warm start of an algorithm.

        Raises:
            E2iError: It was made for other algorithms.
        """
        if self.contenders is None:
            return self
        if algorithm not in self.contenders:
            raise E2iError(f"the warm start is of {', '.join(self.contenders)}: materialise warm_start again")
        return self.contenders[algorithm]

    @property
    def patterns(self) -> tuple[WarmConfiguration, ...]:
        """The configurations that come from the memory."""
        return tuple(one for one in self.configurations if one.pattern_id)

    def proposer(self) -> Proposer:
        """Return the function that selects the next configuration from the results so far."""
        return _proposer(self)


def warm_start(
    patterns: Sequence[Pattern],
    defaults: Mapping[str, Any],
    space: SearchSpace,
    tries: int,
    meta_features: Mapping[str, float],
    reason: str,
) -> WarmStart:
    """Return the warm start of a study.

    Args:
        patterns: Similar patterns, most similar first.
        defaults: The algorithm's defaults; values outside the space are moved to its bounds.
        space: The search space of the study.
        tries: Number of configurations to try before the sampler draws.
        meta_features: Meta-features of the train rows.
        reason: Why these patterns were chosen.
    """
    configurations = [*_candidates(patterns, space), *_defaults(defaults, space)]
    configurations = [
        one for i, one in enumerate(configurations) if all(one.values != o.values for o in configurations[:i])
    ]
    values = [one.values for one in configurations]
    problems = [
        PastProblem(
            pattern_id=one.pattern_id,
            study_name=one.study_name,
            similarity=one.similarity,
            trust=one.trust,
            regrets=regrets(one.trials or one.top, values, space),
        )
        for one in patterns
    ]
    default = [position for position, one in enumerate(configurations) if one.origin == "default"]
    tries = min(tries, len(configurations) - len(default))
    first = planned(problems, tries, default)
    order = [*first, *(position for position in range(len(values)) if position not in first)]
    return WarmStart(
        configurations=tuple(configurations[position] for position in order),
        tries=tries,
        problems=tuple(
            one.model_copy(update={"regrets": tuple(one.regrets[position] for position in order)}) for one in problems
        ),
        meta_features=dict(meta_features),
        considered=len(patterns),
        reason=reason,
    )


def invalid_values(warm_start: WarmStart, space: SearchSpace) -> list[str]:
    """Return a message for each value of the warm start that is not valid in the space."""
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


def _candidates(patterns: Sequence[Pattern], space: SearchSpace) -> list[WarmConfiguration]:
    """Return the distinct valid configurations: first the best of each pattern, then the second of each, and so on."""
    found: list[WarmConfiguration] = []
    for place in range(CONFIGURATIONS_OF_A_PATTERN):
        for pattern in patterns:
            if place >= len(pattern.top) or len(found) >= MOST_CANDIDATES:
                continue
            values, notes = adapted_to(pattern.top[place]["values"], space)
            if values and all(values != other.values for other in found):
                found.append(
                    WarmConfiguration(
                        values=values,
                        origin="warm_start",
                        pattern_id=pattern.pattern_id,
                        similarity=pattern.similarity,
                        study_name=pattern.study_name,
                        notes=tuple(notes),
                    )
                )
    return found


def _defaults(defaults: Mapping[str, Any], space: SearchSpace) -> list[WarmConfiguration]:
    values, notes = adapted_to({name: defaults[name] for name in defaults if name in space}, space)
    return [WarmConfiguration(values=values, origin="default", notes=tuple(notes))] if values else []


def _proposer(start: WarmStart) -> Proposer:
    def next_one(tried: Sequence[Tried], default_value: float | None) -> Proposal | None:
        places, observed = _results(start.configurations, tried)
        default = next((i for i, one in enumerate(start.configurations) if one.origin == "default"), None)
        if default is not None and default not in places and default_value is not None:
            observed[default] = default_value
        warm = [place for place in places if place != default]
        if len(warm) < start.tries:
            taken = [*places] if default is None else [*places, default]
            position = next_candidate(start.problems, observed, taken)
            return None if position is None else start.configurations[position].proposal()
        if default is None or default in places or _is_beaten(default_value, observed, warm):
            return None
        return start.configurations[default].proposal()

    return next_one


def _results(configurations: Sequence[WarmConfiguration], tried: Sequence[Tried]) -> tuple[list[int], dict[int, float]]:
    """Return the positions of the tried configurations, and the known results by position."""
    places: list[int] = []
    observed: dict[int, float] = {}
    for position, configuration in enumerate(configurations):
        there = [one for one in tried if one.is_of(configuration.values)]
        if there:
            places.append(position)
        known = [one.value for one in there if one.value is not None]
        if known or any(one.was_pruned for one in there):
            observed[position] = max(known, default=-float("inf"))
    return places, observed


def _is_beaten(default_value: float | None, observed: Mapping[int, float], warm: Sequence[int]) -> bool:
    """Return whether a tried configuration is as good as the defaults, which then need no trial."""
    if not warm:
        return False
    best = max((observed.get(place, -float("inf")) for place in warm), default=-float("inf"))
    return default_value is None or best >= default_value
