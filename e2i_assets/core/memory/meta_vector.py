"""Meta-features as one vector of like scales: how far apart two of them are says how unlike two problems are.

Sizes count by their logarithm, shares by themselves, moments by how large they look, so that no number that knows no
bound (a kurtosis, a cardinality) can drown the others.
"""

import math
from collections.abc import Callable, Mapping

VERSION = 1


def _share(value: float) -> float:
    return value


def _heavy(value: float) -> float:
    """Squash a moment, with its sign: 0, 1, 10, 100 come to 0, 0.3, 1.0, 2.0."""
    return math.copysign(math.log10(1 + abs(value)), value)


# What a difference in each number is worth. What a problem type does not have counts as 0 on both sides.
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
    """Return the numbers of `NAMES`, each on its scale: finite where the meta-features are, shape (16,)."""
    return tuple(weight * squashed(features.get(name, 0.0)) for name, squashed, weight in _PARTS)


def similarity(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Return exp(-distance), 1 for the same vector: what the database computes."""
    return math.exp(-math.dist(one, other))
