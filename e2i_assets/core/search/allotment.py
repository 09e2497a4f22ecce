"""How several algorithms share one budget of trials: first each its share, then rounds of the better half."""

import math
from collections.abc import Callable, Sequence

from e2i_assets.core.errors import E2iError
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search.trial_selection import chosen

# Searches an algorithm up to a number of its trials, in a share of the time that is left.
SearchTo = Callable[[int, int, float], StudyResult]
# How studies end that more trials would continue.
_UNFINISHED = ("budget spent", "time is up")


def first_trials(budget: int, algorithms: int) -> int:
    """Return how many trials each algorithm has before any is left out: together, half of the budget."""
    return max(1, budget // (2 * algorithms))


def searched(algorithms: int, budget: int, search_to: SearchTo) -> list[StudyResult]:
    """Search algorithms in one budget by successive halving (Jamieson and Talwalkar, 2016), and return their results.

    Half of the budget is shared equally. Of the rest, each round has an equal part: the first for the better half of
    the algorithms, the next for the better half of these, the last for one. The rank is that of the best value among
    the trials that were allotted so far, so a search that is killed and repeated makes the same decisions, and trials
    of an earlier, longer study give no advantage. What a study leaves that ends on its own goes to later rounds.

    Args:
        algorithms: Their number; of equal values, that of the lower place is better.
        budget: Trials in all, at least one for each.
        search_to: Runs or resumes the study of a place until it has this number of trials.

    Raises:
        E2iError: There are fewer trials than algorithms.
    """
    if budget < algorithms:
        raise E2iError(f"{budget} trials are too few to compare {algorithms} algorithms: each needs one")
    targets = [first_trials(budget, algorithms)] * algorithms
    results: list[StudyResult] = []
    left = budget
    for place in range(algorithms):
        results.append(search_to(place, targets[place], targets[place] / left))
        left -= _spent(results[place], targets[place])
    kept = algorithms
    for round_left in range(math.ceil(math.log2(algorithms)), 0, -1):
        kept = math.ceil(kept / 2)
        racing = [place for place in _ranked(results, targets) if results[place].stop_reason in _UNFINISHED][:kept]
        of_round = left if round_left == 1 else left // round_left
        for place in racing:
            more = min(left, max(1, of_round // len(racing)))
            if more < 1:
                break
            before = _spent(results[place], targets[place])
            targets[place] = before + more
            results[place] = _continued(results[place], search_to(place, targets[place], more / left))
            left -= _spent(results[place], targets[place]) - before
    return results


def _ranked(results: Sequence[StudyResult], targets: Sequence[int]) -> list[int]:
    """Return the places, that with the best value first."""
    values = [best_of_first(result, trials) for result, trials in zip(results, targets, strict=True)]
    return sorted(range(len(results)), key=lambda place: (-values[place], place))


def best_of_first(result: StudyResult, trials: int) -> float:
    """Return the value of the trial to train among the first trials that count, or minus infinity."""
    ended = sorted((trial for trial in result.trials if trial.counts), key=lambda trial: trial.number)
    best = chosen(ended[:trials], result.objectives)
    return -math.inf if best is None or best.value is None else best.value


def _spent(result: StudyResult, target: int) -> int:
    return min(target, sum(trial.counts for trial in result.trials))


def _continued(before: StudyResult, result: StudyResult) -> StudyResult:
    """Return the result of the later of two calls of a study, with the time and the start of both."""
    return result.model_copy(
        update={
            "resumed_from": before.resumed_from,
            "started_at": before.started_at,
            "duration_seconds": before.duration_seconds + result.duration_seconds,
        }
    )
