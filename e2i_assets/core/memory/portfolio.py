"""Selection of the next configuration: the one with the largest expected gain on similar past problems.

Past problems are weighted by the similarity of their rows. From the second result on, also by whether they rank the
tried configurations like the current study: the ranking loss of Feurer, Letham and Bakshy, "Scalable meta-learning for
Bayesian optimization" (2018). The next configuration is the greedy step of a portfolio, as in auto-sklearn 2.0 (Feurer
et al., JMLR 23, 2022): the one that reduces the weighted minimum regret most.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from e2i_assets.core.memory.past_problems import WORST_REGRET, PastProblem

# One of so many trials comes from the memory; the sampler needs the rest for new regions of the space. The first ones
# always come from it: a sampler has learnt nothing from so few (`benchmarks/results/few_trials.md`).
TRIALS_FOR_A_TRY = 4
FIRST_TRIES = 5

Array = NDArray[np.float64]

SHARPNESS = 2.0
LOSS_WEIGHT = 6.0
# The order of two configurations with nearly equal regrets has no meaning.
_TELLING_GAP = 0.02


def weights(problems: Sequence[PastProblem], observed: Mapping[int, float]) -> Array:
    """Return the weight of each past problem, shape (problems,); the weights sum to 1.

    Args:
        problems: Past problems with the regrets of all candidates.
        observed: The values of tried candidates by position, higher is better; minus infinity for a pruned trial.
    """
    logarithms = np.log([max(one.trust, 1e-3) for one in problems])
    logarithms += SHARPNESS * np.log([max(one.similarity, 1e-6) for one in problems])
    logarithms -= LOSS_WEIGHT * ranking_losses(problems, observed)
    raw = np.exp(logarithms - logarithms.max())
    shares: Array = raw / raw.sum()
    return shares


def ranking_losses(problems: Sequence[PastProblem], observed: Mapping[int, float]) -> Array:
    """Return the ranking loss of each past problem: the share of tried pairs that it ranks the other way, 0 to 1.

    A pair is weighted by the difference of its regrets in the past problem. A problem that separates no pair gets 0.5.
    """
    positions = sorted(observed)
    losses = np.full(len(problems), 0.5)
    if len(positions) < 2:
        return losses
    here = np.array([observed[position] for position in positions])
    with np.errstate(invalid="ignore"):
        order = np.nan_to_num(np.sign(here[:, None] - here[None, :]))
    for i, problem in enumerate(problems):
        there = np.array([problem.regrets[position] for position in positions])
        gaps = there[None, :] - there[:, None]
        pair_weights = np.where((order > 0) & (np.abs(gaps) > _TELLING_GAP), np.abs(gaps), 0.0)
        if pair_weights.sum() > 0:
            losses[i] = float((pair_weights * (gaps < 0)).sum() / pair_weights.sum())
    return losses


def next_candidate(problems: Sequence[PastProblem], observed: Mapping[int, float], tried: Sequence[int]) -> int | None:
    """Return the position of the candidate to try next; None without past problems or remaining candidates.

    Args:
        problems: Past problems with the regrets of all candidates.
        observed: See `weights`.
        tried: Positions of finished and running trials, with a value or without.
    """
    if not problems:
        return None
    table = np.array([one.regrets for one in problems])
    left = [position for position in range(table.shape[1]) if position not in set(tried)]
    if not left:
        return None
    least = table[:, list(tried)].min(axis=1) if tried else np.full(len(problems), WORST_REGRET)
    weight = weights(problems, observed)
    fall = weight @ np.maximum(least[:, None] - table[:, left], 0.0)
    # If no candidate reduces the regret, the best of the remaining ones is next.
    expected = weight @ table[:, left]
    best = np.lexsort((expected, -np.round(fall, 9)))[0]
    return left[int(best)]


def planned(problems: Sequence[PastProblem], count: int, tried: Sequence[int] = ()) -> list[int]:
    """Return the first configurations to try, in the order that is best without any result."""
    order: list[int] = []
    while len(order) < count and (position := next_candidate(problems, {}, [*tried, *order])) is not None:
        order.append(position)
    return order


def tries(budget: int, at_most: int) -> int:
    """Return how many configurations of the memory a study with this trial budget tries first.

    The last trial is not one of them, unless it is the only one: the defaults get it if nothing was as good.
    """
    return min(at_most, max(1, min(budget - 1, FIRST_TRIES), budget // TRIALS_FOR_A_TRY))
