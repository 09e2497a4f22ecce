"""The pattern memory: storage, similarity, and the measured improvement of a pattern."""

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest
from direct_rows import add_all, record_trials
from sqlalchemy.exc import IntegrityError

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.patterns import PatternRepository
from e2i_assets.adapters.repositories.studies import StudyRepository

ASKED: dict[str, Any] = {
    "algorithm": "XGBoost",
    "problem_type": "binary_classification",
    "metric": "roc_auc",
    "n_samples": 1000,
    "n_features": 10,
    "class_balance": 0.3,
}


def similarity(tables: Database, pattern: Any, **asked: Any) -> float | None:
    """Return the similarity of a pattern to the problem, or None when it is not found."""
    store = PatternRepository(tables)
    pattern_id = store.store(pattern)
    found = {one.pattern_id: one.similarity for one in store.similar(**ASKED | {"min_similarity": 0.0} | asked)}
    return found.get(pattern_id)


def test_a_pattern_is_kept_once_with_its_memory_beside_it(
    tables: Database, examples: Any, execute: Callable[..., Any]
) -> None:
    """Documents are stored as JSON, and a re-run adds no duplicate."""
    store = PatternRepository(tables)
    pattern = examples.pattern(
        feature_types={"numeric": 1.0},
        meta_features={"n_samples": 1000.0},
        trials=[{"values": {"max_depth": 3, "booster": "dart"}, "value": 0.75}, {"values": {}, "value": -0.125}],
        default_value=0.7,
        meta_vector=[0.5, -0.25, *[0.0] * 14],
        meta_version=1,
    )
    pattern_id = store.store(pattern)
    assert store.store(replace(pattern, best_value=0.8)) == pattern_id
    stored = store.get(pattern_id)
    assert stored is not None
    assert store.list() == [stored]
    for name, value in {**asdict(pattern), "best_value": 0.8}.items():
        assert getattr(stored, name) == value, name
    memory = "FROM procedural_memories WHERE procedure_id = :id"
    assert execute(f"SELECT procedure_name {memory}", id=pattern_id) == "hpo_XGBoost_binary_classification"
    assert execute(f"SELECT tool_sequence->'best_hyperparameters'->>'max_depth' {memory}", id=pattern_id) == "3"
    assert execute("SELECT trials->0->'values'->>'booster' FROM ml_hpo_patterns") == "dart"
    assert execute(f"SELECT applicable_agents[1] || success_rate {memory}", id=pattern_id) == "model_trainer1"


@pytest.mark.parametrize(
    "wrong",
    [
        {"best_value": float("nan")},
        {"best_value": float("inf")},
        {"best_value": float("-inf")},
        {"class_balance": 1.5},
        {"n_samples": 0},
        {"n_completed": 0},
        {"n_completed": 9, "n_pruned": 2},
        {"best_hyperparameters": {}},
        {"problem_type": "clustering"},
        {"search_space": ["max_depth"]},
        {"default_value": float("nan")},
        {"trials": [{"values": {"max_depth": 3}, "value": "NaN"}]},
        {"trials": [{"values": {"max_depth": 3}}]},
        {"trials": [{"values": [3], "value": 0.5}]},
        {"meta_features": {"n_samples": "NaN"}},
        {"meta_vector": [0.0] * 15, "meta_version": 1},
        {"meta_vector": [0.0] * 16, "meta_version": None},
        {"meta_vector": [float("nan"), *[0.0] * 15], "meta_version": 1},
        {"meta_vector": [*[0.0] * 15, float("inf")], "meta_version": 1},
        {"meta_vector": [*[0.0] * 15, float("-inf")], "meta_version": 1},
    ],
)
def test_what_is_no_pattern_leaves_no_orphan(
    tables: Database, examples: Any, execute: Callable[..., Any], wrong: dict[str, Any]
) -> None:
    """The second insert fails, and the first one is rolled back."""
    with pytest.raises(IntegrityError):
        PatternRepository(tables).store(examples.pattern(**wrong))
    with pytest.raises(IntegrityError):
        add_all(tables, [examples.pattern(), examples.pattern(**wrong)])
    assert execute("SELECT count(*) FROM procedural_memories") == 0
    assert execute("SELECT count(*) FROM ml_hpo_patterns") == 0


@pytest.mark.parametrize(
    "wrong", [{"trials": [{"values": {"x": float("nan")}, "value": 1.0}]}, {"search_space": {"x": float("inf")}}]
)
def test_a_number_that_json_does_not_have_is_refused_inside_documents_too(
    tables: Database, examples: Any, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        PatternRepository(tables).store(examples.pattern(**wrong))
    assert PatternRepository(tables).list() == []


def test_many_patterns_are_kept_once_and_those_that_are_there_stay_as_they_are(tables: Database, examples: Any) -> None:
    store, known = PatternRepository(tables), examples.pattern(best_value=0.5)
    store.store(known)
    patterns = [examples.pattern(source="starter") for _ in range(450)]
    assert add_all(store.database, [*patterns, replace(known, best_value=0.9, source="starter")]) == 450
    assert add_all(store.database, patterns) == 0
    kept = {one.spec_hash: one for one in store.list()}
    assert len(kept) == 451
    assert (kept[known.spec_hash].best_value, kept[known.spec_hash].source) == (0.5, "study")
    assert {kept[one.spec_hash].source for one in patterns} == {"starter"}


def test_thousands_of_patterns_with_all_their_trials_are_kept_in_seconds(tables: Database, examples: Any) -> None:
    values = {f"parameter_{number}": 0.123456789 * number for number in range(8)}
    trials = [{"values": values, "value": number / 40} for number in range(40)]
    patterns = [
        examples.pattern(trials=trials, meta_vector=[number / 2500, *[0.1] * 15], meta_version=1)
        for number in range(2500)
    ]
    began = time.perf_counter()
    assert add_all(tables, patterns) == 2500
    assert time.perf_counter() - began < 20  # two seconds on an idle machine


def test_the_same_problem_is_fully_similar(tables: Database, examples: Any) -> None:
    assert similarity(tables, examples.pattern()) == 1.0


@pytest.mark.parametrize(
    ("other", "low", "high"),
    [
        ({"n_samples": 2000}, 0.9, 0.99),
        ({"n_samples": 10_000}, 0.8, 0.9),
        ({"n_samples": 1_000_000}, 0.0, 0.1),
        ({"n_features": 20}, 0.9, 0.99),
        ({"class_balance": 0.1}, 0.9, 0.99),
        ({"class_balance": None}, 1.0, 1.0),
    ],
)
def test_similarity_falls_with_what_differs(
    tables: Database, examples: Any, other: dict[str, Any], low: float, high: float
) -> None:
    found = similarity(tables, examples.pattern(**other))
    assert found is not None
    assert low <= found <= high


def test_the_threshold_rejects(tables: Database, examples: Any) -> None:
    """A problem of 10 rows by 10,000 columns is not similar to one of 1,000 rows by 10 columns."""
    alien = examples.pattern(n_samples=10, n_features=10_000)
    assert similarity(tables, alien, min_similarity=0.6) is None
    score = similarity(tables, alien)
    assert score is not None
    assert score < 0.2


def test_one_part_that_is_far_off_is_not_outvoted_by_the_others(tables: Database, examples: Any) -> None:
    assert similarity(tables, examples.pattern(n_samples=1_000_000), min_similarity=0.6) is None


@pytest.mark.parametrize(
    "other",
    [
        {"algorithm_name": "LightGBM"},
        {"problem_type": "multiclass_classification"},
        {"optimization_metric": "f1"},
        {"n_samples": None},
        {"n_features": None},
    ],
)
def test_another_kind_of_problem_or_one_of_unknown_size_is_no_candidate(
    tables: Database, examples: Any, other: dict[str, Any]
) -> None:
    """The metric must be the same too."""
    assert similarity(tables, examples.pattern(**other)) is None


def test_the_same_rows_can_be_left_out(tables: Database, examples: Any) -> None:
    pattern = examples.pattern()
    assert similarity(tables, pattern, exclude_data_hash=pattern.data_hash) is None
    assert similarity(tables, pattern, exclude_data_hash="others") == 1.0


def test_the_most_similar_come_first_and_ties_go_to_the_newest_whatever_its_value(
    tables: Database, examples: Any
) -> None:
    """The best value of another dataset is no information about this one."""
    store = PatternRepository(tables)
    older = store.store(examples.pattern(best_value=0.99))
    distant = store.store(examples.pattern(n_samples=3000, best_value=1.0))
    newer = store.store(examples.pattern(best_value=0.51))
    assert [one.pattern_id for one in store.similar(**ASKED)] == [newer, older, distant]
    assert [one.pattern_id for one in store.similar(**ASKED, limit=1)] == [newer]


def test_the_mean_improvement_is_the_mean_of_the_improvements(tables: Database, examples: Any) -> None:
    """0.1, 0.2 and 0.6 give 0.3; a use without a measured improvement counts as a use but not for the mean."""
    store = PatternRepository(tables)
    pattern_id = store.store(examples.pattern())
    expected = [(0.1, 0.1), (0.2, 0.15), (None, 0.15), (0.6, 0.3)]
    for uses, (improvement, mean) in enumerate(expected, start=1):
        study_id, _ = examples.finished_study()
        assert store.record_use(pattern_id, study_id, 0, 0.9, improvement)
        stored = store.get(pattern_id)
        assert stored is not None
        assert stored.times_used_as_warmstart == uses
        assert stored.warmstart_improvement_avg == pytest.approx(mean, abs=1e-15)


def test_a_use_counts_once_for_each_trial_and_what_is_said_last_holds(tables: Database, examples: Any) -> None:
    store = PatternRepository(tables)
    pattern_id = store.store(examples.pattern())
    study_id, _ = examples.finished_study()
    for improvement in (None, 0.5, 0.2, 0.2):
        assert store.record_use(pattern_id, study_id, 0, 0.9, improvement)
    stored = store.get(pattern_id)
    assert stored is not None
    assert (stored.times_used_as_warmstart, stored.warmstart_improvement_avg) == (1, 0.2)
    store.store(examples.pattern(spec_hash=stored.spec_hash))
    assert store.get(pattern_id) == replace(stored, data_hash=store.list()[0].data_hash)


def test_two_configurations_of_a_pattern_in_one_study_are_two_uses(
    tables: Database, examples: Any, execute: Callable[..., Any]
) -> None:
    store, studies = PatternRepository(tables), StudyRepository(tables)
    pattern_id, study_id = store.store(examples.pattern()), studies.start(examples.study())
    record_trials(studies.database, study_id, [examples.trial(0), examples.trial(1, state="PRUNED")])
    for number, improvement in ((0, 0.2), (1, None), (0, 0.4)):
        assert store.record_use(pattern_id, study_id, number, 0.9, improvement)
    stored = store.get(pattern_id)
    assert stored is not None
    assert (stored.times_used_as_warmstart, stored.warmstart_improvement_avg) == (2, 0.4)
    assert execute("SELECT count(*) FROM ml_hpo_warmstart_uses") == 2


def test_what_a_pruned_warm_trial_brought_is_kept_without_a_rank(
    tables: Database, examples: Any, execute: Callable[..., Any]
) -> None:
    store, studies = PatternRepository(tables), StudyRepository(tables)
    pattern_id, study_id = store.store(examples.pattern()), studies.start(examples.study())
    record_trials(studies.database, study_id, [examples.trial(0), examples.trial(1, state="PRUNED")])
    brought = {"value": None, "default_value": 0.7, "best_value": 0.72, "rank": None, "n_ranked": None}
    assert store.record_use(pattern_id, study_id, 1, 0.9, None, **brought)
    assert execute("SELECT count(*) FROM ml_hpo_warmstart_uses WHERE rank IS NULL AND best_value = 0.72") == 1


def test_what_a_use_came_to_is_kept_with_what_it_is_measured_against(
    tables: Database, examples: Any, execute: Callable[..., Any]
) -> None:
    """All values are of the same study."""
    store = PatternRepository(tables)
    pattern_id = store.store(examples.pattern())
    study_id, _ = examples.finished_study()
    brought = {"value": 0.75, "default_value": 0.7, "best_value": 0.72, "rank": 1, "n_ranked": 9}
    assert store.record_use(pattern_id, study_id, 0, 0.9, 0.05, **brought)
    for name, value in brought.items():
        assert execute(f"SELECT {name} FROM ml_hpo_warmstart_uses") == value, name


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": float("nan")},
        {"default_value": float("inf")},
        {"best_value": float("-inf")},
        {"rank": 0, "n_ranked": 3},
        {"rank": 4, "n_ranked": 3},
        {"rank": 1},
    ],
)
def test_a_use_with_impossible_figures_is_rejected(tables: Database, examples: Any, wrong: dict[str, Any]) -> None:
    store = PatternRepository(tables)
    pattern_id = store.store(examples.pattern())
    study_id, _ = examples.finished_study()
    with pytest.raises(IntegrityError):
        store.record_use(pattern_id, study_id, 0, 0.9, 0.1, **wrong)


def test_trust_falls_with_uses_that_do_not_help_and_rises_with_those_that_do(tables: Database, examples: Any) -> None:
    store = PatternRepository(tables)
    pattern_id = store.store(examples.pattern())
    seen = []
    for improvement in (None, -0.1, 0.0, 0.3, 0.2):
        study_id, _ = examples.finished_study()
        store.record_use(pattern_id, study_id, 0, 0.9, improvement)
        stored = store.get(pattern_id)
        assert stored is not None
        seen.append(stored.trust)
    assert seen == pytest.approx([1, 1 / 2, 1 / 3, 2 / 4, 3 / 5])


@pytest.mark.parametrize("state", ["FAIL", "WAITING", "RUNNING", None])
def test_a_failed_or_unstarted_warm_start_trial_is_not_a_use(
    tables: Database, examples: Any, state: str | None
) -> None:
    store, studies = PatternRepository(tables), StudyRepository(tables)
    pattern_id, study_id = store.store(examples.pattern()), studies.start(examples.study())
    if state is not None:
        record_trials(studies.database, study_id, [examples.trial(state=state, value=None, error_message="why")])
    assert not store.record_use(pattern_id, study_id, 0, 0.9, 0.1)
    stored = store.get(pattern_id)
    assert stored is not None
    assert (stored.times_used_as_warmstart, stored.warmstart_improvement_avg) == (0, None)


@pytest.mark.parametrize(("alike", "improvement"), [(1.5, 0.1), (float("nan"), 0.1), (0.9, float("nan"))])
def test_a_use_without_real_numbers_is_rejected(
    tables: Database, examples: Any, alike: float, improvement: float
) -> None:
    store = PatternRepository(tables)
    pattern_id = store.store(examples.pattern())
    study_id, _ = examples.finished_study()
    with pytest.raises(IntegrityError):
        store.record_use(pattern_id, study_id, 0, alike, improvement)
    stored = store.get(pattern_id)
    assert stored is not None
    assert stored.times_used_as_warmstart == 0


def test_a_use_of_an_unknown_pattern_is_an_error(tables: Database, examples: Any) -> None:
    study_id, _ = examples.finished_study()
    with pytest.raises(IntegrityError, match="there is no pattern"):
        PatternRepository(tables).record_use("00000000-0000-0000-0000-000000000000", study_id, 0, 0.9, 0.1)


def test_uses_that_are_recorded_at_the_same_time_all_count(tables: Database, examples: Any) -> None:
    """No update is lost."""
    store = PatternRepository(tables)
    pattern_id = store.store(examples.pattern())
    studies = [examples.finished_study()[0] for _ in range(6)]
    threads = [
        threading.Thread(target=store.record_use, args=(pattern_id, study_id, 0, 0.9, number / 10))
        for number, study_id in enumerate(studies)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    stored = store.get(pattern_id)
    assert stored is not None
    assert stored.times_used_as_warmstart == 6
    assert stored.warmstart_improvement_avg == pytest.approx(0.25)
