"""The pruning of patterns, and the statistics of the pattern memory."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.pattern_maintenance import PatternMaintenance
from e2i_assets.adapters.repositories.patterns import PatternRepository

COUNT = "SELECT count(*) FROM ml_hpo_patterns"


def stored(tables: Database, examples: Any, days: int = 0, uses: int = 0, **changes: Any) -> str:
    """Store a pattern of some age that was used a few times, and return its id."""
    store = PatternRepository(tables)
    pattern_id = store.store(examples.pattern(**changes))
    with tables.begin() as connection:
        connection.execute(
            sa.text(
                "UPDATE ml_hpo_patterns SET created_at = now() - make_interval(days => :days) WHERE pattern_id = :id"
            ),
            {"days": days, "id": pattern_id},
        )
    for _ in range(uses):
        assert store.record_use(pattern_id, examples.finished_study()[0], 0, 0.9, 0.1)
    return pattern_id


def left(tables: Database) -> set[str]:
    return {one.pattern_id for one in PatternMaintenance(tables).summaries()}


def test_old_unused_patterns_are_deleted_from_both_tables_and_recorded(
    tables: Database, examples: Any, execute: Callable[..., Any]
) -> None:
    old = stored(tables, examples, days=91)
    kept = {stored(tables, examples, days=89), stored(tables, examples, days=91, uses=1)}
    starter = stored(tables, examples, days=1000, source="starter")
    (forgotten,) = PatternMaintenance(tables).forget(dry_run=False)
    assert (forgotten.pattern_id, forgotten.reason) == (old, "older than 90 days and used 0 times")
    assert left(tables) == {*kept, starter}
    assert execute("SELECT count(*) FROM procedural_memories") == 3
    assert execute("SELECT reason FROM ml_hpo_forgotten_patterns WHERE pattern_id = :id", id=old) == forgotten.reason
    assert PatternMaintenance(tables).forget(dry_run=False) == []


def test_age_and_uses_are_parameters(tables: Database, examples: Any) -> None:
    young, used = stored(tables, examples, days=8), stored(tables, examples, days=8, uses=2)
    assert {one.pattern_id for one in PatternMaintenance(tables).forget(7, 2)} == {young, used}
    assert {one.pattern_id for one in PatternMaintenance(tables).forget(7, 1)} == {young}
    assert PatternMaintenance(tables).forget(9, 2) == []


def test_a_dry_run_returns_the_same_and_changes_nothing(
    tables: Database, examples: Any, execute: Callable[..., Any]
) -> None:
    stored(tables, examples, days=100)
    stored(tables, examples, data_hash="d", best_value=0.1)
    stored(tables, examples, data_hash="d", best_value=0.2)
    upkeep = PatternMaintenance(tables)
    would = upkeep.forget()
    assert len(would) == 2
    assert execute(COUNT) == 3
    assert execute("SELECT count(*) FROM ml_hpo_forgotten_patterns") == 0
    assert upkeep.forget(dry_run=False) == would
    assert execute(COUNT) == 1


def test_of_several_patterns_of_one_problem_the_best_is_kept(tables: Database, examples: Any) -> None:
    same: dict[str, Any] = {"data_hash": "d"}
    worse = stored(tables, examples, best_value=0.7, uses=3, **same)
    best = stored(tables, examples, best_value=0.8, **same)
    others = {
        stored(tables, examples, best_value=0.1, algorithm_name="LightGBM", **same),
        stored(tables, examples, best_value=0.1, optimization_metric="f1", **same),
        stored(tables, examples, best_value=0.1),
        stored(tables, examples, best_value=0.9, source="starter", **same),
    }
    (forgotten,) = PatternMaintenance(tables).forget(dry_run=False)
    assert (forgotten.pattern_id, forgotten.reason) == (worse, "a better pattern of the same problem is kept")
    assert left(tables) == {best, *others}


def test_a_pattern_that_goes_for_its_age_is_no_reason_to_forget_a_younger_one_of_the_same_problem(
    tables: Database, examples: Any
) -> None:
    old = stored(tables, examples, days=100, data_hash="d", best_value=0.9)
    young = stored(tables, examples, data_hash="d", best_value=0.5)
    assert [one.pattern_id for one in PatternMaintenance(tables).forget(dry_run=False)] == [old]
    assert left(tables) == {young}


def test_pruning_is_an_sql_function_and_a_dry_run_by_default(
    tables: Database, examples: Any, execute: Callable[..., Any]
) -> None:
    stored(tables, examples, days=100)
    assert execute("SELECT count(*) FROM forget_hpo_patterns()") == 1
    assert execute(COUNT) == 1
    assert execute("SELECT count(*) FROM forget_hpo_patterns(p_dry_run => false)") == 1
    assert execute(COUNT) == 0


def test_a_pattern_that_comes_back_is_kept_like_any_other(tables: Database, examples: Any) -> None:
    pattern = examples.pattern(spec_hash="s")
    for _ in range(2):
        PatternRepository(tables).store(pattern)
        stored(tables, examples, days=100, spec_hash="s")
        assert len(PatternMaintenance(tables).forget(dry_run=False)) == 1


def test_statistics_count_patterns_uses_and_what_helped_by_kind(tables: Database, examples: Any) -> None:
    empty = PatternMaintenance(tables).statistics()
    assert (empty.patterns, empty.uses, empty.kinds) == (0, 0, [])
    store = PatternRepository(tables)
    used = stored(tables, examples, best_value=0.6)
    study_id, _ = examples.finished_study()
    for study, improvement in (
        (study_id, 0.3),
        (examples.finished_study()[0], -0.1),
        (examples.finished_study()[0], None),
    ):
        store.record_use(used, study, 0, 0.9, improvement)
    also = stored(tables, examples, best_value=0.8, source="starter")
    store.record_use(also, study_id, 0, 0.9, 0.4)
    stored(tables, examples, algorithm_name="LightGBM", best_value=-2.0)
    found = PatternMaintenance(tables).statistics()
    assert (found.patterns, found.starter, found.uses, found.studies_helped, found.by_vector) == (3, 1, 4, 3, True)
    lightgbm, xgboost = found.kinds
    assert (lightgbm.algorithm_name, lightgbm.mean_best_value, lightgbm.mean_improvement) == ("LightGBM", -2.0, None)
    assert (xgboost.patterns, xgboost.starter, xgboost.mean_best_value) == (2, 1, pytest.approx(0.7))
    assert (xgboost.uses, xgboost.helped, xgboost.measured) == (4, 2, 3)
    assert xgboost.mean_improvement == pytest.approx(0.2)


def test_summaries_are_chosen_and_come_newest_first_with_the_starter_memory_last(
    tables: Database, examples: Any
) -> None:
    starter = stored(tables, examples, source="starter")
    older, newer = stored(tables, examples, days=2, algorithm_name="Ridge"), stored(tables, examples, days=1)
    upkeep = PatternMaintenance(tables)
    assert [one.pattern_id for one in upkeep.summaries()] == [newer, older, starter]
    assert [one.pattern_id for one in upkeep.summaries(limit=1)] == [newer]
    assert [one.pattern_id for one in upkeep.summaries(algorithm="Ridge")] == [older]
    assert [one.pattern_id for one in upkeep.summaries(source="starter")] == [starter]
    assert upkeep.summaries(problem_type="regression") == []
    assert upkeep.ids(newer[:12].upper()) == [newer]
    assert upkeep.ids("%") == []
