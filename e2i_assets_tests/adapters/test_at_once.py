"""Two that do the same, or the opposite, at the same time: it ends as if one had come after the other."""

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
    """Do all of them at the same moment and return what each returns."""
    start = threading.Barrier(len(actions))

    def after_the_start(action: Callable[[], Any]) -> Any:
        start.wait(20)
        return action()

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(after_the_start, actions))


def test_registrations_of_one_file_at_once_are_one_experiment(tables: Database, execute: Callable[..., Any]) -> None:
    """By a run, the daemon and a person: the last one decides, and nobody gets another id."""
    versions = [parse_experiment(PLAIN.replace("roc_auc: 0.6", f"roc_auc: 0.{k}"), "test") for k in range(60, 68)]
    store = ExperimentRepository(tables)
    ids = together(*[lambda one=one: store.register_experiment(one) for one in versions])
    assert len(set(ids)) == 1
    assert execute("SELECT count(*) FROM ml_experiments") == 1
    row = store.get("plain")
    assert row is not None
    assert row.spec in [one.model_dump(mode="json") for one in versions]


def test_a_prune_during_retrievals_gives_each_the_memory_before_or_after_it(tables: Database, examples: Any) -> None:
    store, upkeep = PatternRepository(tables), PatternMaintenance(tables)
    ids = {store.store(examples.pattern(data_hash="same rows", best_value=0.5 + k / 100)) for k in range(20)}

    def retrievals() -> list[set[str]]:
        asked = [store.similar(**KIND, n_samples=1000, n_features=10, class_balance=0.3, limit=50) for _ in range(25)]
        return [{one.pattern_id for one in found} for found in asked]

    first, second, gone = together(retrievals, retrievals, lambda: upkeep.forget(dry_run=False))
    (best,) = {one.pattern_id for one in upkeep.summaries()}
    assert {one.pattern_id for one in gone} == ids - {best}
    # All of it or what is left: never a half, nor a pattern that cannot be read any more.
    assert {frozenset(found) for found in first + second} <= {frozenset(ids), frozenset({best})}


def test_prunes_at_once_forget_each_pattern_once(tables: Database, examples: Any, execute: Callable[..., Any]) -> None:
    ids = {PatternRepository(tables).store(examples.pattern(data_hash="same rows")) for _ in range(10)}
    upkeep = PatternMaintenance(tables)
    told = [one.pattern_id for gone in together(*[lambda: upkeep.forget(dry_run=False)] * 3) for one in gone]
    assert len(told) == len(set(told)) == 9
    assert execute("SELECT count(*) FROM ml_hpo_forgotten_patterns") == 9
    assert len(ids - set(told)) == 1


def test_what_a_study_was_given_may_be_forgotten_before_it_says_what_it_brought(
    tables: Database, examples: Any, execute: Callable[..., Any]
) -> None:
    """The study goes on with the configuration that it has, and its use is of a pattern that is gone."""
    store = PatternRepository(tables)
    given = store.store(examples.pattern(data_hash="same rows", best_value=0.1))
    store.store(examples.pattern(data_hash="same rows", best_value=0.9))
    study_id, _ = examples.finished_study()
    PatternMaintenance(tables).forget(dry_run=False)
    assert store.get(given) is None
    assert store.record_use(given, study_id, 0, 0.9, 0.1) is False
    assert execute("SELECT count(*) FROM ml_hpo_warmstart_uses") == 0


@pytest.mark.parametrize("round_", range(5))
def test_a_use_and_a_prune_at_once_leave_a_pattern_with_its_use_or_neither(
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


def test_a_training_is_not_linked_to_a_pattern_that_was_forgotten_meanwhile(tables: Database, examples: Any) -> None:
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
