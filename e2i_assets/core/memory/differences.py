"""The contributions of single meta-features to the distance between two problems."""

from collections.abc import Sequence
from dataclasses import dataclass

from e2i_assets.core.memory.meta_vector import NAMES


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
