"""Placing things of different size one after the other, so that each place gets its share: a seeded urn.

A place's chance is what it still lacks. Shares stay within one thing of what is wanted, and what comes later moves
nothing. See Wei & Lachin (1988), "Properties of the urn randomization in clinical trials".
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
    """Place each thing.

    Args:
        sizes: Name and size of each, in the order of placing; by place for one that may not have every place.
        shares: What each place should have of the whole; the order of the places decides nothing but ties.
        draws: Where chance comes from: one number for each thing, needed or not.
        known: Places that things have already; they keep them.
        filled: What the places hold already.
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
    """Place things that are large beside the smallest place: the largest first, and where there is still room for it.

    Args:
        sizes: Name and size of each.
        wanted: What each place should hold in the end, in the unit of the sizes.
        draws: Where chance comes from.
        known: Places that things have already; they keep them.
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
            # A size is rounded away, so that things which fill a place exactly are let in.
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
