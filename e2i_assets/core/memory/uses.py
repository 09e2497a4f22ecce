"""What a finished study leaves to the memory, and what the memory brought to the study."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from e2i_assets.core.memory.past_problems import encoded
from e2i_assets.core.memory.warm_start import PATTERN
from e2i_assets.core.search.selection import candidates
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search.trials import TrialRecord
from e2i_assets.core.search_space.space import SearchSpace, brought_into

KEPT_CONFIGURATIONS = 5
KEPT_TRIALS = 100
# In the unit cube, along the dimension in which two configurations differ most: nearer ones are the same idea.
_DIFFERENT = 0.15


class WarmStartUse(BaseModel):
    """What one pattern's configuration brought to the study that tried it.

    Attributes:
        value: What it came to, higher is better; None when it did not complete.
        improvement: Its value minus the value of the algorithm's defaults in the same study, on the same rows, higher
            is better; None when either is not known.
        default_value: What the defaults came to.
        best_value: What the study's best trial came to in the end.
        rank: Its rank among the completed trials, 1 is the best; None when it did not complete.
        n_ranked: How many those are; None when it is not one of them.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    pattern_id: str
    trial_number: int
    similarity: float
    value: float | None
    improvement: float | None
    default_value: float | None
    best_value: float | None
    rank: int | None
    n_ranked: int | None


class HeadStart(BaseModel):
    """What all warm trials of a study brought together, against what the same study had without them.

    Attributes:
        warm_trials: Those that ran.
        best_warm_value: The best of them.
        default_value: What the defaults came to.
        best_sampled_value: The best of as many trials that the sampler drew, from its first on.
        trials_to_best: Trials until the final best was found, that one included.
        best_came_from: Who proposed it.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    warm_trials: int
    best_warm_value: float | None
    default_value: float | None
    best_sampled_value: float | None
    trials_to_best: int | None
    best_came_from: str | None


def uses(result: StudyResult) -> tuple[WarmStartUse, ...]:
    """Return what each warm trial brought; one that failed, or never ran, is no use."""
    values = sorted((trial.value for trial in result.trials if trial.value is not None), reverse=True)
    return tuple(
        WarmStartUse(
            pattern_id=trial.attributes[PATTERN],
            trial_number=trial.number,
            similarity=trial.attributes["similarity"],
            value=trial.value,
            improvement=_difference(trial.value, result.default_value),
            default_value=result.default_value,
            best_value=values[0] if values else None,
            rank=None if trial.value is None else values.index(trial.value) + 1,
            n_ranked=None if trial.value is None else len(values),
        )
        for trial in result.trials
        if PATTERN in trial.attributes and trial.state in ("COMPLETE", "PRUNED") and trial.counts
    )


def head_start(result: StudyResult) -> HeadStart:
    """Return what the warm start brought to a finished study, measured inside it."""
    counted = sorted((trial for trial in result.trials if trial.counts), key=lambda trial: trial.number)
    warm = [trial for trial in counted if PATTERN in trial.attributes]
    drawn = [trial for trial in counted if trial.origin == "sampler"][: max(len(warm), 1)]
    completed = [trial for trial in counted if trial.value is not None]
    best = max(completed, key=lambda trial: (trial.value or 0.0, -trial.number)) if completed else None
    return HeadStart(
        warm_trials=len(warm),
        best_warm_value=_best(warm),
        default_value=result.default_value,
        best_sampled_value=_best(drawn),
        trials_to_best=None if best is None else counted.index(best) + 1,
        best_came_from=None if best is None else "warm_start" if PATTERN in best.attributes else best.origin,
    )


def top_configurations(result: StudyResult, space: SearchSpace) -> list[dict[str, Any]]:
    """Return the best few configurations within a study's constraints that differ, best first by its first objective.

    Rounds that early stopping cut short are kept as they ended, brought onto the grid.
    """
    return differing(
        [
            {
                "values": brought_into(
                    {name: trial.params[name] for name in trial.sampled if name in trial.params}, space
                )[0],
                "value": trial.value,
                "trial_number": trial.number,
            }
            for trial in _ranked(candidates(result.trials))
        ],
        space,
    )


def differing(ranked: Iterable[dict[str, Any]], space: SearchSpace) -> list[dict[str, Any]]:
    """Return the first few whose ``values`` are not those of a better one again, or nearly.

    Args:
        ranked: Best first.
        space: In which they are near or far.
    """
    found: list[dict[str, Any]] = []
    for one in ranked:
        if _differs(one["values"], [other["values"] for other in found], space):
            found.append(one)
        if len(found) == KEPT_CONFIGURATIONS:
            break
    return found


def kept_trials(result: StudyResult, space: SearchSpace) -> list[dict[str, Any]]:
    """Return what completed trials came to, so that it can be told how well any configuration would do there.

    Of more than `KEPT_TRIALS`, so many are kept from the best to the worst: bad ones say as much as good ones.
    """
    ranked = _ranked([trial for trial in result.trials if trial.value is not None])
    places = np.unique(np.linspace(0, len(ranked) - 1, min(len(ranked), KEPT_TRIALS)).round().astype(int))
    return [{"values": brought_into(ranked[i].sampled, space)[0], "value": ranked[i].value} for i in places]


def _ranked(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    return sorted(trials, key=lambda one: (-(one.value or 0.0), one.number))


def _differs(values: dict[str, Any], others: Sequence[dict[str, Any]], space: SearchSpace) -> bool:
    points = encoded([values, *others], space)
    return bool((np.abs(points[1:] - points[0]).max(axis=1, initial=0.0) > _DIFFERENT).all())


def _best(trials: Sequence[TrialRecord]) -> float | None:
    return max((trial.value for trial in trials if trial.value is not None), default=None)


def _difference(value: float | None, default: float | None) -> float | None:
    return None if value is None or default is None else value - default
