"""Splits: shares are kept, entities stay whole, and rows keep their assignment."""

import numpy as np
import pandas as pd
import pytest

from e2i_assets.core.data.split_rules import violations
from e2i_assets.core.data.splits import ROLES, SHARES, assign, entity_keys, strategy


def table(rows=2000, groups=300, seed=0):
    draws = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "person": draws.integers(0, groups, rows),
            "label": (draws.random(rows) < 0.1).astype(int),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(draws.integers(0, 400, rows), unit="D"),
        }
    )


@pytest.mark.parametrize("rows", [70, 100, 333, 5000])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shares_are_kept(rows, seed):
    assignment = assign(entity_keys(table(rows), None, []), "random", seed)
    assert sum(assignment.counts().values()) == rows
    assert violations(assignment) == []


def test_classes_are_spread_evenly():
    frame = table()
    assignment = assign(entity_keys(frame, None, []), "stratified", 42, strata=frame.label)
    for role in ROLES:
        members = frame.label[assignment.roles == role]
        assert members.sum() == pytest.approx(SHARES[role] * frame.label.sum(), abs=2)


def test_a_group_stays_whole():
    """No person is in two splits."""
    frame = table()
    assignment = assign(entity_keys(frame, "person", []), "group", 42, strata=frame.label)
    assert assignment.roles.groupby(frame.person).nunique().max() == 1
    assert violations(assignment) == []


def test_the_assignment_depends_on_the_seed():
    keys = entity_keys(table(), None, [])
    first, again, other = (assign(keys, "random", seed).roles for seed in (42, 42, 43))
    assert first.equals(again)
    assert not first.equals(other)


@pytest.mark.parametrize("how", ["random", "stratified"])
def test_appended_rows_do_not_change_the_assignment(how):
    frame = table(3000)
    keys = entity_keys(frame, None, [])
    whole = assign(keys, how, 7, strata=frame.label if how == "stratified" else None).roles
    part = assign(keys[:2000], how, 7, strata=frame.label[:2000] if how == "stratified" else None).roles
    assert whole[:2000].equals(part)


def test_new_rows_and_new_groups_do_not_change_the_assignment():
    frame = table(3000, groups=1500)
    keys = entity_keys(frame, "person", [])
    before = assign(keys[:2000], "group", 7)
    after = assign(keys, "group", 7, previous=before.by_entity())
    assert after.roles[:2000].equals(before.roles)
    assert violations(after) == []


def test_a_row_keeps_its_split_when_its_label_is_corrected():
    frame = table()
    keys = entity_keys(frame, None, [])
    before = assign(keys, "stratified", 42, strata=frame.label)
    corrected = frame.label.where(before.roles != "test", 1 - frame.label)
    after = assign(keys, "stratified", 42, strata=corrected, previous=before.by_entity())
    assert after.roles.equals(before.roles)


def test_a_time_split_keeps_the_time_order():
    frame = table()
    assignment = assign(entity_keys(frame, None, []), "time", 42, times=frame.when)
    assert violations(assignment, frame.when) == []


def test_a_group_in_several_periods_keeps_only_its_earliest_split():
    frame = table(3000, groups=2500)
    assignment = assign(entity_keys(frame, "person", []), "group_time", 42, times=frame.when)
    placed = assignment.roles != "left_out"
    assert 0 < (~placed).sum() < len(frame) / 2
    assert assignment.roles[placed].groupby(frame.person[placed]).nunique().max() == 1
    last, first = (frame.when[assignment.roles == role] for role in ("train", "validation"))
    assert last.max() < first.min()


def test_too_few_rows_are_reported_by_split():
    found = violations(assign(entity_keys(table(60), None, []), "random", 42))
    assert [(one.where, one.rule) for one in found] == [("test", "needs at least 10 rows")]


def test_an_entity_in_two_splits_is_reported_with_examples():
    """The check compares entities, whatever made the assignment."""
    frame = table()
    assignment = assign(entity_keys(frame, None, []), "random", 42)
    found = violations(type(assignment)("random", entity_keys(frame, "person", []), assignment.roles))
    assert found[0].where == "entity"
    assert "for example" in found[0].rule


def test_rows_out_of_time_order_are_reported():
    frame = table()
    found = violations(assign(entity_keys(frame, None, []), "random", 42), frame.when)
    assert [one.where for one in found] == ["train before validation", "validation before test", "test before holdout"]


@pytest.mark.parametrize(
    ("problem_type", "grouped", "timed", "expected"),
    [
        ("regression", False, False, "random"),
        ("binary_classification", False, False, "stratified"),
        ("multiclass_classification", True, False, "group"),
        ("regression", False, True, "time"),
        ("regression", True, True, "group_time"),
    ],
)
def test_the_columns_decide_the_strategy(problem_type, grouped, timed, expected):
    assert strategy(problem_type, grouped, timed) == expected
