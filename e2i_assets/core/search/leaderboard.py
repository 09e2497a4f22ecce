"""Which of several algorithms is trained, and the leaderboard that says why."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from e2i_assets.core.algorithms import registry
from e2i_assets.core.contracts.contract import AlgorithmResult
from e2i_assets.core.evaluation import measures
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.figures import figure, span
from e2i_assets.core.metrics import metric
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search.value_noise import ValueNoise

_UNKNOWN = ValueNoise((), 0)


@dataclass(frozen=True, slots=True)
class Competitor:
    """An algorithm with the result of its search.

    Attributes:
        experiment: The experiment with this algorithm alone.
        study_key: The key of its study.
        result: The result of its study.
        noise: The noise of its best value.
    """

    experiment: Experiment
    study_key: str
    result: StudyResult
    noise: ValueNoise = _UNKNOWN

    @property
    def algorithm(self) -> str:
        """The name of the algorithm."""
        return self.experiment.algorithm

    @property
    def value(self) -> float:
        """The value of its best trial, higher is better; minus infinity without one."""
        best = self.result.best
        return -math.inf if best is None or best.value is None else best.value

    @property
    def complexity(self) -> int:
        """The class of the algorithm from simple to complex."""
        return registry.algorithm(self.algorithm).complexity_class

    def is_tied_with(self, best: "Competitor") -> bool:
        """Return whether it is no further behind than one standard error of the difference, on the same rows."""
        deviation = best.noise.of_difference(self.noise)
        return self.value == best.value or (deviation is not None and best.value - self.value <= deviation)


def ranked(competitors: Sequence[Competitor]) -> list[Competitor]:
    """Return the algorithms with that to train first, and the others by their value.

    Of those that are tied with the best value, one of the simplest class is trained: the rule of one standard error
    (Breiman, Friedman, Olshen and Stone, 1984), with that of the difference on the same rows.
    """
    by_value = sorted(competitors, key=lambda one: (-one.value, one.complexity))
    best = by_value[0]
    # The first of the simplest class is also the best of it.
    winner = min((one for one in by_value if one.is_tied_with(best)), key=lambda one: one.complexity)
    return [winner, *(one for one in by_value if one is not winner)]


def leaderboard(ordered: Sequence[Competitor]) -> list[AlgorithmResult]:
    """Return the rows of the leaderboard for algorithms in the order of `ranked`, in the unit of the metric."""
    best = max(ordered, key=lambda one: one.value)
    return [_row(one, ordered[0], best) for one in ordered]


def leaderboard_of(
    experiment: Experiment, study_key: str, result: StudyResult | None, compared: Sequence[AlgorithmResult] | None
) -> list[AlgorithmResult]:
    """Return the leaderboard of a search, of one row if nothing was compared; empty without a study.

    Args:
        experiment: The experiment with the algorithm that was chosen.
        study_key: The key of its study.
        result: The result of its study; None without one.
        compared: The stored leaderboard; None without a comparison.
    """
    if compared is not None or result is None:
        return list(compared or ())
    one = Competitor(experiment, study_key, result)
    return [_row(one, one, one).model_copy(update={"verdict": "the only algorithm of the experiment"})]


def interval_text(row: AlgorithmResult) -> str:
    """Return the interval of a row in brackets, or nothing."""
    return "" if row.low is None else f" ({span(row.low, row.high)})"


def _row(one: Competitor, winner: Competitor, best: Competitor) -> AlgorithmResult:
    low, high = _interval(one)
    natural = metric(one.experiment.metric, one.experiment.problem_type).oriented
    return AlgorithmResult(
        algorithm=one.algorithm,
        value=natural(one.value) if math.isfinite(one.value) else None,
        low=low,
        high=high,
        trials=sum(one.result.count(state) for state in ("COMPLETE", "PRUNED", "FAIL")),
        seconds=sum(trial.seconds or 0.0 for trial in one.result.trials),
        study_key=one.study_key,
        verdict=_verdict(one, winner, best),
    )


def _interval(one: Competitor) -> tuple[float | None, float | None]:
    margin = one.noise.margin()
    if margin is None or not math.isfinite(one.value):
        return None, None
    scored = metric(one.experiment.metric, one.experiment.problem_type)
    value = scored.oriented(one.value)
    measure = measures.measure(scored.name, one.experiment.problem_type)
    highest = measure.high if measure else math.inf
    lowest = -math.inf if scored.greater_is_better else 0.0
    return max(lowest, value - margin), min(highest, value + margin)


def _verdict(one: Competitor, winner: Competitor, best: Competitor) -> str:
    if not math.isfinite(one.value):
        why = f"no trial to train ({one.result.failure or one.result.stop_reason})"
        return f"trained with its defaults: {why}" if one is winner else why
    if one is winner is best:
        return "trained: the best value"
    behind = f"behind {best.algorithm} by {_lead(best, one)}"
    if one is winner:
        return f"trained: {behind}, which is within the noise, and simpler"
    if one is best:
        return f"the best value, but within the noise of {winner.algorithm}, which is simpler"
    return f"{behind}, which is within the noise" if one.is_tied_with(best) else behind


def _lead(best: Competitor, one: Competitor) -> str:
    deviation = best.noise.of_difference(one.noise)
    noise = "" if deviation is None else f" (standard error {figure(deviation)})"
    return f"{figure(best.value - one.value)}{noise}"
