"""Which row plays which role: 60/20/15/5, deterministic for a seed, and a row once placed keeps its place.

Entities (persons, or rows where there is no group) are placed one after the other in their order of appearance by a
seeded urn: a role's chance is what it still lacks. Shares stay within one entity of the target, and appended rows
move nobody. See Wei & Lachin (1988), "Properties of the urn randomization in clinical trials".
"""

import itertools
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from e2i_assets.core.errors import Violation
from e2i_assets.core.metrics import ProblemType

Role = Literal["train", "validation", "test", "holdout"]
ROLES: tuple[Role, ...] = get_args(Role)
SEARCHED: tuple[Role, Role] = ("train", "validation")
SHARES: dict[Role, float] = {"train": 0.60, "validation": 0.20, "test": 0.15, "holdout": 0.05}
TOLERANCE = 0.02
_ROUNDING = 1e-9
MINIMUM_ROWS: dict[Role, int] = {"train": 10, "validation": 10, "test": 10, "holdout": 1}
LEFT_OUT = "left_out"
Strategy = Literal["stratified", "random", "group", "time", "group_time"]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Roles of the rows of one table.

    Attributes:
        strategy: How they were placed.
        entities: Shape (rows,): what must not be torn apart, as text.
        roles: Shape (rows,): a role, or `LEFT_OUT` for a row of a group that time would tear apart.
    """

    strategy: Strategy
    entities: pd.Series
    roles: pd.Series

    def counts(self) -> dict[Role, int]:
        """Return the rows of each role."""
        return {role: int((self.roles == role).sum()) for role in ROLES}

    def by_entity(self) -> dict[str, Role]:
        """Return the role of each entity that has one."""
        placed = self.roles != LEFT_OUT
        return dict(zip(self.entities[placed], self.roles[placed], strict=True))


def strategy(problem_type: ProblemType, grouped: bool, timed: bool) -> Strategy:
    """Return how the rows of an experiment are placed."""
    if timed:
        return "group_time" if grouped else "time"
    if grouped:
        return "group"
    return "random" if problem_type == "regression" else "stratified"


def entity_keys(frame: pd.DataFrame, group: str | None, ids: Sequence[str]) -> pd.Series:
    """Return what each row belongs to, as text: its group, else its id, else its position in the table."""
    columns = [group] if group else list(ids)
    if not columns:
        return pd.Series(np.arange(len(frame)).astype(str), index=frame.index)
    return frame[columns].astype(str).agg("|".join, axis=1)


def assign(
    entities: pd.Series,
    how: Strategy,
    seed: int,
    strata: pd.Series | None = None,
    times: pd.Series | None = None,
    previous: Mapping[str, Role] | None = None,
) -> Assignment:
    """Place every row.

    Args:
        entities: Shape (rows,), from `entity_keys`.
        how: From `strategy`.
        seed: Same seed, same rows: same places.
        strata: Shape (rows,): class of each row; an entity counts with the last of its rows' classes in sorted order.
        times: Shape (rows,): needed by the strategies with time.
        previous: Roles that entities already have; they keep them.
    """
    known = dict(previous or {})
    if how in ("time", "group_time"):
        if times is None:
            raise ValueError("a split by time needs the times of the rows")
        return Assignment(how, entities, _by_time(entities, times, known))
    sizes = entities.value_counts(sort=False)
    stratum = pd.Series(0, index=sizes.index) if strata is None else strata.groupby(entities, sort=False).max()
    rows = pd.DataFrame({"rows": sizes, "stratum": stratum.reindex(sizes.index)})
    rows = rows.reindex(pd.unique(entities))
    placed = {}
    for label, members in rows.groupby("stratum", sort=True, observed=True):
        draws = np.random.default_rng([seed, _stable_number(label)])
        placed.update(_urn(members["rows"].items(), draws, known))
    return Assignment(how, entities, entities.map(placed))


def _urn(sizes: Iterable[tuple[Any, Any]], draws: np.random.Generator, known: Mapping[str, Role]) -> dict[str, Role]:
    filled = dict.fromkeys(ROLES, 0.0)
    total = 0.0
    placed: dict[str, Role] = {}
    for entity, size in sizes:
        draw = draws.random()
        total += size
        role = known.get(entity) or _drawn(filled, total, draw)
        filled[role] += size
        placed[entity] = role
    return placed


def _drawn(filled: Mapping[Role, float], total: float, draw: float) -> Role:
    lacks = [max(SHARES[role] * total - filled[role], 0.0) for role in ROLES]
    mark = draw * sum(lacks)
    for role, lack in zip(ROLES, lacks, strict=True):
        mark -= lack
        if mark < 0:
            return role
    return max(ROLES, key=lambda role: SHARES[role] * total - filled[role])


def _by_time(entities: pd.Series, times: pd.Series, known: Mapping[str, Role]) -> pd.Series:
    """Cut time where the cumulative shares fall, between two different times; a torn group keeps its first role."""
    rank = times.rank(method="max", pct=True)
    bounds = np.cumsum([SHARES[role] for role in ROLES[:-1]])
    places = np.searchsorted(bounds + _ROUNDING, rank.to_numpy())
    by_time = pd.Series(np.array(ROLES, dtype=object)[places], index=entities.index)
    order = pd.Series(places, index=entities.index).groupby(entities).transform("min")
    first = pd.Series(np.array(ROLES, dtype=object)[order], index=entities.index)
    wanted = entities.map(known).where(entities.isin(known), first)
    return by_time.where(by_time == wanted, LEFT_OUT)


def _stable_number(label: object) -> int:
    return zlib.crc32(str(label).encode())


def violations(assignment: Assignment, times: pd.Series | None = None) -> list[Violation]:
    """Judge a split by the policy: shares within two points, enough rows, no entity torn, time in order."""
    counts = assignment.counts()
    total = sum(counts.values())
    found = []
    for role in ROLES:
        share = counts[role] / total if total else 0.0
        if abs(share - SHARES[role]) > TOLERANCE + _ROUNDING:
            found.append(Violation(role, round(share, 4), f"must be within 2 points of {SHARES[role]:.0%} of the rows"))
        if counts[role] < MINIMUM_ROWS[role]:
            found.append(Violation(role, counts[role], f"needs at least {MINIMUM_ROWS[role]} rows"))
    return [*found, *_torn(assignment), *_out_of_order(assignment, times)]


def _torn(assignment: Assignment) -> list[Violation]:
    placed = assignment.roles != LEFT_OUT
    roles = assignment.roles[placed].groupby(assignment.entities[placed]).nunique()
    torn = roles[roles > 1].index
    if len(torn) == 0:
        return []
    examples = ", ".join(str(entity) for entity in torn[:3])
    return [Violation("entity", len(torn), f"entities stand in two roles, for example {examples}")]


def _out_of_order(assignment: Assignment, times: pd.Series | None) -> list[Violation]:
    if times is None:
        return []
    found = []
    for earlier, later in itertools.pairwise(ROLES):
        last, first = times[assignment.roles == earlier].max(), times[assignment.roles == later].min()
        if not last < first:
            found.append(Violation(f"{earlier} before {later}", str(last), f"must end before {first}"))
    return found
