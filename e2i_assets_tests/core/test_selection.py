"""The rule that picks the trial which is trained: whatever the trials, it is never one that should not be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2i_assets.core.search.selection import Objectives, candidates, chosen, pareto_front
from e2i_assets.core.search.trials import TrialRecord

DIRECTIONS = {"auc": True, "size": False, "gap": False}
few = st.integers(-3, 3).map(float)  # so few values that equals and dominated ones are common
anything = st.floats(-1e6, 1e6)


def trial(number, values, feasible=True, state="COMPLETE", directions=DIRECTIONS):
    named = dict(zip(directions, values, strict=False))
    first = next(iter(named))
    done = state == "COMPLETE"
    return TrialRecord(
        number=number,
        state=state,
        origin="sampler",
        sampled={},
        params={},
        value=(named[first] if directions[first] else -named[first]) if done else None,
        objective_values=named if done else {},
        is_feasible=feasible,
    )


def objectives(count=3, tolerance=0.0):
    return Objectives(greater_is_better=dict(list(DIRECTIONS.items())[:count]), tolerance=tolerance)


@st.composite
def studies(draw, numbers=few):
    count = draw(st.integers(1, 3))
    wanted = objectives(count, draw(st.sampled_from([0.0, 0.5, 1.0, 100.0])))
    states = st.sampled_from(["COMPLETE", "COMPLETE", "COMPLETE", "PRUNED", "FAIL"])
    trials = [
        trial(number, draw(st.tuples(*[numbers] * count)), draw(st.booleans()), draw(states), wanted.greater_is_better)
        for number in range(draw(st.integers(0, 12)))
    ]
    return trials, wanted


def better(one, other):
    return one != other and all(mine >= theirs for mine, theirs in zip(one, other, strict=True))


@given(studies())
def test_what_is_chosen_is_complete_feasible_not_dominated_and_within_the_tolerance(study):
    trials, wanted = study
    able = [one for one in trials if one.state == "COMPLETE" and one.is_feasible]
    best = chosen(trials, wanted)
    if not able:
        assert best is None
        return
    assert best in able
    values = wanted.oriented(best)
    assert not any(better(wanted.oriented(other), values) for other in able)
    assert values[0] >= max(wanted.oriented(one)[0] for one in able) - wanted.tolerance


@given(studies())
def test_nobody_within_the_tolerance_is_better_in_the_others(study):
    """And of equals it is the earliest."""
    trials, wanted = study
    best = chosen(trials, wanted)
    if best is None:
        return
    able = [wanted.oriented(one) for one in candidates(trials)]
    enough = max(one[0] for one in able) - wanted.tolerance
    mine = wanted.oriented(best)
    assert not any(other[0] >= enough and other[1:] > mine[1:] for other in able)
    assert best.number == min(one.number for one in candidates(trials) if wanted.oriented(one) == mine)


@given(studies(anything), st.randoms())
def test_the_choice_does_not_depend_on_the_order_of_the_trials(study, random):
    """Several processes finish trials in any order."""
    trials, wanted = study
    shuffled = list(trials)
    random.shuffle(shuffled)
    assert chosen(shuffled, wanted) == chosen(trials, wanted)
    assert {one.number for one in pareto_front(shuffled, wanted)} == {
        one.number for one in pareto_front(trials, wanted)
    }


@given(studies())
def test_the_front_is_what_nobody_dominates(study):
    trials, wanted = study
    front = {one.number for one in pareto_front(trials, wanted)}
    able = candidates(trials)
    for one in trials:
        dominated = one not in able or any(better(wanted.oriented(other), wanted.oriented(one)) for other in able)
        assert (one.number in front) == (not dominated)


@pytest.mark.parametrize(
    ("tolerance", "number"),
    [(0.0, 0), (0.004, 0), (0.01, 2), (0.05, 3), (1.0, 3)],
)
def test_the_first_objective_gives_way_as_far_as_the_tolerance(tolerance, number):
    trials = [
        *[trial(0, (0.90, 9000, 0.3)), trial(1, (0.89, 9500, 0.3))],
        *[trial(2, (0.895, 5000, 0.2)), trial(3, (0.86, 100, 0.4)), trial(4, (0.99, 1, 0.0), feasible=False)],
    ]
    assert chosen(trials, objectives(3, tolerance)).number == number


def test_with_one_objective_the_best_value_wins_and_constraints_are_kept():
    trials = [trial(0, (0.7,)), trial(1, (0.9,), feasible=False), trial(2, (0.8,)), trial(3, (0.8,))]
    assert chosen(trials, objectives(1)).number == 2
    assert [one.number for one in pareto_front(trials, objectives(1))] == [2, 3]


def test_an_error_that_comes_first_is_turned_round():
    directions = {"rmse": False, "r2": True}
    trials = [trial(number, values, directions=directions) for number, values in enumerate([(2.0, 0.9), (1.0, 0.1)])]
    assert chosen(trials, Objectives(greater_is_better=directions)).number == 1
    assert chosen(trials, Objectives(greater_is_better=directions, tolerance=1.0)).number == 0
