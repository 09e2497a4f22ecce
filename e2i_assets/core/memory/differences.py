"""In what two problems differ: the parts of the distance between their vectors, by name."""

from collections.abc import Sequence
from dataclasses import dataclass

from e2i_assets.core.memory.meta_vector import NAMES


@dataclass(frozen=True, slots=True)
class Difference:
    """One meta-feature's share of the squared distance, 0 to 1."""

    name: str
    share: float


def differences(one: Sequence[float], other: Sequence[float]) -> list[Difference]:
    """Return what the squared distance of two vectors is made of, the largest part first; nothing for equal ones.

    Args:
        one: The numbers of `NAMES`.
        other: The same of another problem.
    """
    parts = {name: (a - b) ** 2 for name, a, b in zip(NAMES, one, other, strict=True)}
    whole = sum(parts.values())
    found = [Difference(name, part / whole) for name, part in parts.items() if part > 0]
    return sorted(found, key=lambda difference: -difference.share)
