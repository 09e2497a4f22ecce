"""Selection of the next configuration: the one with the largest expected gain on similar past problems.

Past problems are weighed by how alike their rows are and, from the second result on, by whether they put the
configurations that were tried here into the same order: the ranking loss of Feurer, Letham and Bakshy, "Scalable
meta-learning for Bayesian optimization" (2018). The next configuration is the greedy step of a portfolio, as in
auto-sklearn 2.0 (Feurer et al., JMLR 23, 2022): the largest weighted fall of the least regret so far.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from e2i_assets.core.memory.past_problems import WORST_REGRET, PastProblem

Array = NDArray[np.float64]

SHARPNESS = 2.0
LOSS_WEIGHT = 6.0
# The order of two configurations with nearly equal regrets has no meaning.
_TELLING_GAP = 0.02


def weights(problems: Sequence[PastProblem], observed: Mapping[int, float]) -> Array:
    """Return how much each past problem counts, shape (problems,), summing to 1.

    Args:
        problems: With the regrets of all candidates.
        observed: What candidates came to here, by their position, higher is better; minus infinity for one that was
            cut short or failed.
    """
    logarithms = np.log([max(one.trust, 1e-3) for one in problems])
    logarithms += SHARPNESS * np.log([max(one.similarity, 1e-6) for one in problems])
    logarithms -= LOSS_WEIGHT * ranking_losses(problems, observed)
    raw = np.exp(logarithms - logarithms.max())
    shares: Array = raw / raw.sum()
    return shares


def ranking_losses(problems: Sequence[PastProblem], observed: Mapping[int, float]) -> Array:
    """Return which share of the pairs that were tried here each past problem orders the other way, 0 to 1.

    A pair counts by how far apart the past problem has it; a problem that tells no pair apart has one half.
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


def following(problems: Sequence[PastProblem], observed: Mapping[int, float], tried: Sequence[int]) -> int | None:
    """Return the position of the candidate to try next, None when there is nothing to choose by or from.

    Args:
        problems: With the regrets of all candidates.
        observed: See `weights`.
        tried: Positions that were tried or are being tried, observed or not.
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
    # Where nothing is expected to help any more, the best of what is left.
    expected = weight @ table[:, left]
    best = np.lexsort((expected, -np.round(fall, 9)))[0]
    return left[int(best)]


def planned(problems: Sequence[PastProblem], count: int, tried: Sequence[int] = ()) -> list[int]:
    """Return the first configurations in the order in which they are tried while nothing is known of this problem."""
    order: list[int] = []
    while len(order) < count and (position := following(problems, {}, [*tried, *order])) is not None:
        order.append(position)
    return order
