"""Concurrent operations: the result is the same as that of a sequential order."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from finished_project import PLAIN

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.experiments import ExperimentRepository
from e2i_assets.adapters.repositories.pattern_maintenance import PatternMaintenance
from e2i_assets.adapters.repositories.patterns import PatternRepository
from e2i_assets.adapters.repositories.training_runs import TrainingRunRepository
from e2i_assets.core.experiments.file import parse_experiment

KIND: dict[str, Any] = {"algorithm": "XGBoost", "problem_type": "binary_classification", "metric": "roc_auc"}


def together(*actions: Callable[[], Any]) -> list[Any]:
    """Run all actions concurrently and return their results."""
    start = threading.Barrier(len(actions))

    def after_the_start(action: Callable[[], Any]) -> Any:
        start.wait(20)
        return action()

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(after_the_start, actions))


def test_concurrent_registrations_of_one_file_give_one_experiment(
    tables: Database, execute: Callable[..., Any]
) -> None:
    """A run, the daemon and a user register the file: the last registration wins, and all get the same id."""
    versions = [parse_experiment(PLAIN.replace("roc_auc: 0.6", f"roc_auc: 0.{k}"), "test") for k in range(60, 68)]
    store = ExperimentRepository(tables)
    ids = together(*[lambda one=one: store.register_experiment(one) for one in versions])
    assert len(set(ids)) == 1
    assert execute("SELECT count(*) FROM ml_experiments") == 1
    row = store.get("plain")
    assert row is not None
    assert row.spec in [one.model_dump(mode="json") for one in versions]


def test_a_retrieval_during_a_prune_sees_the_patterns_before_or_after_it(tables: Database, examples: Any) -> None:
    store, upkeep = PatternRepository(tables), PatternMaintenance(tables)
    ids = {store.store(examples.pattern(data_hash="same rows", best_value=0.5 + k / 100)) for k in range(20)}

    def retrievals() -> list[set[str]]:
        asked = [store.similar(**KIND, n_samples=1000, n_features=10, class_balance=0.3, limit=50) for _ in range(25)]
        return [{one.pattern_id for one in found} for found in asked]

    first, second, gone = together(retrievals, retrievals, lambda: upkeep.forget(dry_run=False))
    (best,) = {one.pattern_id for one in upkeep.summaries()}
    assert {one.pattern_id for one in gone} == ids - {best}
    # A retrieval sees all patterns or the remaining ones, never a partial state or an unreadable pattern.
    assert {frozenset(found) for found in first + second} <= {frozenset(ids), frozenset({best})}


def test_concurrent_prunes_delete_each_pattern_once(
    tables: Database, examples: Any, execute: Callable[..., Any]
) -> None:
    ids = {PatternRepository(tables).store(examples.pattern(data_hash="same rows")) for _ in range(10)}
    upkeep = PatternMaintenance(tables)
    told = [one.pattern_id for gone in together(*[lambda: upkeep.forget(dry_run=False)] * 3) for one in gone]
    assert len(told) == len(set(told)) == 9
    assert execute("SELECT count(*) FROM ml_hpo_forgotten_patterns") == 9
    assert len(ids - set(told)) == 1


def test_a_pattern_may_be_deleted_before_its_use_is_recorded(
    tables: Database, examples: Any, execute: Callable[..., Any]
) -> None:
    """The study continues with its configuration, and its use refers to a deleted pattern."""
    store = PatternRepository(tables)
    given = store.store(examples.pattern(data_hash="same rows", best_value=0.1))
    store.store(examples.pattern(data_hash="same rows", best_value=0.9))
    study_id, _ = examples.finished_study()
    PatternMaintenance(tables).forget(dry_run=False)
    assert store.get(given) is None
    assert store.record_use(given, study_id, 0, 0.9, 0.1) is False
    assert execute("SELECT count(*) FROM ml_hpo_warmstart_uses") == 0


@pytest.mark.parametrize("round_", range(5))
def test_a_concurrent_use_and_prune_leave_a_pattern_with_its_use_or_neither(
    tables: Database, examples: Any, execute: Callable[..., Any], round_: int
) -> None:
    store, upkeep = PatternRepository(tables), PatternMaintenance(tables)
    given = store.store(examples.pattern(data_hash="same rows", best_value=0.1))
    store.store(examples.pattern(data_hash="same rows", best_value=0.9))
    study_id, _ = examples.finished_study()
    together(lambda: store.record_use(given, study_id, 0, 0.9, 0.1), lambda: upkeep.forget(dry_run=False))
    assert store.get(given) is None
    assert execute("SELECT count(*) FROM ml_hpo_warmstart_uses") == 0
    assert execute("SELECT count(*) FROM ml_hpo_forgotten_patterns") == 1


def test_a_training_is_not_linked_to_a_deleted_pattern(tables: Database, examples: Any) -> None:
    training = examples.training()
    runs = TrainingRunRepository(tables)
    runs.start(training)
    store = PatternRepository(tables)
    stored = store.store(examples.pattern(spec_hash=training.spec_hash, data_hash="same rows", best_value=0.1))
    store.store(examples.pattern(data_hash="same rows", best_value=0.9))
    PatternMaintenance(tables).forget(dry_run=False)
    runs.link_pattern(training.spec_hash, stored)
    kept = runs.by_spec_hash(training.spec_hash)
    assert kept is not None
    assert kept.pattern_id is None
