"""The value of a trial, computed a second time by a new fit."""

from collections.abc import Mapping, Sequence
from typing import Any

from e2i_assets.core.search.objective import Objective


def value_again(objective: Objective, parameters: Mapping[str, Any], fold_rounds: Sequence[int] = ()) -> float:
    """Return the first goal's value for a trial's parameters from a new fit; higher is better."""
    goal = objective.goals[0]
    return goal.oriented(objective.measures_again(parameters, fold_rounds)[goal.name])
