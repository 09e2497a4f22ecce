"""The warm start: from stored patterns to proposals, and from results to new patterns."""

from datetime import UTC, datetime

import optuna
import pytest

from e2i_assets.core.memory.portfolio import tries
from e2i_assets.core.memory.uses import stored_trials, top_configurations, uses, warm_start_effect
from e2i_assets.core.memory.warm_start import Pattern, WarmStart, invalid_values, warm_start
from e2i_assets.core.search.proposals import Proposals, Tried
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search.trial_selection import Objectives
from e2i_assets.core.search.trials import TrialRecord
from e2i_assets.core.search_space.space import parse_space

SPACE = parse_space({"rounds": {"type": "int", "low": 50, "high": 500, "step": 50}, "rate": {"low": 0.01, "high": 0.3}})
DEFAULTS = {"rounds": 300, "rate": 0.1, "verbose": 0}


def pattern(*top, name="p1", similarity=0.9, trials=()):
    kept = tuple({"values": values, "value": 1.0 - 0.1 * place} for place, values in enumerate(top))
    return Pattern(pattern_id=name, study_name=name, similarity=similarity, top=kept, trials=tuple(trials) or kept)


def started(*patterns, count=5):
    return warm_start(patterns, DEFAULTS, SPACE, count, {}, "")


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


def test_configurations_are_clipped_to_the_space_and_record_the_changes():
    """A pattern with n_estimators=12 is not used in a space of 50 to 500."""
    first, defaults = started(pattern({"rounds": 12, "rate": 0.1, "other": 3})).configurations
    assert first.values == {"rounds": 50, "rate": 0.1}
    assert ["moved to 50" in note or "dropped" in note for note in first.notes] == [True, True]
    assert (defaults.origin, defaults.values) == ("default", {"rounds": 300, "rate": 0.1})


def test_configurations_are_distinct_and_limited_in_number():
    many = [pattern({"rounds": 50 * (1 + i // 2), "rate": 0.1}, name=f"p{i}") for i in range(12)]
    start = started(*many, count=3)
    values = [one.values for one in start.configurations]
    assert len({tuple(one.items()) for one in values}) == len(values) == 6  # the sixth is the defaults
    assert start.tries == 3


def test_without_patterns_the_defaults_are_tried_first_and_then_the_sampler_proposes():
    """A study still works after the user deletes all patterns."""
    start = started()
    propose = start.proposer()
    assert start.tries == 0
    assert propose([], 0.7).origin == "default"
    assert propose([Tried({"rounds": 300, "rate": 0.1}, 0.7)], 0.7) is None


def by_rate(best):
    return [{"values": {"rounds": 300, "rate": r / 100}, "value": -abs(r / 100 - best)} for r in range(1, 31)]


LOW, HIGH = {"rounds": 300, "rate": 0.02}, {"rounds": 300, "rate": 0.28}
NEAR_LOW = {"rounds": 300, "rate": 0.05}


def two_kinds():
    return started(
        pattern(LOW, NEAR_LOW, name="low", similarity=0.6, trials=by_rate(0.02)),
        pattern(HIGH, name="high", similarity=0.7, trials=by_rate(0.28)),
        count=2,
    )


def test_the_second_configuration_depends_on_the_result_of_the_first():
    """The more similar problem is used first; the results of the defaults and of one trial show that it misleads."""
    start = two_kinds()
    assert start.configurations[0].values == HIGH
    propose = start.proposer()
    assert propose([], 0.8).values == HIGH
    assert propose([Tried(HIGH, 0.5)], 0.8).values == LOW
    assert propose([Tried(HIGH, 0.5), Tried(LOW, 0.9)], 0.8) is None


def test_the_defaults_get_a_trial_if_no_pattern_is_as_good():
    propose = two_kinds().proposer()
    tried = [Tried(HIGH, 0.5), Tried(LOW, 0.6)]
    assert propose(tried, 0.8).origin == "default"
    assert propose([*tried, Tried({"rounds": 300, "rate": 0.1}, 0.8)], 0.8) is None
    assert propose([Tried(HIGH), Tried(LOW, None, was_pruned=True)], 0.8).origin == "default"


def test_an_interrupted_and_retried_trial_counts_once_with_its_value():
    propose = two_kinds().proposer()
    assert propose([Tried(HIGH), Tried(HIGH, 0.5)], 0.8).values == LOW


def test_one_proposal_is_queued_for_each_free_worker():
    study = optuna.create_study(direction="maximize")
    proposals = Proposals(two_kinds().proposer(), 1, lambda study: 0.4)
    proposals.queue(study)
    proposals.queue(study)
    assert [trial.system_attrs["fixed_params"] for trial in study.trials] == [HIGH]
    study.optimize(lambda trial: trial.suggest_float("rate", 0.01, 0.3), n_trials=3, callbacks=[proposals])
    assert [trial.user_attrs.get("pattern_id") for trial in study.trials] == ["high", "low", None]
    assert [trial.params["rate"] for trial in study.trials[:2]] == [0.28, 0.02]


def test_after_the_last_proposal_the_selection_is_not_called_again():
    """Most trials come after the proposals, and each call evaluates all earlier trials."""
    asked = []
    study = optuna.create_study(direction="maximize")
    proposals = Proposals(lambda tried, default: asked.append(len(tried)), 1, lambda study: None)
    study.optimize(lambda trial: trial.suggest_float("rate", 0.01, 0.3), n_trials=5, callbacks=[proposals])
    assert asked == [1]


@pytest.mark.parametrize(
    ("budget", "expected"), [(1, 1), (2, 1), (3, 2), (6, 5), (12, 5), (20, 5), (24, 6), (60, 10), (1000, 10)]
)
def test_few_trials_are_all_but_the_last_from_the_memory_and_many_a_quarter(budget, expected):
    assert tries(budget, 10) == expected
    assert tries(budget, 1) == 1


def test_an_illegal_value_in_a_warm_start_is_found():
    legal = started(pattern({"rate": 0.2}))
    first = legal.configurations[0].model_copy(update={"values": {"rate": 7.0, "x": 1}})
    poisoned = legal.model_copy(update={"configurations": (first,)})
    assert invalid_values(legal, SPACE) == []
    assert len(invalid_values(poisoned, SPACE)) == 2


def test_a_warm_start_survives_being_stored():
    start = two_kinds()
    assert WarmStart.model_validate_json(start.model_dump_json()) == start


def test_a_use_is_measured_against_the_defaults_of_the_same_study():
    """The comparison is within the study, and only for a trial that ran."""
    warm = {"attributes": {"pattern_id": "p", "similarity": 0.8}, "origin": "warm_start"}
    found = uses(result(trial(0, 0.7, **warm), trial(1, 0.9), trial(2, None, state="PRUNED", **warm)))
    # The table needs a rank and its count together: one without the other failed every asset after a search.
    assert [(one.trial_number, one.rank, one.n_ranked) for one in found] == [(0, 2, 2), (2, None, None)]
    assert abs(found[0].improvement - 0.1) < 1e-12
    assert found[1].improvement is None


@pytest.mark.parametrize("error_type", ["Interrupted", "InterruptedAgain", "ValueError", "TrialTooSlow"])
def test_a_failed_warm_start_trial_is_not_a_use(error_type):
    """A trial that did not run to its end does not count as a use."""
    warm = {"attributes": {"pattern_id": "p", "similarity": 0.8}, "state": "FAIL", "error_type": error_type}
    assert uses(result(trial(0, None, **warm))) == ()


def test_the_best_distinct_configurations_are_stored():
    def fitted(rounds, rate):
        return {"sampled": {"rounds": 500, "rate": rate}, "params": {"rounds": rounds, "rate": rate}}

    kept = top_configurations(
        result(trial(0, 0.7, **fitted(61, 0.1)), trial(1, 0.9, **fitted(60, 0.1)), trial(2, 0.8, **fitted(140, 0.2))),
        SPACE,
    )
    assert [one["values"] for one in kept] == [{"rounds": 50, "rate": 0.1}, {"rounds": 150, "rate": 0.2}]
    assert [one["trial_number"] for one in kept] == [1, 2]


def test_stored_configurations_differ_from_each_other():
    """Neighbours of the best configuration add no information."""
    rates = [0.10, 0.101, 0.102, 0.25, 0.02]
    found = result(*[trial(i, 0.9 - i / 100, sampled={"rate": r}, params={"rate": r}) for i, r in enumerate(rates)])
    assert [one["values"]["rate"] for one in top_configurations(found, SPACE)] == [0.10, 0.25, 0.02]


def test_good_and_bad_trials_of_a_long_study_are_stored():
    found = result(*[trial(i, i / 1000) for i in range(400)], trial(400, None, state="FAIL", error_type="X"))
    kept = [one["value"] for one in stored_trials(found, SPACE)]
    assert len(kept) == 100
    assert (kept[0], kept[-1]) == (0.399, 0.0)


def test_the_effect_of_a_warm_start_is_measured_within_the_study():
    warm = {"attributes": {"pattern_id": "p", "similarity": 0.8}, "origin": "warm_start"}
    found = warm_start_effect(
        result(
            trial(0, 0.7, **warm), trial(1, 0.75, **warm), trial(2, 0.6), trial(3, 0.72), trial(4, 0.9), default=0.65
        )
    )
    assert found.model_dump() == {
        "warm_trials": 2,
        "best_warm_value": 0.75,
        "default_value": 0.65,
        "best_sampled_value": 0.72,
        "trials_to_best": 5,
        "best_came_from": "sampler",
    }


def test_a_study_without_a_completed_trial_has_no_warm_start_effect():
    found = warm_start_effect(result(trial(0, None, state="FAIL", error_type="ValueError"), default=None))
    assert (found.warm_trials, found.best_warm_value, found.trials_to_best) == (0, None, None)
