"""Splits of any rows: shares, whole entities, time order, and assignments that new or corrected rows do not change."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from e2i_assets.core.data.split_rules import violations
from e2i_assets.core.data.splits import LEFT_OUT, ROLES, SHARES, TOLERANCE, Assignment, assign, entity_keys
from e2i_assets.core.data.time_windows import kept, windows

STRATEGIES = ("random", "stratified", "group", "time", "group_time", "column")
SHAPES = {"seed": st.integers(0, 2**16), "rows": st.integers(200, 900), "new": st.integers(1, 300)}


def table(rows: int, seed: int, first: int = 0) -> pd.DataFrame:
    """Return rows from number ``first`` on: visits of persons, each active for about a tenth of the time."""
    draws = np.random.default_rng([seed, first])
    number = np.arange(first, first + rows)
    when = number + draws.integers(0, 3, rows)
    return pd.DataFrame(
        {
            "person": [f"p{one}" for one in (when // 40) * 10 + draws.integers(0, 15, rows)],
            "label": (draws.random(rows) < 0.2).astype(int),
            "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(when, unit="D"),
            "role": np.array(ROLES)[np.minimum(number % 20 // 6, 3)],
        }
    )


def placed(frame: pd.DataFrame, how: str, seed: int, before: Assignment | None = None) -> Assignment:
    return assign(
        entity_keys(frame, "person" if "group" in how else None, ()),
        how,  # type: ignore[arg-type]
        seed,
        strata=frame["label"] if how in ("stratified", "group") else None,
        times=frame["when"] if "time" in how else None,
        previous=before.by_entity() if before else None,
        periods=before.windows if before else None,
        given=frame["role"],
    )


@pytest.mark.parametrize("how", STRATEGIES)
@settings(max_examples=15, deadline=None)
@given(**SHAPES)
def test_new_rows_and_corrected_labels_move_no_old_row(how: str, seed: int, rows: int, new: int) -> None:
    frame = table(rows, seed)
    before = placed(frame, how, seed)
    later = pd.concat([frame, table(new, seed, rows)], ignore_index=True)
    later["label"] = 1 - later["label"]
    after = placed(later, how, seed, before)
    assert after.roles[:rows].tolist() == before.roles.tolist()
    assert placed(frame, how, seed).roles.equals(before.roles)


@pytest.mark.parametrize("how", [how for how in STRATEGIES if how != "column"])
@settings(max_examples=15, deadline=None)
@given(**SHAPES)
def test_shares_entities_and_time_order_are_kept(how: str, seed: int, rows: int, new: int) -> None:
    # Entities in several periods are left out as a whole, and a small table has few of them.
    frame = table(rows + (1600 if how == "group_time" else 400), seed)
    found = placed(frame, how, seed)
    assert violations(found, frame["when"] if "time" in how else None) == []


def test_large_left_out_entities_of_a_small_table_are_named_as_the_reason() -> None:
    """Found by the test above, once in thousands of tables of such a size."""
    frame = table(686, 662)
    (found,) = violations(placed(frame, "group_time", 662), frame["when"])
    assert (found.where, found.value) == ("train", 0.5789)
    assert "rows in no split: 78 of an entity whose role is another period" in found.rule


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), parts=st.lists(st.integers(1, 60), min_size=1, max_size=6))
def test_large_entities_are_assigned_within_the_shares(seed: int, parts: list[int]) -> None:
    """Many small entities compensate for large ones: shares are kept if train has room for the large ones."""
    sizes = [*parts, *[1] * (sum(parts) + 100)]
    entities = pd.Series(np.repeat([f"e{number}" for number in range(len(sizes))], sizes))
    found = assign(entities.sample(frac=1, random_state=seed).reset_index(drop=True), "group", seed)
    assert violations(found) == []


def test_entities_that_fit_the_shares_exactly_fill_them() -> None:
    entities = pd.Series(np.repeat([f"e{number}" for number in range(20)], 30))
    found = {seed: assign(entities, "group", seed) for seed in range(20)}
    for one in found.values():
        assert one.counts() == {"train": 360, "validation": 120, "test": 90, "holdout": 30}
    assert len({one.roles.str.cat() for one in found.values()}) > 10


def test_one_huge_entity_is_named_as_the_reason() -> None:
    entities = pd.Series(["whale"] * 700 + [f"e{number}" for number in range(300)])
    found = violations(assign(entities, "group", 42))
    assert str(found[0]) == (
        "train: 0.7 must be within 2 points of 60% of the rows: entity whale alone has 70.0% of them, "
        "and an entity is never divided"
    )


def test_few_different_times_are_named_as_the_reason() -> None:
    times = pd.Series(np.repeat([2019, 2020, 2021], 100))
    found = violations(assign(entity_keys(times.to_frame(), None, ()), "time", 42, times=times), times)
    assert "the time column has only 3 different values to cut between" in found[0].rule


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), gap=st.integers(0, 30), per_day=st.integers(1, 5))
@example(seed=1, gap=24, per_day=1)  # here the number of rows in the gaps changes sharply with the cut positions
def test_the_gap_separates_two_splits_and_the_shares_are_kept(seed: int, gap: int, per_day: int) -> None:
    days = np.sort(np.random.default_rng(seed).integers(0, 1000, 1000 * per_day))
    times = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D"))
    periods = windows(times, tuple(SHARES.values()), gap)
    found = assign(entity_keys(times.to_frame(), None, ()), "time", 42, times=times, periods=periods)
    assert violations(found, times) == []
    of = [times[found.roles == role] for role in ROLES]
    for earlier, later in itertools.pairwise(of):
        assert later.min() - earlier.max() > pd.Timedelta(days=gap)
    assert sum(found.why_left_out.values()) == (found.roles == LEFT_OUT).sum()
    assert kept(periods.as_document(), gap) == periods


def test_the_gap_of_a_numeric_time_is_in_its_unit() -> None:
    times = pd.Series(np.arange(1000))
    periods = windows(times, tuple(SHARES.values()), 10)
    assert (periods.places(times) == -1).sum() == 30


def test_rows_after_the_end_of_the_split_are_left_out_until_the_next_one() -> None:
    frame = table(500, 1)
    before = placed(frame, "time", 1)
    later = pd.concat([frame, table(200, 1, 600)], ignore_index=True)
    after = placed(later, "time", 1, before)
    assert after.counts() == before.counts()
    assert after.why_left_out == {"after the end of the split": 200}


def test_entities_active_in_all_periods_are_distributed_with_one_period_each() -> None:
    frame = pd.DataFrame({"person": np.tile([f"p{n}" for n in range(500)], 40), "day": np.repeat(np.arange(40), 500)})
    found = assign(entity_keys(frame, "person", ()), "group_time", 3, times=frame["day"])
    assert violations(found, frame["day"]) == []
    assert found.roles[found.roles != LEFT_OUT].groupby(frame["person"]).nunique().max() == 1
    assert list(found.why_left_out) == ["of an entity whose role is another period"]


def test_extreme_dates_and_time_zones_can_be_split() -> None:
    zoned = pd.Series(pd.date_range("2024-01-01", periods=400, freq="h", tz="Europe/Berlin"))
    found = assign(entity_keys(zoned.to_frame(), None, ()), "time", 42, times=zoned)
    assert violations(found, zoned) == []


def test_shares_of_a_given_split_are_checked() -> None:
    given_roles = pd.Series(["train"] * 300 + ["validation"] * 60 + ["test"] * 30 + ["holdout"] * 10)
    found = violations(assign(entity_keys(given_roles.to_frame(), None, ()), "column", 42, given=given_roles))
    assert abs(0.75 - SHARES["train"]) > TOLERANCE
    assert "correct the column that split.column names" in found[0].rule


def test_an_entity_in_two_splits_of_a_given_column_is_named_with_the_splits() -> None:
    """Which pair, how many, and examples."""
    frame = table(900, 5)
    found = violations(assign(entity_keys(frame, "person", ()), "column", 42, given=frame["role"]))
    rules = [one.rule for one in found if one.where == "entity"]
    assert any("train and validation" in rule and "for example p" in rule for rule in rules)
