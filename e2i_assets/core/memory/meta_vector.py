"""Meta-features as a scaled vector; the distance of two vectors measures how different two problems are.

The vector contains logarithms of sizes and moments, so that an unbounded number (a kurtosis, a cardinality) cannot
dominate the distance. Shares are used as they are.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

VERSION = 1


def _share(value: float) -> float:
    return value


def _heavy(value: float) -> float:
    """Return the signed logarithm of 1 + a moment: 0, 1, 10 and 100 become 0, 0.3, 1.0 and 2.0."""
    return math.copysign(math.log10(1 + abs(value)), value)


# The weight of each number in the distance. Numbers that a problem type does not have are 0 in both vectors.
_PARTS: tuple[tuple[str, Callable[[float], float], float], ...] = (
    ("log_n_samples", _share, 0.30),
    ("log_n_features", _share, 0.30),
    ("share_categorical", _share, 0.30),
    ("share_missing", _share, 0.30),
    ("mean_cardinality", _heavy, 0.15),
    ("mean_abs_skew", _heavy, 0.20),
    ("mean_abs_kurtosis", _heavy, 0.10),
    ("n_classes", _heavy, 0.30),
    ("class_balance", _share, 0.50),
    ("class_entropy", _share, 0.30),
    ("target_skew", _heavy, 0.20),
    ("target_spread", _share, 0.20),
    ("landmark_stump", _share, 0.40),
    ("landmark_tree", _share, 0.40),
    ("landmark_neighbour", _share, 0.40),
    ("landmark_linear", _share, 0.40),
)
NAMES = tuple(name for name, _, _ in _PARTS)


def meta_vector(features: Mapping[str, float]) -> tuple[float, ...]:
    """Return the scaled numbers of `NAMES`, shape (16,); finite if the meta-features are."""
    return tuple(weight * squashed(features.get(name, 0.0)) for name, squashed, weight in _PARTS)


def similarity(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Return exp(-distance), 1 for equal vectors; the database computes the same."""
    return math.exp(-math.dist(one, other))


@dataclass(frozen=True, slots=True)
class Difference:
    """One meta-feature's share of the squared distance, 0 to 1."""

    name: str
    share: float


def differences(one: Sequence[float], other: Sequence[float]) -> list[Difference]:
    """Return the share of each meta-feature in the squared distance, largest first; empty for equal vectors.

    Args:
        one: The values of `NAMES` for one problem.
        other: The values of `NAMES` for another problem.
    """
    parts = {name: (a - b) ** 2 for name, a, b in zip(NAMES, one, other, strict=True)}
    whole = sum(parts.values())
    found = [Difference(name, part / whole) for name, part in parts.items() if part > 0]
    return sorted(found, key=lambda difference: -difference.share)
