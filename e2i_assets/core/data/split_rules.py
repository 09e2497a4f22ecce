"""The rules for a split: shares within two points, enough rows, no entity in two splits, splits in order of time."""

import itertools

import pandas as pd

from e2i_assets.core.data.splits import LEFT_OUT, MINIMUM_ROWS, ROLES, SHARES, TOLERANCE, Assignment
from e2i_assets.core.errors import Violation

_ROUNDING = 1e-9
_FEW_TIMES = 50
_EXAMPLES = 3


def violations(assignment: Assignment, times: pd.Series | None = None) -> list[Violation]:
    """Check the splits against the rules; a violation includes the reason in the data, if there is one."""
    counts = assignment.counts()
    total = sum(counts.values())
    found = []
    for role in ROLES:
        share = counts[role] / total if total else 0.0
        if abs(share - SHARES[role]) > TOLERANCE + _ROUNDING:
            rule = f"must be within 2 points of {SHARES[role]:.0%} of the rows{_reason(assignment, times)}"
            found.append(Violation(role, round(share, 4), rule))
        if counts[role] < MINIMUM_ROWS[role]:
            found.append(Violation(role, counts[role], f"needs at least {MINIMUM_ROWS[role]} rows"))
    return [*found, *torn(assignment), *out_of_order(assignment, times)]


def torn(assignment: Assignment) -> list[Violation]:
    """Find the entities that are in two splits, with the number and examples for each pair of splits."""
    placed = assignment.roles != LEFT_OUT
    pairs = pd.DataFrame({"entity": assignment.entities[placed], "role": assignment.roles[placed]}).drop_duplicates()
    roles = pairs[pairs.duplicated("entity", keep=False)].groupby("entity", sort=False)["role"]
    together = roles.agg(lambda of: " and ".join(role for role in ROLES if role in set(of)))
    found = []
    for pair, entities in together.groupby(together):
        examples = ", ".join(str(entity) for entity in entities.index[:_EXAMPLES])
        found.append(Violation("entity", len(entities), f"entities are in both {pair}, for example {examples}"))
    return found


def out_of_order(assignment: Assignment, times: pd.Series | None) -> list[Violation]:
    """Find pairs of consecutive splits in which the earlier one does not end before the later one starts."""
    if times is None:
        return []
    found = []
    for earlier, later in itertools.pairwise(ROLES):
        last, first = times[assignment.roles == earlier].max(), times[assignment.roles == later].min()
        if pd.isna(last) or pd.isna(first):
            continue  # an empty split has no times; it is already reported as empty
        if not last < first:
            late = int(((assignment.roles == earlier) & (times >= first)).sum())
            rule = f"must be before {first}: {late} rows of {earlier} are not before the first row of {later}"
            found.append(Violation(f"{earlier} before {later}", str(last), rule))
    return found


def _reason(assignment: Assignment, times: pd.Series | None) -> str:
    """Return why the data do not allow the share of a split, as the end of a message; empty if unknown."""
    if assignment.strategy == "column":
        return ": correct the column that split.column names, or remove split.column"
    if assignment.strategy in ("time", "group_time") and times is not None and times.nunique() < _FEW_TIMES:
        return f", but the time column has only {times.nunique()} different values to cut between"
    if assignment.why_left_out:
        reasons = ", ".join(f"{count} {reason}" for reason, count in assignment.why_left_out.items())
        return f"; rows in no split: {reasons}. Choose another split.seed to make a new split"
    sizes = assignment.entities.value_counts()
    largest = int(sizes.iloc[0]) if len(sizes) else 0
    if largest > TOLERANCE * len(assignment.entities):
        share = largest / len(assignment.entities)
        if largest == 1:
            return f": {len(assignment.entities)} rows are too few to split"
        return f": entity {sizes.index[0]} alone has {share:.1%} of them, and an entity is never divided"
    return ""
