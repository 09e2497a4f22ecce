"""Rows that appear in two splits: equal in every feature and in the target, more often than chance explains.

Real tables have equal rows of different entities; the fewer and coarser the columns, the more of them. Neighbours
distinguish these from copies: if chance makes rows equal in all columns, it makes many more equal in all columns but
one. A copy has no such neighbours.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from e2i_assets.core.data.splits import Role
from e2i_assets.core.leakage.finding import Finding
from e2i_assets.core.metrics import Array

# Shares of the rows of the later split, above which equal rows are critical or reported. Of 53 real tables, the two
# worst have 12 %, and a table that was read twice has more than half.
MOST_COPIES = 0.20
REPORTED_SHARE = 0.01
MOST_ROWS = 20_000
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Pair:
    """The equal rows of two splits.

    Attributes:
        splits: The names of the two splits, the earlier one first.
        rows: The number of rows of the second split.
        alike: How many of them have an equal row in the first split.
        by_chance: How many of those chance explains; counted only if there are many.
        examples: Positions of some of them in the second split.
    """

    splits: str
    rows: int
    alike: int
    by_chance: int
    examples: tuple[int, ...]


def pairs(tables: Mapping[Role, pd.DataFrame]) -> list[Pair]:
    """Compare each split with the splits before it.

    Args:
        tables: Features and target of each split, in the order train, validation, test; without the holdout.
    """
    hashes = {role: _column_hashes(table) for role, table in tables.items()}
    return [_pair(f"{one} and {other}", hashes[one], hashes[other]) for one, other in itertools.combinations(hashes, 2)]


def finding(found: list[Pair], accepted: str | None) -> Finding:
    """Return the finding for equal rows: copies are critical, rows that are equal by chance at most a warning."""
    affected = sum(pair.alike for pair in found)
    copies = [pair for pair in found if pair.alike - pair.by_chance > MOST_COPIES * pair.rows]
    many = [pair for pair in found if pair.alike > REPORTED_SHARE * pair.rows]
    shares = ", ".join(f"{pair.alike} of {pair.rows} in {pair.splits}" for pair in found)
    looked_at = f"equal rows in two splits: {shares}" + (f"; accepted: {accepted}" if accepted else "")
    if not many or (copies and accepted):
        return Finding("copied_rows", (), affected, looked_at=looked_at)
    mistakes = tuple(map(_sentence, copies or many))
    remedy = (
        "remove repeated rows from the source, name the column of the group under columns.group, or give the reason "
        "for equal rows under leakage.accepted_copies"
        if copies
        else "a score on these rows is partly memorised, but their share is too small to stop the run"
    )
    examples = tuple(f"row {position} of {pair.splits}" for pair in copies or many for position in pair.examples)
    return Finding(
        "copied_rows", (*mistakes, remedy), affected, examples, "critical" if copies else "warning", looked_at
    )


def _sentence(pair: Pair) -> str:
    earlier, later = pair.splits.split(" and ")
    where = ", ".join(map(str, pair.examples))
    chance = f"; chance explains {pair.by_chance}" if pair.alike > MOST_COPIES * pair.rows else ""
    share = f"{pair.alike} of {pair.rows} rows of {later} ({pair.alike / pair.rows:.1%})"
    return f"{share} are also in {earlier}, for example rows {where}{chance}"


def _pair(splits: str, first: Array, second: Array) -> Pair:
    whole_first, whole_second = first.sum(axis=1), second.sum(axis=1)
    alike = np.isin(whole_second, whole_first)
    examples = tuple(int(position) for position in np.flatnonzero(alike)[:_EXAMPLES])
    count = int(alike.sum())
    by_chance = _explained(first, second, alike) if count > MOST_COPIES * len(second) else 0
    return Pair(splits, len(second), count, by_chance, examples)


def _explained(first: Array, second: Array, alike: Array) -> int:
    """Return how many rows are equal by chance, estimated by neighbours that differ in one column only.

    The values of that column must also occur in other rows: a number that is unique to each row is never equal by
    chance.
    """
    chosen = np.flatnonzero(alike)
    if len(chosen) > MOST_ROWS:
        chosen = np.sort(np.random.default_rng(0).choice(chosen, MOST_ROWS, replace=False))
    rows = second[chosen]
    whole, of_rows = first.sum(axis=1), rows.sum(axis=1)
    crowded = np.zeros(len(rows), dtype=bool)
    for column in range(first.shape[1]):
        values = first[:, column]
        pairs_of = pd.DataFrame({"rest": whole - values, "value": values}).drop_duplicates()
        value = rows[:, column]
        neighbours = pairs_of["rest"].value_counts().reindex(of_rows - value, fill_value=0).to_numpy()
        used = pairs_of["value"].value_counts().reindex(value, fill_value=0).to_numpy()
        crowded |= (neighbours > 1) & (used > 1)
    return round(float(crowded.mean()) * int(alike.sum()))


def _column_hashes(table: pd.DataFrame) -> Array:
    """Return shape (rows, columns): a hash for each cell; the sum of its hashes identifies a row."""
    found = []
    for position, name in enumerate(table.columns):
        # Each column has its own factor; without it, a row with two exchanged cells would have the same sum.
        hashes = pd.util.hash_pandas_object(table[name], index=False).to_numpy()
        found.append(hashes * np.uint64(2 * position + 3))
    return np.column_stack(found)
