"""Stored splits and the split of each entity."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.splits import SplitRepository


def test_a_split_is_read_back_as_it_was_saved_whatever_its_keys_contain(tables: Database, examples: Any) -> None:
    store = SplitRepository(tables)
    roles = {"plain": "train", "tab\tand\nline\r": "validation", "back\\slash": "test", "ünï": "holdout", "": "train"}
    roles |= {"\\N": "test", "\\.": "train"}
    split = examples.split()
    split_id = store.save(split, roles)
    assert store.previous(examples.experiment_id, split.config_hash) == roles
    assert store.id_of(examples.experiment_id, split.split_hash) == split_id


def test_saving_the_same_split_again_changes_nothing(
    tables: Database, examples: Any, execute: Callable[..., Any]
) -> None:
    store, split = SplitRepository(tables), examples.split()
    first = store.save(split, {"p1": "train", "p2": "test"})
    assert store.save(split, {"p1": "train", "p2": "test"}) == first
    assert execute("SELECT count(*) FROM ml_split_assignments") == 2


def test_the_newest_split_made_the_same_way_is_the_previous_one(tables: Database, examples: Any) -> None:
    store = SplitRepository(tables)
    assert store.previous(examples.experiment_id, "config") is None
    store.save(examples.split(), {"p1": "train"})
    store.save(examples.split(), {"p1": "train", "p2": "test"})
    store.save(examples.split(config_hash="other"), {"p3": "train"})
    assert store.previous(examples.experiment_id, "config") == {"p1": "train", "p2": "test"}
    assert store.id_of(examples.experiment_id, "unknown") is None


def test_an_entity_cannot_be_in_two_splits(split_id: str, execute: Callable[..., Any]) -> None:
    """The primary key of the table prevents an entity overlap."""
    with pytest.raises(IntegrityError, match="ml_split_assignments_pkey"):
        execute("INSERT INTO ml_split_assignments VALUES (:split, 'p1', 'test')", split=split_id)
    with pytest.raises(IntegrityError, match="role_check"):
        execute("INSERT INTO ml_split_assignments VALUES (:split, 'p9', 'training')", split=split_id)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ratios": {"train": 0.6, "validation": 0.2, "test": 0.15, "holdout": 0.04}},
        {"ratios": {"train": float("nan"), "validation": 0.2, "test": 0.15, "holdout": 0.05}},
        {"counts": {"train": 0, "validation": 20, "test": 15, "holdout": 5}},
        {"counts": {"train": 90, "validation": 20, "test": 15, "holdout": 5}},
        {"gap_days": -1},
        {"data_hash": ""},
    ],
)
def test_a_split_that_does_not_add_up_is_rejected_as_a_whole(
    tables: Database, examples: Any, execute: Callable[..., Any], wrong: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError):
        SplitRepository(tables).save(examples.split(**wrong), {"p1": "train"})
    assert execute("SELECT count(*) FROM ml_split_registry") == 0


def test_many_entities_are_stored_in_seconds(tables: Database, examples: Any) -> None:
    """A fifth of a million, because other tests run at the same time."""
    roles = {f"person-{number}": "train" for number in range(200_000)}
    started = time.perf_counter()
    SplitRepository(tables).save(examples.split(), roles)
    assert time.perf_counter() - started < 10
    assert SplitRepository(tables).previous(examples.experiment_id, "config") == roles
