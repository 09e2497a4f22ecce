"""The assignment of rows to splits: 60/20/15/5, deterministic for a seed; an assigned row never moves.

Without a time column, entities (the groups, or single rows without a group) are assigned by a seeded balanced
assignment in their order of appearance, so appended rows move no earlier ones. Entities so large that a split could
miss its share are assigned first.

With a time column, the splits are periods (`time_windows`). An entity with rows in several periods is assigned to one
of them, preferably the one that lacks rows. Its rows in the other periods are in no split, because they would divide
the entity or leak future information.

The rules for a split are in `split_rules`.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import pandas as pd

from e2i_assets.core.data.balanced_assignment import balanced_assignment, place_large
from e2i_assets.core.data.keys import row_keys
from e2i_assets.core.data.time_windows import IN_THE_GAP, TOO_NEW, Windows, windows
from e2i_assets.core.metrics import Array, ProblemType

Role = Literal["train", "validation", "test", "holdout"]
ROLES: tuple[Role, ...] = get_args(Role)
SEARCHED: tuple[Role, Role] = ("train", "validation")
SHARES: dict[Role, float] = {"train": 0.60, "validation": 0.20, "test": 0.15, "holdout": 0.05}
TOLERANCE = 0.02
# An entity of several rows with a larger share than this is assigned before the others, while it still fits.
LARGE = TOLERANCE / 2
MINIMUM_ROWS: dict[Role, int] = {"train": 10, "validation": 10, "test": 10, "holdout": 1}
LEFT_OUT = "left_out"
Strategy = Literal["stratified", "random", "group", "time", "group_time", "column"]
# The maximum number of attempts to cut time so that the shares are right after entities lose rows.
_CUTS = 8
_TIMED: tuple[Strategy, ...] = ("time", "group_time")


@dataclass(frozen=True, slots=True)
class Assignment:
    """The splits of the rows of one table.

    Attributes:
        strategy: How the rows were assigned.
        entities: Shape (rows,): the key of the entity of each row, which must be in one split.
        roles: Shape (rows,): the split of each row, or `LEFT_OUT` for a row in no split.
        windows: The periods of the splits, None without a time column.
        why_left_out: The number of rows in no split, by reason; empty if every row is in a split.
    """

    strategy: Strategy
    entities: pd.Series
    roles: pd.Series
    windows: Windows | None = None
    why_left_out: Mapping[str, int] = field(default_factory=dict)

    def counts(self) -> dict[Role, int]:
        """Return the number of rows of each split."""
        return {role: int((self.roles == role).sum()) for role in ROLES}

    def by_entity(self) -> dict[str, Role]:
        """Return the split of each entity that has one."""
        placed = self.roles != LEFT_OUT
        return dict(zip(self.entities[placed], self.roles[placed], strict=True))


def strategy(problem_type: ProblemType, grouped: bool, timed: bool, given: bool = False) -> Strategy:
    """Return how the rows of an experiment are assigned: by a column, by time, by group, or at random."""
    if given:
        return "column"
    if timed:
        return "group_time" if grouped else "time"
    if grouped:
        return "group"
    return "random" if problem_type == "regression" else "stratified"


def entity_keys(frame: pd.DataFrame, group: str | None, ids: Sequence[str]) -> pd.Series:
    """Return the entity key of each row: its group, else its ids (`keys.row_keys`), else its position."""
    columns = [group] if group else list(ids)
    if not columns:
        return pd.Series(np.arange(len(frame)).astype(str), index=frame.index)
    return row_keys(frame, columns)


def entity_codes(frame: pd.DataFrame, columns: Sequence[str]) -> Array | None:
    """Return a code for the entity of each row, shape (rows,); None without entity columns."""
    return pd.factorize(row_keys(frame, list(columns)))[0] if columns else None


def assign(
    entities: pd.Series,
    how: Strategy,
    seed: int,
    strata: pd.Series | None = None,
    times: pd.Series | None = None,
    previous: Mapping[str, Role] | None = None,
    periods: Windows | None = None,
    given: pd.Series | None = None,
    gap_days: int = 0,
) -> Assignment:
    """Assign every row to a split.

    Args:
        entities: Shape (rows,), from `entity_keys`.
        how: From `strategy`.
        seed: The seed; the same seed and rows give the same splits.
        strata: Shape (rows,): class of each row; the stratum of an entity is the largest class of its rows.
        times: Shape (rows,): required by the strategies with time.
        previous: The splits of entities that are already assigned; these do not change.
        periods: The periods of an earlier assignment, which are used again; None cuts time anew.
        given: Shape (rows,): the split of each row, for the strategy ``column``.
        gap_days: If time is cut anew: the gap between two splits, in days or in the unit of the times.
    """
    known = dict(previous or {})
    if how == "column":
        if given is None:
            raise ValueError("a split by column needs the split of each row")
        return Assignment(how, entities, given.astype(object))
    if how in _TIMED:
        if times is None:
            raise ValueError("a split by time needs the times of the rows")
        if periods is None:
            return _cut_anew(how, entities, times, gap_days, known, seed)
        return _by_time(how, entities, times, periods, known, seed)
    sizes = entities.value_counts(sort=False)
    stratum = pd.Series(0, index=sizes.index) if strata is None else strata.groupby(entities, sort=False).max()
    rows = pd.DataFrame({"rows": sizes, "stratum": stratum.reindex(sizes.index)})
    return Assignment(how, entities, entities.map(_placed(rows.reindex(pd.unique(entities)), seed, known)))


def _placed(rows: pd.DataFrame, seed: int, known: Mapping[str, Role]) -> dict[str, Role]:
    """Assign entities (``rows`` and ``stratum`` of each), the large ones first; the others compensate for them."""
    total = float(rows["rows"].sum())
    large = (rows["rows"] > LARGE * total) & (rows["rows"] > 1)
    wanted = {role: share * total for role, share in SHARES.items()}
    heavy = dict(zip(rows.index[large], rows.loc[large, "rows"].astype(float), strict=True))
    placed = place_large(heavy.items(), wanted, _draws(seed, "large"), known)
    for name, size in heavy.items():
        wanted[placed[name]] -= size
    room = {role: max(left, 0.0) for role, left in wanted.items()}
    rest = sum(room.values())
    shares = {role: left / rest for role, left in room.items()} if heavy and rest else SHARES
    for label, members in rows[~large].groupby("stratum", sort=True, observed=True):
        sizes = zip(members.index, members["rows"].astype(float), strict=True)
        placed |= balanced_assignment(sizes, shares, _draws(seed, label), known)
    return placed


def _cut_anew(
    how: Strategy, entities: pd.Series, times: pd.Series, gap_days: int, known: Mapping[str, Role], seed: int
) -> Assignment:
    """Cut time by the shares; if entities lose rows, cut again with longer periods for splits that lost more."""
    cut = np.array(list(SHARES.values()))
    best: tuple[float, Assignment] | None = None
    for _ in range(_CUTS):
        found = _by_time(how, entities, times, windows(times, cut.tolist(), gap_days), known, seed)
        counts = np.array(list(found.counts().values()))
        got = counts / max(counts.sum(), 1)
        off = float(np.abs(got - list(SHARES.values())).max())
        if best is None or off < best[0]:
            best = off, found
        if off <= TOLERANCE / 4 or not counts.all():
            break
        cut = cut * list(SHARES.values()) / got
        cut /= cut.sum()
    assert best is not None
    return best[1]


def _by_time(
    how: Strategy, entities: pd.Series, times: pd.Series, periods: Windows, known: Mapping[str, Role], seed: int
) -> Assignment:
    places = periods.places(times)
    names = np.array([*ROLES, LEFT_OUT], dtype=object)
    by_time = pd.Series(names[places.clip(min=-1)], index=entities.index)
    role = entities.map(_one_period_each(entities, by_time, known, seed))
    roles = by_time.where(by_time == role, LEFT_OUT)
    torn = int(((roles == LEFT_OUT) & (places >= 0)).sum())
    why = {
        "in the gap between two splits": int((places == IN_THE_GAP).sum()),
        "after the end of the split": int((places == TOO_NEW).sum()),
        "of an entity whose role is another period": torn,
    }
    return Assignment(how, entities, roles, periods, {reason: count for reason, count in why.items() if count})


def _one_period_each(entities: pd.Series, by_time: pd.Series, known: Mapping[str, Role], seed: int) -> dict[str, Role]:
    """Assign each entity to one of the periods of its rows; entities in one period determine what the splits lack."""
    inside = by_time != LEFT_OUT
    lived = pd.DataFrame({"entity": entities[inside], "role": by_time[inside]})
    pairs = lived.value_counts(sort=False).reset_index()
    several = set(pairs.loc[pairs.duplicated("entity"), "entity"])
    first = lived.drop_duplicates("entity")
    placed: dict[str, Role] = dict(zip(first["entity"], first["role"], strict=True)) | dict(known)
    sizes: dict[str, dict[Role, float]] = {entity: {} for entity in first["entity"] if entity in several}
    for entity, role, count in pairs[pairs["entity"].isin(several)].itertuples(index=False):
        sizes[entity][role] = float(count)
    filled = lived.loc[~lived["entity"].isin(several), "role"].value_counts()
    settled: dict[Role, float] = {role: float(filled.get(role, 0)) for role in ROLES}
    return placed | balanced_assignment(sizes.items(), SHARES, _draws(seed, "periods"), known, settled)


def _draws(seed: int, label: object) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(str(label).encode())])
