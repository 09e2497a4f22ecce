"""Between a finished study and the memory: what the memory stores of it, and how much the warm start helped."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from e2i_assets.core.memory.past_problems import encoded
from e2i_assets.core.memory.warm_start import PATTERN
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search.trial_selection import candidates
from e2i_assets.core.search.trials import TrialRecord
from e2i_assets.core.search_space.space import SearchSpace, adapted_to

MOST_CONFIGURATIONS = 5
MOST_TRIALS = 100
# The smallest largest difference along a dimension of the unit cube at which two configurations count as distinct.
_DIFFERENT = 0.15


class WarmStartUse(BaseModel):
    """The result of a trial that tried a configuration of a pattern.

    Attributes:
        value: Value of the trial, higher is better; None when it did not complete.
        improvement: Value minus `default_value`; None when either is not known.
        default_value: Value of the algorithm's defaults in the same study, on the same rows.
        best_value: Value of the best trial of the whole study.
        rank: Rank of the trial among the completed ones, 1 is the best; None when it did not complete.
        n_ranked: Number of completed trials; None when `rank` is.
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


class WarmStartEffect(BaseModel):
    """The results of all warm-start trials of a study, compared with its other trials; higher is better.

    Attributes:
        warm_trials: Number of trials from the memory.
        best_warm_value: Best value of these trials.
        default_value: Value of the algorithm's defaults.
        best_sampled_value: Best value of the same number of trials from the sampler, counted from its first.
        trials_to_best: Number of trials up to and including the best one.
        best_came_from: Origin of the best trial.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    warm_trials: int
    best_warm_value: float | None
    default_value: float | None
    best_sampled_value: float | None
    trials_to_best: int | None
    best_came_from: str | None


def uses(result: StudyResult) -> tuple[WarmStartUse, ...]:
    """Return the result of each trial that tried a pattern, without those that failed or never ran."""
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


def warm_start_effect(result: StudyResult) -> WarmStartEffect:
    """Return the effect of the warm start on a finished study, measured inside the study."""
    counted = sorted((trial for trial in result.trials if trial.counts), key=lambda trial: trial.number)
    warm = [trial for trial in counted if PATTERN in trial.attributes]
    drawn = [trial for trial in counted if trial.origin == "sampler"][: max(len(warm), 1)]
    completed = [trial for trial in counted if trial.value is not None]
    best = max(completed, key=lambda trial: (trial.value or 0.0, -trial.number)) if completed else None
    return WarmStartEffect(
        warm_trials=len(warm),
        best_warm_value=_best(warm),
        default_value=result.default_value,
        best_sampled_value=_best(drawn),
        trials_to_best=None if best is None else counted.index(best) + 1,
        best_came_from=None if best is None else "warm_start" if PATTERN in best.attributes else best.origin,
    )


def top_configurations(result: StudyResult, space: SearchSpace) -> list[dict[str, Any]]:
    """Return the best distinct configurations that meet the constraints, best first by the first objective.

    A number of rounds that early stopping decided is moved onto the grid.
    """
    return distinct(
        [
            {
                "values": adapted_to(
                    {name: trial.params[name] for name in trial.sampled if name in trial.params}, space
                )[0],
                "value": trial.value,
                "trial_number": trial.number,
            }
            for trial in _ranked(candidates(result.trials))
        ],
        space,
    )


def distinct(ranked: Iterable[dict[str, Any]], space: SearchSpace) -> list[dict[str, Any]]:
    """Return the first `MOST_CONFIGURATIONS` configurations whose ``values`` are not close to those of a better one.

    Args:
        ranked: Configurations, best first.
        space: The space in which distances are measured.
    """
    found: list[dict[str, Any]] = []
    for one in ranked:
        if _differs(one["values"], [other["values"] for other in found], space):
            found.append(one)
        if len(found) == MOST_CONFIGURATIONS:
            break
    return found


def stored_trials(result: StudyResult, space: SearchSpace) -> list[dict[str, Any]]:
    """Return the completed trials from which the regret of any configuration can be predicted later.

    At most `MOST_TRIALS` are kept, evenly from the best to the worst: bad trials are as informative as good ones.
    """
    ranked = _ranked([trial for trial in result.trials if trial.value is not None])
    places = np.unique(np.linspace(0, len(ranked) - 1, min(len(ranked), MOST_TRIALS)).round().astype(int))
    return [{"values": adapted_to(ranked[i].sampled, space)[0], "value": ranked[i].value} for i in places]


def _ranked(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    return sorted(trials, key=lambda one: (-(one.value or 0.0), one.number))


def _differs(values: dict[str, Any], others: Sequence[dict[str, Any]], space: SearchSpace) -> bool:
    points = encoded([values, *others], space)
    return bool((np.abs(points[1:] - points[0]).max(axis=1, initial=0.0) > _DIFFERENT).all())


def _best(trials: Sequence[TrialRecord]) -> float | None:
    return max((trial.value for trial in trials if trial.value is not None), default=None)


def _difference(value: float | None, default: float | None) -> float | None:
    return None if value is None or default is None else value - default
