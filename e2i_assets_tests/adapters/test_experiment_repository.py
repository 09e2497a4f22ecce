"""Registered experiments."""

import pytest

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.experiments import ExperimentNotRegistered, ExperimentRepository


def test_registering_again_keeps_the_id_and_brings_the_rest_up_to_date(tables: Database) -> None:
    store = ExperimentRepository(tables)
    first = store.register("visits", {"target": "mdvis", "drops": [1, None]}, "old words")
    assert store.register("visits", {"target": "totadm"}, "new words", "admissions", "someone") == first
    row = store.get("visits")
    assert row is not None
    assert (row.id, row.spec, row.description, row.prediction_target, row.created_by) == (
        first, {"target": "totadm"}, "new words", "admissions", "someone",
    )  # fmt: skip


def test_an_unchanged_experiment_is_not_touched(tables: Database) -> None:
    store = ExperimentRepository(tables)
    store.register("visits", {"target": "mdvis"})
    before = store.get("visits")
    store.register("visits", {"target": "mdvis"})
    assert store.get("visits") == before
    store.register("visits", {"target": "totadm"})
    after = store.get("visits")
    assert before is not None
    assert after is not None
    assert after.updated_at > before.updated_at
    assert after.spec_hash != before.spec_hash


def test_a_retired_experiment_is_listed_on_request_and_comes_back_when_registered(tables: Database) -> None:
    store = ExperimentRepository(tables)
    store.register("b", {"x": 1})
    store.register("a", {"x": 1})
    store.retire("b")
    assert [row.experiment_name for row in store.list()] == ["a"]
    assert [row.experiment_name for row in store.list(retired_too=True)] == ["a", "b"]
    retired = store.get("b")
    assert retired is not None
    assert not retired.is_active
    assert retired.retired_at is not None
    store.register("b", {"x": 1})
    assert [row.experiment_name for row in store.list()] == ["a", "b"]


def test_an_unknown_name_is_an_error_that_says_where_to_look(tables: Database) -> None:
    store = ExperimentRepository(tables)
    assert store.get("nobody") is None
    with pytest.raises(ExperimentNotRegistered, match=r"'nobody'.*e2i experiment list"):
        store.id_of("nobody")
    with pytest.raises(ExperimentNotRegistered, match="'nobody'"):
        store.retire("nobody")
