"""Studies and their trials in our tables."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from direct_rows import record_trials
from sqlalchemy.exc import IntegrityError, NoResultFound

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.studies import StudyRepository

NAN, INFINITY = float("nan"), float("inf")


def test_a_study_is_read_back_as_it_was_stored(tables: Database, examples: Any, split_id: str) -> None:
    store, study = (
        StudyRepository(tables),
        examples.study(
            split_id=split_id,
            objective="cross_validation",
            objectives=[
                {"name": "roc_auc", "greater_is_better": True},
                {"name": "model_size", "greater_is_better": False},
            ],
            constraints={"model_size": 2000},
        ),
    )
    study_id = store.start(study)
    running = store.by_spec_hash(study.spec_hash)
    assert running is not None
    assert (running.id, running.status, running.completed_at, running.best_value) == (study_id, "running", None, None)
    trial = examples.trial(
        user_attrs={"rounds": 12, "why": None},
        intermediate_values={"1": 0.5, "8": 0.7},
        objective_values={"roc_auc": 0.75, "model_size": 1200.0},
        constraint_values={"model_size": -800.0},
        worker="a lock",
    )
    record_trials(store.database, study_id, [trial])
    store.finish(study_id, **examples.outcome())
    stored = store.by_name(study.study_name)
    assert stored is not None
    assert stored == store.by_spec_hash(study.spec_hash)
    asked = ("split_id", "search_space", "objective", "objectives", "constraints")
    for name, value in {**examples.outcome(), **{name: getattr(study, name) for name in asked}}.items():
        assert getattr(stored, name) == value, name
    assert stored.completed_at is not None
    assert stored.completed_at >= stored.started_at
    assert store.trials(study_id) == [trial]
    assert store.by_name("nobody") is None


@pytest.mark.parametrize("value", [-12345.6, 1.2e-7, 0.1 + 0.2, 1e300, -5e-324])
def test_a_best_value_comes_back_exactly(tables: Database, examples: Any, value: float) -> None:
    """It is neither rejected for its size nor rounded to 0."""
    store, study = StudyRepository(tables), examples.study()
    study_id = store.start(study)
    record_trials(store.database, study_id, [examples.trial(value=value)])
    store.finish(study_id, **examples.outcome(best_value=value, default_value=value))
    stored = store.by_spec_hash(study.spec_hash)
    assert stored is not None
    assert (stored.best_value, stored.default_value) == (value, value)
    assert store.trials(study_id)[0].value == value


def test_a_resumed_study_keeps_its_row_and_its_start_and_its_budget_covers_what_was_spent(
    tables: Database, examples: Any
) -> None:
    """The study key identifies the study."""
    store, study = StudyRepository(tables), examples.study(n_trials=3)
    study_id = store.start(study)
    record_trials(store.database, study_id, [examples.trial(), examples.trial(1, state="PRUNED", value=None)])
    store.finish(study_id, **examples.outcome(status="partial", stop_reason="timeout"))
    before = store.by_spec_hash(study.spec_hash)
    assert store.start(replace(study, n_trials=20)) == study_id
    after = store.by_spec_hash(study.spec_hash)
    assert before is not None
    assert after is not None
    assert after.started_at == before.started_at
    assert (after.status, after.completed_at, after.stop_reason, after.n_trials) == ("running", None, None, 20)
    store.start(replace(study, n_trials=1))
    shrunk = store.by_spec_hash(study.spec_hash)
    assert shrunk is not None
    assert shrunk.n_trials == 2


def test_trials_recorded_again_replace_themselves(tables: Database, examples: Any) -> None:
    store = StudyRepository(tables)
    study_id = store.start(examples.study())
    record_trials(store.database, study_id, [examples.trial(state="RUNNING", value=None, datetime_complete=None)])
    record_trials(store.database, study_id, [examples.trial(), examples.trial(1)])
    record_trials(store.database, study_id, [])
    assert store.trials(study_id) == [examples.trial(), examples.trial(1)]


def test_what_was_reported_but_is_no_number_is_stored_as_null(tables: Database, examples: Any) -> None:
    store = StudyRepository(tables)
    study_id = store.start(examples.study())
    broken = examples.trial(
        state="FAIL", value=None, error_message="objective is nan", intermediate_values={"1": 0.5, "2": NAN}
    )
    record_trials(store.database, study_id, [broken])
    assert store.trials(study_id)[0].intermediate_values == {"1": 0.5, "2": None}


def test_an_aborted_study_stores_its_reason_and_its_counts(tables: Database, examples: Any) -> None:
    """An aborted study is a failed row, not a lost one."""
    store, study = StudyRepository(tables), examples.study()
    study_id = store.start(study)
    failed = examples.trial(0, state="FAIL", value=None, error_message="no")
    died = examples.trial(1, state="FAIL", value=None, error_type="Interrupted", error_message="its process died")
    late = examples.trial(2, state="PRUNED", value=None, error_type="TrialOutOfTime", error_message="time is up")
    record_trials(store.database, study_id, [failed, died, late])
    store.fail(study_id, "every trial failed: no")
    stored = store.by_spec_hash(study.spec_hash)
    assert stored is not None
    assert (stored.status, stored.n_failed, stored.error_message) == ("failed", 1, "every trial failed: no")
    assert stored.n_pruned == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": NAN},
        {"value": INFINITY},
        {"value": -INFINITY},
        {"value": None},
        {"state": "DONE"},
        {"origin": "somewhere"},
        {"duration_seconds": -1.0},
        {"state": "FAIL", "value": None},
        {"state": "FAIL", "value": 0.5, "error_message": "why"},
        {"trial_number": -1},
        {"params": [1, 2]},
    ],
)
def test_a_trial_that_contradicts_itself_is_rejected_with_all_that_came_with_it(
    tables: Database, examples: Any, wrong: dict[str, Any]
) -> None:
    """A completed trial has a finite value, a failed one has a reason and no value."""
    store = StudyRepository(tables)
    study_id = store.start(examples.study())
    with pytest.raises(IntegrityError):
        record_trials(store.database, study_id, [examples.trial(5), replace(examples.trial(), **wrong)])
    assert store.trials(study_id) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"best_value": NAN},
        {"best_value": INFINITY},
        {"best_value": None},
        {"best_trial_number": None},
        {"best_trial_number": 7},
        {"best_trial_number": None, "best_value": None},
        {"status": "pruned"},
        {"status": "failed"},
        {"duration_seconds": -0.1},
        {"duration_seconds": NAN},
        {"best_params": ["max_depth"]},
    ],
)
def test_a_study_cannot_end_in_contradiction_to_itself_or_its_trials(
    tables: Database, examples: Any, wrong: dict[str, Any]
) -> None:
    """The counts must add up and the best trial must exist; otherwise the row does not change."""
    store, study = StudyRepository(tables), examples.study()
    study_id = store.start(study)
    record_trials(store.database, study_id, [examples.trial()])
    with pytest.raises(IntegrityError):
        store.finish(study_id, **examples.outcome(**wrong))
    stored = store.by_spec_hash(study.spec_hash)
    assert stored is not None
    assert stored.status == "running"


def test_finishing_a_study_that_does_not_exist_is_an_error(tables: Database, examples: Any) -> None:
    for end in (
        lambda store, nobody: store.fail(nobody, "x"),
        lambda s, nobody: s.finish(nobody, **examples.outcome()),
    ):
        with pytest.raises(NoResultFound):
            end(StudyRepository(tables), "00000000-0000-0000-0000-000000000000")


def test_json_columns_hold_documents_and_reject_text(
    tables: Database, examples: Any, execute: Callable[..., Any]
) -> None:
    """The operator ->> finds the key, and a document that was encoded twice is rejected."""
    study_id, _ = examples.finished_study()
    found = execute("SELECT params->>'max_depth' FROM ml_hpo_trials WHERE study_id = :id", id=study_id)
    assert found == "3"
    with pytest.raises(IntegrityError, match="json_object"):
        execute("UPDATE ml_hpo_studies SET best_params = to_jsonb(CAST(:text AS text))", text='{"max_depth": 3}')


def test_a_study_cannot_end_before_it_started(tables: Database, examples: Any, execute: Callable[..., Any]) -> None:
    study_id, _ = examples.finished_study()
    with pytest.raises(IntegrityError, match="ends_after_start"):
        execute("UPDATE ml_hpo_studies SET completed_at = started_at - interval '1 s' WHERE id = :id", id=study_id)


def test_the_counts_of_a_study_are_those_of_its_trials(tables: Database, examples: Any) -> None:
    """The counts do not depend on the process that finishes it, or on trials that are still running."""
    store, study = StudyRepository(tables), examples.study(n_trials=2)
    study_id = store.start(study)
    cut = [examples.trial(number, state="PRUNED", value=None) for number in (1, 2)]
    better = examples.trial(3, value=0.8)
    record_trials(
        store.database, study_id, [examples.trial(), *cut, better, examples.trial(4, value=0.9, is_feasible=False)]
    )
    store.recount(study_id)
    going = store.by_spec_hash(study.spec_hash)
    assert going is not None
    assert (going.n_completed, going.n_pruned, going.n_failed, going.n_trials) == (3, 2, 0, 5)
    assert (going.status, going.best_trial_number, going.best_value) == ("running", 3, 0.8)
    store.finish(study_id, **examples.outcome(best_trial_number=3, best_value=0.8))
    ended = store.by_spec_hash(study.spec_hash)
    assert ended is not None
    assert (ended.n_completed, ended.n_pruned, ended.n_failed, ended.n_trials) == (3, 2, 0, 5)


def test_the_pareto_set_is_the_one_that_the_study_last_ended_with(tables: Database, examples: Any) -> None:
    store = StudyRepository(tables)
    study_id = store.start(examples.study())
    record_trials(store.database, study_id, [examples.trial(number) for number in range(4)])
    store.finish(study_id, [0, 2], **examples.outcome())
    assert store.pareto_set(study_id) == [0, 2]
    record_trials(store.database, study_id, [examples.trial(0)])
    assert store.pareto_set(study_id) == [0, 2]
    store.finish(study_id, [2, 3], **examples.outcome())
    assert store.pareto_set(study_id) == [2, 3]
    record_trials(store.database, study_id, [examples.trial(5, state="PRUNED", value=None)])
    with pytest.raises(IntegrityError, match="pareto_is_complete"):
        store.finish(study_id, [5], **examples.outcome())


def test_a_trial_keeps_the_worker_that_it_was_claimed_by(tables: Database, examples: Any) -> None:
    store = StudyRepository(tables)
    study_id = store.start(examples.study())
    record_trials(
        store.database,
        study_id,
        [examples.trial(state="RUNNING", value=None, datetime_complete=None, duration_seconds=None, worker="a")],
    )
    record_trials(store.database, study_id, [examples.trial()])
    assert store.trials(study_id)[0].worker == "a"


def test_each_process_that_joins_a_study_learns_how_many_came_before_it(tables: Database, examples: Any) -> None:
    store = StudyRepository(tables)
    study_id = store.start(examples.study())
    assert [store.join(study_id) for _ in range(3)] == [0, 1, 2]
