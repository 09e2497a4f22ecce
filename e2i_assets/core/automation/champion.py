"""The champion decision: a new model and the champion are compared on the same test rows, in the optimised metric."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from e2i_assets.core.evaluation.measures import Measure
from e2i_assets.core.evaluation.paired import Contender, PairedRows, paired_gain

# Relative difference between two sums of the same numbers in another order.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class ChampionDecision:
    """The result of one decision.

    Attributes:
        challenger_key: Key of the new model.
        gain: Above 0 means that the challenger is better, for every metric; None without a comparison.
        gain_low, gain_high: The paired 95 % interval of the gain.
    """

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


class ChampionModel(BaseModel):
    """The champion of an experiment, and the fields of the last `ChampionDecision`.

    Attributes:
        model_key: Key of the champion; None when no model has passed its checks.
        aliases: Result of the update of its aliases in MLflow: ``moved``, or the reason why not.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two models on the same rows; a gain above 0 means that the challenger is better, for every metric.

    Attributes:
        gain_low: Lower end of the paired 95 % interval of the gain; None for a metric without an interval.
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
        interval = "" if self.gain_low is None else f" (95 %: {self.gain_low:+.4g} to {self.gain_high:+.4g})"
        return (
            f"{self.metric} on the same {self.test_rows} test rows is {self.challenger:.4g}, and {self.champion:.4g} "
            f"for the champion: a gain of {self.gain:+.4g}{interval}"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the challenger becomes the champion, and the reason."""

    promoted: bool
    reason: str


def compared(
    rows: PairedRows, measure: Measure, challenger: Contender, champion: Contender, seed: int
) -> Comparison | None:
    """Compare two models on the same rows, see `paired_gain`.

    Returns:
        The comparison; None when the metric cannot be computed on these rows.
    """
    found = paired_gain(rows, measure, challenger, champion, seed=seed)
    if found is None:
        return None
    return Comparison(
        metric=measure.name,
        test_rows=len(rows.truth),
        challenger=found.first,
        champion=found.second,
        gain=found.gain,
        gain_low=found.low,
        gain_high=found.high,
    )


def verdict(
    broken: Sequence[str],
    has_champion: bool,
    comparison: Comparison | None,
    not_comparable: str | None = None,
    criteria_met: bool = True,
) -> Verdict:
    """Decide whether the new model becomes the champion.

    Args:
        broken: The checks that the new model failed, as sentences.
        has_champion: Whether there is a champion.
        comparison: The comparison of both models; None when they cannot be compared.
        not_comparable: The reason why they cannot be compared.
        criteria_met: Whether the new model meets its success criteria; only used when there is no comparison.
    """
    if broken:
        return Verdict(False, f"it failed checks: {'; '.join(broken)}")
    if not has_champion:
        return Verdict(True, "it is the first model")
    if comparison is None and not criteria_met:
        return Verdict(False, f"it does not meet its criteria and cannot be compared: {not_comparable}")
    if comparison is None:
        return Verdict(True, f"the champion cannot be evaluated on these rows, and this model can: {not_comparable}")
    if comparison.gain >= -_ROUNDING * max(abs(comparison.challenger), abs(comparison.champion)):
        return Verdict(True, f"it is not worse: {comparison}")
    return Verdict(False, f"it is worse, so the champion stays: {comparison}")
