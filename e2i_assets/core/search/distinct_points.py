"""NSGA-II without duplicate configurations: a copy of a parent costs a trial and gives no new information."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna

_CROSSOVERS = 10
_RANDOM_DRAWS = 100


def nsga2(seed: int, population: int) -> "optuna.samplers.NSGAIISampler":
    """Return Optuna's NSGA-II, changed to sample again when a child equals an earlier configuration of the study.

    The sampler first repeats the crossover a few times, then samples random points. It returns a duplicate when it
    finds no new point after `_CROSSOVERS` + `_RANDOM_DRAWS` attempts.

    Args:
        seed: Seed of the sampler.
        population: Number of trials in a generation.
    """
    from optuna.samplers import NSGAIISampler, RandomSampler

    random = RandomSampler(seed)

    class Distinct(NSGAIISampler):
        def sample_relative(self, study: Any, trial: Any, search_space: dict[str, Any]) -> dict[str, Any]:
            others = [other.params for other in study.get_trials(deepcopy=False) if other.number != trial.number]
            drawn: dict[str, Any] = {}
            for attempt in range(_CROSSOVERS + _RANDOM_DRAWS):
                # Optuna leaves out the parameters that mutate, and all parameters in the first generation.
                crossed = super().sample_relative(study, trial, search_space) if attempt < _CROSSOVERS else {}
                drawn = {
                    name: crossed[name] if name in crossed else random.sample_independent(study, trial, name, of)
                    for name, of in search_space.items()
                }
                if drawn not in others:
                    break
            return drawn

    return Distinct(seed=seed, population_size=population)
