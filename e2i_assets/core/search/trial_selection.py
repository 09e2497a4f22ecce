"""Selection of the trial that is trained, by the objectives, constraints and tolerance of an experiment."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from e2i_assets.core.search.trials import TrialRecord


class Objectives(BaseModel):
    """The objectives of a study, the experiment's metric first, and the tolerance on the metric.

    Attributes:
        greater_is_better: Direction of each objective by name, in order.
        tolerance: How much worse than its best value the first objective may be in favour of the others, in its unit.
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
    """Return the trials that may be trained: completed trials that meet every constraint."""
    return [trial for trial in trials if trial.value is not None and trial.is_feasible]


def pareto_front(trials: Sequence[TrialRecord], objectives: Objectives) -> list[TrialRecord]:
    """Return the candidates that no other candidate dominates (as good in all objectives and better in one)."""
    rated = [(objectives.oriented(trial), trial) for trial in candidates(trials)]
    return [trial for values, trial in rated if not any(_dominates(other, values) for other, _ in rated)]


def chosen(trials: Sequence[TrialRecord], objectives: Objectives) -> TrialRecord | None:
    """Return the trial to train, or None if there is no candidate.

    The eligible trials are those of the Pareto front whose first value is within the tolerance of the best first value.
    Among them the trial with the best second value wins, then the third, then the first, then the earliest trial.
    """
    front = pareto_front(trials, objectives)
    if not front:
        return None
    lowest = max(objectives.oriented(trial)[0] for trial in front) - objectives.tolerance
    eligible = [trial for trial in front if objectives.oriented(trial)[0] >= lowest]

    def rank(trial: TrialRecord) -> tuple[float, ...]:
        first, *others = objectives.oriented(trial)
        return (*others, first, -trial.number)

    return max(eligible, key=rank)


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))
