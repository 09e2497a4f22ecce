"""Balanced random assignment of items of different sizes to places, one after the other, with a seed.

The probability of a place is proportional to what it still lacks of its share. Each place stays within one item of its
share, and later items never move earlier ones. See Wei & Lachin (1988), Controlled Clinical Trials 9 (4), 345-364.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

import numpy as np

Place = TypeVar("Place", bound=Hashable)


def balanced_assignment(
    sizes: Iterable[tuple[str, float | Mapping[Place, float]]],
    shares: Mapping[Place, float],
    draws: np.random.Generator,
    known: Mapping[str, Place],
    filled: Mapping[Place, float] | None = None,
) -> dict[str, Place]:
    """Return the place of each item.

    Args:
        sizes: Name and size of each item, in the order of assignment; a mapping of place to size for an item that only
            some places can take.
        shares: The share of each place in the total; the order of the places only breaks ties.
        draws: The random generator; one number is drawn for each item, also for items with a known place.
        known: The places of items that are already assigned; these do not change.
        filled: The total size that each place already has.
    """
    full = dict.fromkeys(shares, 0.0) | dict(filled or {})
    total = sum(full.values())
    placed: dict[str, Place] = {}
    for name, size in sizes:
        draw = draws.random()
        by_place = size if isinstance(size, Mapping) else dict.fromkeys(shares, size)
        after = total + max(by_place.values())
        place = known.get(name)
        if place is None:
            place = _drawn(full, {one: shares[one] * after for one in by_place}, draw)
        taken = by_place.get(place, 0.0)
        full[place] += taken
        total += taken
        placed[name] = place
    return placed


def place_large(
    sizes: Iterable[tuple[str, float]],
    wanted: Mapping[Place, float],
    draws: np.random.Generator,
    known: Mapping[str, Place],
) -> dict[str, Place]:
    """Return the places of items that are large compared with the smallest place: largest first, where they still fit.

    Args:
        sizes: Name and size of each item.
        wanted: The final total of each place, in the unit of the sizes.
        draws: The random generator.
        known: The places of items that are already assigned; these do not change.
    """
    sizes = list(sizes)
    room = dict(wanted)
    for name, size in sizes:
        if name in known:
            room[known[name]] -= size
    placed: dict[str, Place] = {}
    for name, size in sorted(sizes, key=lambda one: -one[1]):
        draw = draws.random()
        place = known.get(name)
        if place is None:
            # The tolerance for rounding lets an item into a place that it fills exactly.
            enough = {one: left for one, left in room.items() if left >= size * (1 - 1e-9)}
            place = _drawn(dict.fromkeys(enough, 0.0), enough, draw) if enough else max(room, key=lambda one: room[one])
            room[place] -= size
        placed[name] = place
    return placed


def _drawn(full: Mapping[Place, float], wanted: Mapping[Place, float], draw: float) -> Place:
    lacks = {place: max(amount - full[place], 0.0) for place, amount in wanted.items()}
    mark = draw * sum(lacks.values())
    for place, lack in lacks.items():
        mark -= lack
        if mark < 0:
            return place
    return max(wanted, key=lambda place: wanted[place] - full[place])
