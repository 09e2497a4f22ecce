"""Training runs, and the view that links a model to its lineage."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.patterns import PatternRepository
from e2i_assets.adapters.repositories.training_runs import TrainingRunRepository

NOBODY = "00000000-0000-0000-0000-000000000000"


def linked(examples: Any, **changes: Any) -> Any:
    """Return a training of the best trial of a stored study."""
    study_id, study = examples.finished_study()
    links = {
        "study_id": study_id,
        "optuna_study_name": study.study_name,
        "optuna_trial_number": 0,
        "is_best_trial": True,
        "spec_hash": study.spec_hash,
    }
    return examples.training(**links | changes)


def test_a_complete_lineage_is_one_row_without_a_null(tables: Database, examples: Any, split_id: str) -> None:
    """It has the study, the trial, the pattern, the split, the data and the runs."""
    store, run = TrainingRunRepository(tables), linked(examples, split_id=split_id)
    run_id = store.start(run)
    store.finish(run_id, **examples.trained())
    pattern_id = PatternRepository(tables).store(examples.pattern(spec_hash=run.spec_hash))
    store.link_pattern(run.spec_hash, pattern_id)
    (link,) = store.links()
    assert [name for name, value in asdict(link).items() if value is None] == []
    assert store.links("visits") == [link]
    assert store.links("another") == []
    assert link.experiment_name == "visits"
    assert link.training_run_id == run_id
    assert link.study_id == run.study_id
    assert link.study_name == run.optuna_study_name
    assert (link.best_trial_number, link.best_value, link.trial_params) == (0, 0.75, run.hyperparameters)
    assert (link.pattern_id, link.split_id, link.data_hash) == (pattern_id, split_id, "data")
    assert (link.mlflow_run_id, link.dagster_run_id) == ("mlflow-run", "dagster-run")
    assert (link.status, link.test_metrics) == ("finished", {"roc_auc": 0.77})


def test_a_run_is_read_back_as_it_was_stored(tables: Database, examples: Any) -> None:
    store, run = TrainingRunRepository(tables), linked(examples)
    run_id = store.start(run)
    store.finish(run_id, **examples.trained())
    stored = store.by_spec_hash(run.spec_hash)
    assert stored is not None
    for name, value in {**asdict(run), **examples.trained(), "id": run_id, "status": "finished"}.items():
        assert getattr(stored, name) == value, name
    assert stored.completed_at is not None
    assert stored.completed_at >= stored.started_at


def test_a_repeated_training_reuses_its_row(tables: Database, examples: Any) -> None:
    """There is no second row, and a run that ended does not stay running."""
    store, run = TrainingRunRepository(tables), linked(examples)
    first = store.start(run)
    store.fail(first, "out of memory")
    failed = store.by_spec_hash(run.spec_hash)
    assert failed is not None
    assert (failed.status, failed.error_message) == ("failed", "out of memory")
    assert store.start(run) == first
    again = store.by_spec_hash(run.spec_hash)
    assert again is not None
    assert (again.status, again.error_message, again.completed_at) == ("running", None, None)
    store.finish(first, **examples.trained())
    assert len(store.links()) == 1


def test_a_run_without_a_study_is_allowed_and_says_so(tables: Database, examples: Any) -> None:
    """A training with the defaults."""
    store = TrainingRunRepository(tables)
    store.finish(store.start(examples.training()), **examples.trained())
    (link,) = store.links()
    assert (link.study_id, link.study_name, link.best_trial_number, link.trial_params) == (None, None, None, None)


@pytest.mark.parametrize(
    ("wrong", "constraint"),
    [
        ({"study_id": NOBODY}, "study"),
        ({"optuna_study_name": "another study"}, "study_name_matches_study"),
        ({"optuna_trial_number": 5}, "trial_exists"),
        ({"optuna_study_name": None}, "study_has_its_name"),
        ({"study_id": None, "optuna_study_name": None, "is_best_trial": False}, "trial_needs_study"),
        ({"optuna_trial_number": None}, "best_trial_needs_links"),
        ({"study_id": None, "optuna_study_name": None, "optuna_trial_number": None}, "best_trial_needs_links"),
        ({"split_id": NOBODY}, "split_id"),
        ({"training_samples": 0}, "training_samples"),
        ({"feature_names": {"age": 1}}, "json_array"),
        ({"spec_hash": ""}, "spec_hash"),
    ],
)
def test_a_link_cannot_dangle(tables: Database, examples: Any, wrong: dict[str, Any], constraint: str) -> None:
    """`is_best_trial` without study and trial, an invented id, zero samples."""
    run = linked(examples, **wrong)
    with pytest.raises(IntegrityError, match=constraint):
        TrainingRunRepository(tables).start(run)


@pytest.mark.parametrize(
    "wrong",
    [
        {"decision_threshold": float("inf")},
        {"decision_threshold": float("nan")},
        {"duration_seconds": -1.0},
        {"hyperparameters": [1]},
        {"success_criteria_results": None},
    ],
)
def test_a_run_cannot_finish_with_what_is_no_result(tables: Database, examples: Any, wrong: dict[str, Any]) -> None:
    """For example with an infinite decision threshold."""
    store, run = TrainingRunRepository(tables), linked(examples)
    run_id = store.start(run)
    with pytest.raises(IntegrityError):
        store.finish(run_id, **examples.trained(**wrong))
    stored = store.by_spec_hash(run.spec_hash)
    assert stored is not None
    assert stored.status == "running"


def test_metrics_that_are_no_numbers_never_reach_the_database(tables: Database, examples: Any) -> None:
    store, run = TrainingRunRepository(tables), linked(examples)
    run_id = store.start(run)
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.finish(run_id, **examples.trained(test_metrics={"roc_auc": float("nan")}))


def test_a_finished_run_names_its_features(tables: Database, examples: Any) -> None:
    store = TrainingRunRepository(tables)
    run_id = store.start(linked(examples, feature_names=[]))
    with pytest.raises(IntegrityError, match="finished_has_features"):
        store.finish(run_id, **examples.trained())


def test_a_metric_can_be_asked_for_in_sql(tables: Database, examples: Any, execute: Callable[..., Any]) -> None:
    store = TrainingRunRepository(tables)
    store.finish(store.start(linked(examples)), **examples.trained())
    assert execute("SELECT test_metrics->>'roc_auc' FROM training_run_links") == "0.77"
