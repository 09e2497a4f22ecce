"""The order in which compared algorithms are tried: first those that won on similar rows."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from e2i_assets.core.memory.warm_start import Pattern

# The weight of an even record that every algorithm has at first, in similar problems.
_PRIOR = 1.0


def win_shares(patterns: Mapping[str, Sequence[Pattern]]) -> dict[str, float]:
    """Return for each algorithm the share of similar problems on which it was the best, 0.5 if nothing is known.

    A problem counts, with its similarity, for the algorithms that the memory knows on the same rows, if there are at
    least two: among k of them, a win counts k / 2 times, so an average record is 0.5 with any number of rivals.

    Args:
        patterns: The similar patterns of each algorithm, one for each set of rows.
    """
    problems: dict[str, dict[str, Pattern]] = defaultdict(dict)
    for algorithm, of in patterns.items():
        for one in of:
            if one.data_hash is not None and one.best_value is not None:
                problems[one.data_hash][algorithm] = one
    won = dict.fromkeys(patterns, _PRIOR / 2)
    seen = dict.fromkeys(patterns, _PRIOR)
    for known in problems.values():
        if len(known) < 2:
            continue
        best = max(known, key=lambda algorithm: known[algorithm].best_value or 0.0)
        won[best] += known[best].similarity * len(known) / 2
        for algorithm, one in known.items():
            seen[algorithm] += one.similarity
    return {algorithm: won[algorithm] / seen[algorithm] for algorithm in patterns}
