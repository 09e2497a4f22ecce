"""The evaluation of success criteria: a criterion whose value cannot be computed is not met, with the reason."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from e2i_assets.core.errors import E2iError
from e2i_assets.core.evaluation.success_criteria import PRECISION_AT_K, Criterion

Metrics = Mapping[str, float]


class _Unavailable(E2iError):
    """There is no value to compare with the threshold."""


@dataclass(frozen=True, slots=True)
class CriterionResult:
    """The result of one criterion.

    Attributes:
        criterion: The criterion.
        met: Whether the model meets it.
        value: The measured value, None when it could not be computed.
        reason: A human-readable reason, whether met or not.
    """

    criterion: Criterion
    met: bool
    value: float | None
    reason: str


def evaluated_criteria(
    criteria: Sequence[Criterion],
    metrics: Metrics,
    baseline: Metrics | None = None,
    defaults: Metrics | None = None,
    not_computable: Mapping[str, str] | None = None,
) -> tuple[CriterionResult, ...]:
    """Evaluate the criteria; thresholds are inclusive.

    A lift is the gain over a reference relative to the reference's value: 0.10 is 10 % more where higher is better and
    10 % less where lower is better.

    Args:
        criteria: The criteria of the experiment.
        metrics: The metrics of the test rows, by the names of `measures`.
        baseline: The same metrics of a dummy model on the same rows.
        defaults: The same metrics of a model with the default parameters.
        not_computable: The reasons why metrics are missing.
    """
    references = {"lift_over_baseline": baseline, "lift_over_defaults": defaults}
    found = []
    for criterion in criteria:
        try:
            if criterion.metric in references:
                value = _lift(criterion, metrics, references[criterion.metric])
            else:
                value = _value(criterion.metric, metrics, not_computable or {})
        except _Unavailable as reason:
            found.append(
                CriterionResult(criterion, False, None, f"{criterion.metric} {criterion.against(None)}, {reason}")
            )
            continue
        met = criterion.met(value)
        found.append(CriterionResult(criterion, met, value, f"{criterion.metric} {criterion.against(value)}"))
    return tuple(found)


def results(
    criteria: Sequence[Criterion],
    metrics: Metrics,
    baseline: Metrics | None = None,
    defaults: Metrics | None = None,
) -> dict[str, bool]:
    """Return whether each criterion is met, by its name; without criteria the result is empty."""
    return {one.criterion.name: one.met for one in evaluated_criteria(criteria, metrics, baseline, defaults)}


def _value(name: str, metrics: Metrics, not_computable: Mapping[str, str]) -> float:
    if name == PRECISION_AT_K:
        at_each = [value for key, value in metrics.items() if key.startswith("precision_at_")]
        if not at_each:
            raise _Unavailable("there are too few rows for precision at any k")
        return min(at_each)
    if name not in metrics:
        raise _Unavailable(f"{name} could not be computed: {not_computable.get(name, 'it was not measured')}")
    if not math.isfinite(metrics[name]):
        raise _Unavailable(f"{name} is {metrics[name]}")
    return metrics[name]


def _lift(criterion: Criterion, metrics: Metrics, reference: Metrics | None) -> float:
    if reference is None or criterion.lift_in is None:
        raise _Unavailable("there is nothing to compare with")
    value = _value(criterion.lift_in.name, metrics, {})
    against = _value(criterion.lift_in.name, reference, {})
    if against == 0:
        raise _Unavailable(f"the {criterion.lift_in.name} to compare with is 0, so the relative gain is undefined")
    return (value - against if criterion.lift_in.greater_is_better else against - value) / abs(against)
