"""What a split is judged by: shares within two points, enough rows, no entity in two roles, time in order."""

import itertools

import pandas as pd

from e2i_assets.core.data.splits import LEFT_OUT, MINIMUM_ROWS, ROLES, SHARES, TOLERANCE, Assignment
from e2i_assets.core.errors import Violation

_ROUNDING = 1e-9
_FEW_TIMES = 50
_EXAMPLES = 3


def violations(assignment: Assignment, times: pd.Series | None = None) -> list[Violation]:
    """Judge a split by the policy; what the data do not allow is said with the reason."""
    counts = assignment.counts()
    total = sum(counts.values())
    found = []
    for role in ROLES:
        share = counts[role] / total if total else 0.0
        if abs(share - SHARES[role]) > TOLERANCE + _ROUNDING:
            rule = f"must be within 2 points of {SHARES[role]:.0%} of the rows{_why(assignment, times)}"
            found.append(Violation(role, round(share, 4), rule))
        if counts[role] < MINIMUM_ROWS[role]:
            found.append(Violation(role, counts[role], f"needs at least {MINIMUM_ROWS[role]} rows"))
    return [*found, *torn(assignment), *out_of_order(assignment, times)]


def torn(assignment: Assignment) -> list[Violation]:
    """Find the entities that stand in two roles: which pairs of roles, how many, and examples."""
    placed = assignment.roles != LEFT_OUT
    pairs = pd.DataFrame({"entity": assignment.entities[placed], "role": assignment.roles[placed]}).drop_duplicates()
    roles = pairs[pairs.duplicated("entity", keep=False)].groupby("entity", sort=False)["role"]
    together = roles.agg(lambda of: " and ".join(role for role in ROLES if role in set(of)))
    found = []
    for pair, entities in together.groupby(together):
        examples = ", ".join(str(entity) for entity in entities.index[:_EXAMPLES])
        found.append(Violation("entity", len(entities), f"entities stand in {pair}, for example {examples}"))
    return found


def out_of_order(assignment: Assignment, times: pd.Series | None) -> list[Violation]:
    """Find two roles of which the earlier one does not end before the later one begins."""
    if times is None:
        return []
    found = []
    for earlier, later in itertools.pairwise(ROLES):
        last, first = times[assignment.roles == earlier].max(), times[assignment.roles == later].min()
        if pd.isna(last) or pd.isna(first):
            continue  # an empty role has no time; that it is empty is said already
        if not last < first:
            late = int(((assignment.roles == earlier) & (times >= first)).sum())
            rule = f"must end before {first}: {late} rows of {earlier} are as late as {later}"
            found.append(Violation(f"{earlier} before {later}", str(last), rule))
    return found


def _why(assignment: Assignment, times: pd.Series | None) -> str:
    """Say what in the data keeps a role from its share."""
    if assignment.strategy == "column":
        return ": correct the column that split.column names, or take the key out"
    if assignment.strategy in ("time", "group_time") and times is not None and times.nunique() < _FEW_TIMES:
        return f", and time can only be cut between its {times.nunique()} different values"
    if assignment.why_left_out:
        reasons = ", ".join(f"{count} {reason}" for reason, count in assignment.why_left_out.items())
        return f"; rows without a role: {reasons}. Another split.seed begins a new split"
    sizes = assignment.entities.value_counts()
    largest = int(sizes.iloc[0]) if len(sizes) else 0
    if largest > TOLERANCE * len(assignment.entities):
        share = largest / len(assignment.entities)
        if largest == 1:
            return f": {len(assignment.entities)} rows are too few to part them"
        return f": entity {sizes.index[0]} alone has {share:.1%} of them, and an entity stays whole"
    return ""
