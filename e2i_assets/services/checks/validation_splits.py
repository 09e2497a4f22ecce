"""The checks of `validation_splits`: shares, entities in one split, order of time, stratified classes."""

import itertools
import math
from collections.abc import Iterator

import pandas as pd

from e2i_assets.core.data.split_tables import SplitFacts, TrainingRows
from e2i_assets.core.data.splits import MINIMUM_ROWS, ROLES, SHARES, TOLERANCE
from e2i_assets.services.checks.check import CheckResult, NotEvaluated, check_result, of_asset, passed, stored
from e2i_assets.services.checks.stored_split import matched_rows, row_count
from e2i_assets.services.project import Project

_ROUNDING = 1e-9
_STANDARD_ERRORS = 3.0


@of_asset("validation_splits", answers_for_the_file=True)
def shares_are_within_two_points(project: Project, name: str) -> CheckResult:
    """Train 60, validation 20, test 15, holdout 5 %, within 2 points, with enough rows, as recorded in the registry."""
    facts: SplitFacts = stored(project, SplitFacts, "validation_splits", name)
    counts = {role: row_count(project, name, role) for role in ROLES}
    total = sum(counts.values())
    split = project.splits.registered(name, facts.split_hash)
    mistakes = []
    for role, count in counts.items():
        if abs(count / max(total, 1) - SHARES[role]) > TOLERANCE + _ROUNDING:
            share = f"{count / max(total, 1):.1%}"
            mistakes.append(f"{role} has {share} of the rows, and must be within 2 points of {SHARES[role]:.0%}")
        if count < MINIMUM_ROWS[role]:
            mistakes.append(f"{role} has {count} rows, and needs at least {MINIMUM_ROWS[role]}")
        for where, recorded in (("its facts", facts.counts.get(role)), ("ml_split_registry", (split or {}).get(role))):
            if recorded != count:
                mistakes.append(f"{role} has {count} stored rows, and {recorded} in {where}")
    shares = {role: count / max(total, 1) for role, count in counts.items()}
    found = {str(role): f"{counts[role]:,} rows, {_near(share, SHARES[role])}" for role, share in shares.items()}
    return check_result(mistakes, " / ".join(f"{role} {share:.1%}" for role, share in shares.items()), **found)


def _near(share: float, expected: float, allowed: float = TOLERANCE) -> str:
    met = abs(share - expected) <= allowed + _ROUNDING
    required = f"required {expected:.1%} within {100 * allowed:.2g} points"
    return f"{share:.1%}, {required}: {'met' if met else 'missed'}"


@of_asset("validation_splits", blocking=True)
def no_entity_in_two_splits(project: Project, name: str) -> CheckResult:
    """All rows of an entity (the group, or the row if there is no group) are in the split assigned to it."""
    data, found = matched_rows(project, name)
    entity = data.group or " and ".join(data.ids) or "row"
    mistakes = [f"{count} rows of {role} are not rows of the dataset" for role, count in found.foreign.items()]
    roles = found.known.groupby("entity")["role"].agg(lambda of: " and ".join(sorted(set(of))))
    torn = roles[roles.str.contains(" and ")]
    if len(torn):
        examples = ", ".join(f"{key} in {role}" for key, role in torn.head(3).items())
        mistakes.append(f"{len(torn)} values of {entity} are in two splits, for example {examples}")
    astray = found.known[found.known["role"] != found.known["assigned"]].drop_duplicates("entity")
    astray = astray[~astray["entity"].isin(torn.index)]
    if len(astray):
        examples = ", ".join(
            f"{one.entity} in {one.role}, assigned to {one.assigned}" for one in astray.head(3).itertuples()
        )
        mistakes.append(f"{len(astray)} values of {entity} are in another split than assigned, for example {examples}")
    mistakes += _wrongly_named(found.written, entity)
    wanted = project.experiment(name).columns.group
    if wanted != data.group:
        mistakes.append(
            f"the group of the stored rows is {data.group or '(none)'}, and that of the experiment {wanted or '(none)'}"
        )
    return check_result(
        mistakes, f"each of {len(roles)} values of {entity} is in one split", entities=len(roles), by=entity
    )


def _wrongly_named(written: pd.DataFrame, entity: str) -> Iterator[str]:
    """Check the keys in the stored tables, independently of the other columns."""
    unknown = written[written["assigned"].isna()]
    if len(unknown):
        examples = ", ".join(f"{one.entity} in {one.role}" for one in unknown.head(3).itertuples())
        yield f"{len(unknown)} stored rows name a {entity} without an assigned split, for example {examples}"
    wrong = written[written["assigned"].notna() & (written["role"] != written["assigned"])]
    if len(wrong):
        examples = ", ".join(
            f"{one.entity} in {one.role}, assigned to {one.assigned}" for one in wrong.head(3).itertuples()
        )
        yield f"{len(wrong)} stored rows name a {entity} that is assigned to another split, for example {examples}"


@of_asset("validation_splits", blocking=True)
def time_is_in_order(project: Project, name: str) -> CheckResult:
    """With a time column, all rows of an earlier split precede the rows of a later split."""
    if project.experiment(name).columns.time is None:
        stored(project, SplitFacts, "validation_splits", name)
        return passed("there is no time column, so there is no order to check")
    data, found = matched_rows(project, name)
    if data.time is None:
        raise NotEvaluated(f"the stored dataset of {name} has no time column yet: materialise it again")
    times = found.known.groupby("role")["time"]
    first, last = times.min().to_dict(), times.max().to_dict()
    mistakes = [
        f"{earlier} lasts until {last[earlier]}, and {later} begins at {first[later]}"
        for earlier, later in itertools.pairwise(ROLES)
        if not last[earlier] < first[later]
    ]
    return check_result(mistakes, f"ordered by {data.time}: train, validation, test, holdout")


@of_asset("validation_splits", severity="WARN")
def classes_are_stratified(project: Project, name: str) -> CheckResult:
    """Each class has the same share in all splits, within 2 points or what chance explains."""
    rows: TrainingRows = stored(project, TrainingRows, "validation_splits", name)
    if not rows.facts.classes:
        return passed("a regression has no classes")
    # The holdout is not read for this check.
    targets = {"train": rows.train.target, "validation": rows.validation.target, "test": rows.test.target}
    overall = pd.concat([*targets.values()]).value_counts(normalize=True)
    mistakes: list[str] = []
    facts: dict[str, str] = {}
    for role, target in targets.items():
        shares = target.value_counts(normalize=True)
        for label, expected in overall.items():
            share = float(shares.get(label, 0.0))
            chance = _STANDARD_ERRORS * math.sqrt(expected * (1 - expected) / len(target))
            allowed = max(TOLERANCE, chance)
            facts[f"{role}: {label}"] = _near(share, expected, allowed)
            if abs(share - expected) > allowed + _ROUNDING:
                mistakes.append(f"{label} is {share:.1%} of {role} and {expected:.1%} of all rows")
    return check_result(
        mistakes, f"the {len(overall)} classes have the same shares in train, validation and test", **facts
    )


CHECKS = (
    shares_are_within_two_points,
    no_entity_in_two_splits,
    time_is_in_order,
    classes_are_stratified,
)
