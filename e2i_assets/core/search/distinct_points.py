"""NSGA-II that does not repeat its own points: a copy of a parent teaches nothing and costs a trial of the budget."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna

_CROSSINGS = 10
_DRAWS = 100


def nsga2(seed: int, population: int) -> "optuna.samplers.NSGAIISampler":
    """Return Optuna's NSGA-II, which draws again where a child equals a configuration that was tried.

    A few more crossings are tried first, then points by chance. A space with no untried point left repeats one.

    Args:
        seed: Of the sampler.
        population: Trials of a generation.
    """
    from optuna.samplers import NSGAIISampler, RandomSampler

    chance = RandomSampler(seed)

    class Distinct(NSGAIISampler):
        def sample_relative(self, study: Any, trial: Any, search_space: dict[str, Any]) -> dict[str, Any]:
            others = [one.params for one in study.get_trials(deepcopy=False) if one.number != trial.number]
            drawn: dict[str, Any] = {}
            for attempt in range(_CROSSINGS + _DRAWS):
                # A parameter that mutates is left out, and so is every one of the first generation.
                crossed = super().sample_relative(study, trial, search_space) if attempt < _CROSSINGS else {}
                drawn = {
                    name: crossed[name] if name in crossed else chance.sample_independent(study, trial, name, of)
                    for name, of in search_space.items()
                }
                if drawn not in others:
                    break
            return drawn

    return Distinct(seed=seed, population_size=population)
