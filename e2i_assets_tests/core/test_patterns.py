"""From the memory to a head start and back."""

from datetime import UTC, datetime

from e2i_assets.core.patterns import (
    Candidate,
    WarmStart,
    first_configurations,
    illegal_values,
    top_configurations,
    uses,
)
from e2i_assets.core.search.selection import Objectives
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search.trials import TrialRecord
from e2i_assets.core.search_space.space import parse_space

SPACE = parse_space({"rounds": {"type": "int", "low": 50, "high": 500, "step": 50}, "rate": {"low": 0.01, "high": 0.3}})


def candidate(values, pattern="p1", similarity=0.9):
    return Candidate(pattern_id=pattern, similarity=similarity, study_name="s", values=values)


def trial(number, value, **changes):
    facts = {"state": "COMPLETE", "origin": "sampler", "sampled": {"rate": 0.1}, "params": {"rate": 0.1}, **changes}
    return TrialRecord(number=number, value=value, **facts)


def result(*trials, default=0.6):
    now = datetime.now(UTC)
    return StudyResult(
        study_name="s",
        n_trials=len(trials),
        objectives=Objectives(greater_is_better={"roc_auc": True}),
        trials=trials,
        default_value=default,
        stop_reason="budget spent",
        resumed_from=0,
        started_at=now,
        completed_at=now,
        duration_seconds=1.0,
    )


def test_configurations_are_brought_into_the_space_and_say_what_was_moved():
    """T21: n_estimators=12 never runs in a space of 50 to 500."""
    first, defaults = first_configurations(
        [candidate({"rounds": 12, "rate": 0.1})], {"rounds": 300, "rate": 0.1}, SPACE, 5
    )
    assert first.values == {"rounds": 50, "rate": 0.1}
    assert "moved to 50" in first.notes[0]
    assert (defaults.origin, defaults.values) == ("default", {"rounds": 300, "rate": 0.1})


def test_the_same_configuration_is_not_tried_twice_and_the_limit_holds():
    many = [candidate({"rounds": 50 * (1 + i // 2), "rate": 0.1}, f"p{i}") for i in range(12)]
    found = first_configurations(many, {"rounds": 50, "rate": 0.1}, SPACE, 3)
    assert [one.values["rounds"] for one in found] == [50, 100, 150]
    assert len({one.pattern_id for one in found}) == 3


def test_an_illegal_value_in_a_warm_start_is_found():
    found = first_configurations([candidate({"rate": 0.2})], {}, SPACE, 5)
    legal = WarmStart(configurations=found, meta_features={}, considered=1, reason="")
    poisoned = legal.model_copy(
        update={"configurations": (found[0].model_copy(update={"values": {"rate": 7.0, "x": 1}}),)}
    )
    assert illegal_values(legal, SPACE) == []
    assert len(illegal_values(poisoned, SPACE)) == 2


def test_a_use_is_measured_against_the_defaults_of_the_same_study():
    """T19, T22: within the study, and only when the trial ran."""
    warm = {"attributes": {"pattern_id": "p", "similarity": 0.8}, "origin": "warm_start"}
    found = uses(
        result(trial(0, 0.7, **warm), trial(1, 0.9), trial(2, None, state="FAIL", error_type="ValueError", **warm))
    )
    assert [(one.trial_number, one.rank) for one in found] == [(0, 2), (2, None)]
    assert abs(found[0].improvement - 0.1) < 1e-12
    assert found[1].improvement is None


def test_a_warm_trial_whose_process_died_is_not_a_use():
    """T22: nothing is counted for a trial that never ran to an end."""
    warm = {"attributes": {"pattern_id": "p", "similarity": 0.8}, "state": "FAIL", "error_type": "Interrupted"}
    assert uses(result(trial(0, None, **warm))) == ()


def test_the_best_distinct_configurations_are_kept():
    def fitted(rounds, rate):
        return {"sampled": {"rounds": 500, "rate": rate}, "params": {"rounds": rounds, "rate": rate}}

    kept = top_configurations(
        result(trial(0, 0.7, **fitted(61, 0.1)), trial(1, 0.9, **fitted(60, 0.1)), trial(2, 0.8, **fitted(140, 0.2))),
        SPACE,
    )
    assert [one["values"] for one in kept] == [{"rounds": 50, "rate": 0.1}, {"rounds": 150, "rate": 0.2}]
    assert [one["trial_number"] for one in kept] == [1, 2]
