"""NSGA-II does not repeat its own points while the search space has others."""

import optuna
import pytest

from e2i_assets.core.search.samplers import sampler
from e2i_assets.core.search_space.space import parse_space, suggest


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("goals", [1, 2])
def test_no_point_is_sampled_twice(seed: int, goals: int) -> None:
    space = parse_space(
        {
            "depth": {"type": "int", "low": 1, "high": 12},
            "kind": {"type": "categorical", "choices": ["a", "b", "c"]},
            "rate": {"type": "float", "low": 0.0, "high": 1.0, "step": 0.1},
        }
    )
    study = optuna.create_study(sampler=sampler("nsga2", seed, space, 100), directions=["maximize"] * goals)

    def value(trial: optuna.Trial) -> float | tuple[float, ...]:
        drawn = suggest(trial, space)
        found = (drawn["depth"] * drawn["rate"] + (drawn["kind"] == "b"), -float(drawn["depth"]))
        return found[0] if goals == 1 else found

    study.optimize(value, n_trials=100)
    points = {tuple(sorted(trial.params.items())) for trial in study.trials}
    assert len(points) == 100
