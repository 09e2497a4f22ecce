"""Whether a new model takes the place of the champion: both judged on the same test rows, in the metric that counts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from e2i_assets.core.evaluation.evaluation import split_evaluation
from e2i_assets.core.evaluation.intervals import drawn_weights
from e2i_assets.core.evaluation.measures import Measure
from e2i_assets.core.evaluation.weighted_metrics import weighted_metrics
from e2i_assets.core.metrics import Array, Prediction, ProblemType

# Two sums of the same numbers in another order differ by as much, relative to their size.
_ROUNDING = 1e-12


class ChampionModel(BaseModel):
    """Who is the champion of an experiment, and how the last decision came out.

    Attributes:
        model_key: Of the champion; None when no model ever kept its promises.
        challenger_key: Of the model that was judged last.
        aliases: What became of its aliases in MLflow: ``moved``, or why not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    model_key: str | None
    challenger_key: str
    promoted: bool
    reason: str
    metric: str
    test_rows: int
    challenger_value: float | None
    champion_value: float | None
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    model_folder: str | None
    aliases: str


@dataclass(frozen=True, slots=True)
class Contender:
    """What a model says of the test rows, and the threshold that it decides at."""

    prediction: Prediction
    threshold: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two models on the same rows; a gain above 0 means that the challenger is better, whichever way the metric goes.

    Attributes:
        gain_low: Lower end of the paired 95 % bootstrap interval of the gain; None where the metric has none.
        gain_high: Its upper end.
    """

    metric: str
    test_rows: int
    challenger: float
    champion: float
    gain: float
    gain_low: float | None
    gain_high: float | None

    def __str__(self) -> str:
        sure = "" if self.gain_low is None else f" (95 %: {self.gain_low:+.4g} to {self.gain_high:+.4g})"
        return (
            f"{self.metric} on the same {self.test_rows} test rows is {self.challenger:.4g}, and {self.champion:.4g} "
            f"with the champion: a gain of {self.gain:+.4g}{sure}"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the challenger is the champion from now on, and why."""

    promoted: bool
    reason: str


def compared(
    problem_type: ProblemType,
    measure: Measure,
    truth: Array,
    challenger: Contender,
    champion: Contender,
    seed: int,
) -> Comparison | None:
    """Compare two models on the same rows.

    The interval is that of the difference when both are judged on the same resamples (paired bootstrap, Efron 1979).

    Args:
        problem_type: Decides which metrics there are.
        measure: The metric that counts.
        truth: Shape (n,): class codes or values.
        challenger: The new model.
        champion: The one in use.
        seed: Of the resamples.

    Returns:
        The comparison; None where the metric cannot be computed on these rows.
    """
    both = (challenger, champion)
    values = [
        split_evaluation(problem_type, truth, one.prediction, one.threshold).metrics.get(measure.name) for one in both
    ]
    if values[0] is None or values[1] is None:
        return None
    sign = 1.0 if measure.greater_is_better else -1.0
    weighed = [weighted_metrics(problem_type, np.asarray(truth), one.prediction, one.threshold) for one in both]
    gains: list[Array] = []
    for weights in drawn_weights(len(truth), seed=seed):
        new, old = (metrics(weights).get(measure.name) for metrics in weighed)
        if new is None or old is None:
            break
        gains.append(sign * (new - old))
    finite = np.concatenate(gains) if gains else np.empty(0)
    finite = finite[np.isfinite(finite)]
    low, high = np.percentile(finite, [2.5, 97.5]) if finite.size else (None, None)
    return Comparison(
        metric=measure.name,
        test_rows=len(truth),
        challenger=values[0],
        champion=values[1],
        gain=sign * (values[0] - values[1]),
        gain_low=None if low is None else float(low),
        gain_high=None if high is None else float(high),
    )


def verdict(
    broken: Sequence[str],
    has_champion: bool,
    comparison: Comparison | None,
    not_comparable: str | None = None,
    criteria_met: bool = True,
) -> Verdict:
    """Decide who is the champion.

    Args:
        broken: What the new model does not keep of what is promised of every model.
        has_champion: Whether there is one.
        comparison: Of both, where they can be compared.
        not_comparable: Why they cannot.
        criteria_met: Whether the new model meets what its experiment asks for; counts where nothing else can.
    """
    if broken:
        return Verdict(False, f"it does not keep what a model promises: {'; '.join(broken)}")
    if not has_champion:
        return Verdict(True, "it is the first")
    if comparison is None and not criteria_met:
        return Verdict(False, f"it does not meet its criteria, and cannot be compared: {not_comparable}")
    if comparison is None:
        return Verdict(True, f"the champion cannot be judged on these rows, and this model can: {not_comparable}")
    if comparison.gain >= -_ROUNDING * max(abs(comparison.challenger), abs(comparison.champion)):
        return Verdict(True, f"it is not worse: {comparison}")
    return Verdict(False, f"it is worse, so the champion stays: {comparison}")
