"""Which trial is trained: the rule that an experiment's objectives, constraints and tolerance ask for."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from e2i_assets.core.search.trials import TrialRecord


class Objectives(BaseModel):
    """What was optimised: names and directions, the experiment's metric first, and how much of it may be given up.

    Attributes:
        greater_is_better: Name to direction, in their order.
        tolerance: How far below its best the first one may be for the sake of the others, in its own unit.
    """

    model_config = ConfigDict(frozen=True)

    greater_is_better: dict[str, bool]
    tolerance: float = 0.0

    def oriented(self, trial: TrialRecord) -> tuple[float, ...]:
        """Return the values of a completed trial, higher is better."""
        if len(self.greater_is_better) < 2 or not trial.objective_values:
            return () if trial.value is None else (trial.value,)
        return tuple(
            trial.objective_values[name] if greater else -trial.objective_values[name]
            for name, greater in self.greater_is_better.items()
        )


def candidates(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the trials that may be trained: completed, and within every constraint."""
    return [trial for trial in trials if trial.value is not None and trial.is_feasible]


def pareto_front(trials: Sequence[TrialRecord], objectives: Objectives) -> list[TrialRecord]:
    """Return the candidates that no other candidate is at least as good as in everything and better in something."""
    able = [(objectives.oriented(trial), trial) for trial in candidates(trials)]
    return [trial for values, trial in able if not any(_dominates(other, values) for other, _ in able)]


def chosen(trials: Sequence[TrialRecord], objectives: Objectives) -> TrialRecord | None:
    """Return the trial that is trained, None when there is no candidate.

    Of the Pareto front, those whose first value is within the tolerance of the best first value; of these the best
    second value, then the third, then the first; the earliest of equals.
    """
    front = pareto_front(trials, objectives)
    if not front:
        return None
    enough = max(objectives.oriented(trial)[0] for trial in front) - objectives.tolerance
    eligible = [trial for trial in front if objectives.oriented(trial)[0] >= enough]

    def rank(trial: TrialRecord) -> tuple[float, ...]:
        first, *others = objectives.oriented(trial)
        return (*others, first, -trial.number)

    return max(eligible, key=rank)


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(mine >= theirs for mine, theirs in zip(one, other, strict=True))
