"""The choice of the next configuration from past problems and the results of the current study."""

import math

import numpy as np
import pytest

from e2i_assets.core.memory.past_problems import WORST_REGRET, PastProblem, encoded, regrets
from e2i_assets.core.memory.portfolio import next_candidate, planned, ranking_losses, weights
from e2i_assets.core.search_space.space import parse_space

SPACE = parse_space(
    {
        "rate": {"type": "float", "low": 0.01, "high": 1.0, "log": True},
        "depth": {"type": "int", "low": 1, "high": 11},
        "kind": {"type": "categorical", "choices": ["a", "b"]},
    }
)


def problem(*found: float, similarity: float = 0.5, trust: float = 1.0, name: str = "p") -> PastProblem:
    return PastProblem(pattern_id=name, study_name=name, similarity=similarity, trust=trust, regrets=found)


def test_the_first_configuration_helps_most_problems() -> None:
    everywhere = [problem(0.0, 0.2, 1.0), problem(1.0, 0.2, 0.9), problem(1.5, 0.3, 0.0)]
    assert planned(everywhere, 3)[0] == 1


def test_the_second_configuration_helps_the_remaining_problems() -> None:
    """The selection is a portfolio, not a ranking: here the second best is nearly equal to the best."""
    found = [problem(0.0, 0.01, 1.0), problem(0.0, 0.01, 1.0), problem(1.0, 1.0, 0.0)]
    assert planned(found, 2) == [0, 2]


def test_more_similar_problems_have_more_weight() -> None:
    found = [problem(0.0, 1.0, similarity=0.9), problem(1.0, 0.0, similarity=0.3)]
    assert planned(found, 1) == [0]
    assert planned(list(reversed(found)), 1) == [0]


def test_a_pattern_with_unsuccessful_uses_has_less_weight() -> None:
    """The result of a use changes the weight of the pattern in later studies."""
    shares = weights([problem(0.0, trust=0.2), problem(0.0, trust=1.0)], {})
    assert shares == pytest.approx([1 / 6, 5 / 6])


def test_results_shift_the_weight_to_problems_with_similar_results() -> None:
    like_this = problem(1.0, 0.2, 0.0, 1.0, similarity=0.5)
    not_like_this = problem(0.0, 0.8, 1.0, 0.1, similarity=0.6)
    assert next_candidate([like_this, not_like_this], {}, []) == 0
    assert next_candidate([like_this, not_like_this], {0: 0.70, 1: 0.75}, [0, 1]) == 2


def test_only_the_order_of_values_counts() -> None:
    found = [problem(0.0, 1.0, 2.0), problem(2.0, 1.0, 0.0)]
    small, large = {0: 0.9003, 1: 0.9002, 2: 0.9001}, {0: -1.0, 1: -1e6, 2: -1e9}
    assert weights(found, small) == pytest.approx(weights(found, large))
    assert ranking_losses(found, small) == pytest.approx([0.0, 1.0])


def test_a_pruned_trial_is_worse_than_a_completed_one_and_two_pruned_trials_are_not_compared() -> None:
    found = [problem(0.0, 1.0, 1.5)]
    assert ranking_losses(found, {0: 0.5, 1: -math.inf, 2: -math.inf}) == pytest.approx([0.0])
    assert ranking_losses(found, {1: -math.inf, 2: -math.inf}) == pytest.approx([0.5])


def test_no_configuration_is_tried_twice_and_the_selection_ends() -> None:
    found = [problem(0.3, 0.1, 0.2)]
    assert planned(found, 10) == [1, 2, 0]
    assert next_candidate(found, {}, [0, 1, 2]) is None
    assert next_candidate([], {}, []) is None


def trials(best: float, count: int = 40, noise: float = 0.0) -> list[dict[str, object]]:
    random = np.random.default_rng(0)
    found = []
    for _ in range(count):
        values = {
            "rate": float(10 ** random.uniform(-2, 0)),
            "depth": int(random.integers(1, 12)),
            "kind": str(random.choice(["a", "b"])),
        }
        value = -((math.log10(values["rate"]) - best) ** 2) + random.normal(0, noise)
        found.append({"values": values, "value": value})
    return found


def near(rate: float) -> dict[str, object]:
    return {"rate": rate, "depth": 5, "kind": "a"}


def test_a_study_predicts_the_value_of_an_untried_configuration() -> None:
    good, bad = regrets(trials(best=-1.0), [near(0.1), near(0.9)], SPACE)
    assert good < 0.3
    assert bad > 1.0


def test_a_study_of_noise_gives_no_prediction() -> None:
    """The best of many noisy values is due to chance and is not reused."""
    random = np.random.default_rng(1)
    noise = [{**trial, "value": float(random.normal())} for trial in trials(best=-1.0)]
    lucky = max(noise, key=lambda trial: float(str(trial["value"])))["values"]
    found = regrets(noise, [lucky, near(0.1), near(0.9)], SPACE)
    assert min(found) > 0.2


@pytest.mark.parametrize("values", [[0.5] * 8, [0.5], [-1e308, 1e308, 0.0, 0.0], [1e-300, 0.0, 2e-300]])
def test_regrets_are_finite_numbers_in_their_range(values: list[float]) -> None:
    known = [{**trial, "value": value} for trial, value in zip(trials(-1.0), values, strict=False)]
    found = regrets(known, [near(0.1), near(1.0)], SPACE)
    assert all(math.isfinite(one) and 0 <= one <= WORST_REGRET for one in found)


def test_a_parameter_missing_in_a_study_takes_the_middle_of_its_range() -> None:
    points = encoded([{"rate": 0.01, "kind": "b"}, {"rate": 1.0, "depth": 11, "kind": "a"}], SPACE)
    assert points.tolist() == [[0.0, 0.5, 0.0, 1.0], [1.0, 1.0, 1.0, 0.0]]
