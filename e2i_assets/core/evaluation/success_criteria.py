"""The success criteria of an experiment, read from its file. Their evaluation is in `verdict`.

A plain name, ``roc_auc: 0.8``, is a minimum where higher is better and a maximum where lower is better;
``minimum_`` and ``maximum_`` state the bound. For a measure where lower is better, ``minimum_rmse: 10`` is read as the
minimum quality, so at most 10.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from e2i_assets.core.errors import E2iError, ExperimentInvalid, Violation
from e2i_assets.core.evaluation import measures
from e2i_assets.core.evaluation.measures import Measure
from e2i_assets.core.figures import Bound, against
from e2i_assets.core.losses import POWERS, is_loss_metric
from e2i_assets.core.metrics import PROBLEM_TYPES, ProblemType
from e2i_assets.core.suggestions import not_one_of

LIFTS = ("lift_over_baseline", "lift_over_defaults")
PRECISION_AT_K = "precision_at_k"
# Further keys that the stage that writes criteria adds: neither thresholds nor mistakes.
_DESCRIPTIONS = ("experiment_id", "baseline_model")


@dataclass(frozen=True, slots=True)
class Criterion:
    """One condition on the test rows.

    Attributes:
        name: The name in the experiment file.
        metric: A measure of `measures`, one of `LIFTS`, or `PRECISION_AT_K`: the worst precision at any k.
        bound: Whether the threshold is the lowest or the highest allowed value.
        threshold: Inclusive.
        lift_in: The measure of a lift, None for any other criterion.
    """

    name: str
    metric: str
    bound: Bound
    threshold: float
    lift_in: Measure | None = None

    def met(self, value: float) -> bool:
        """Return whether a value meets the criterion; NaN never does."""
        return value >= self.threshold if self.bound == "minimum" else value <= self.threshold

    def worse_end(self, low: float, high: float) -> float:
        """Return the end of an interval that is furthest on the wrong side."""
        return low if self.bound == "minimum" else high

    def against(self, value: float | None) -> str:
        """Return a value beside the threshold: ``0.6732, required at least 0.75: missed``; a lift as a percentage."""
        met = value is not None and self.met(value)
        return against(value, self.bound, self.threshold, met=met, unit="%" if self.lift_in else "")


def accepted_names(problem_type: ProblemType) -> tuple[str, ...]:
    """Return every name that a criterion of this problem type can have, plain names first.

    A pinball loss has further names, one for each quantile.
    """
    bare = [*measures.names(problem_type), *measures.aliases(problem_type)]
    if problem_type == "binary_classification":
        bare.append(PRECISION_AT_K)
    if problem_type == "regression":
        bare += POWERS
    better = {name: _measured(name, problem_type) for name in bare}
    maxima = [f"maximum_{name}" for name in bare if not better[name].greater_is_better]
    return (*bare, *(f"minimum_{name}" for name in bare), *maxima, *(f"minimum_{lift}" for lift in LIFTS))


def criterion(name: str, threshold: object, problem_type: ProblemType, optimised: str | None = None) -> Criterion:
    """Read one criterion.

    Args:
        name: One of `accepted_names`.
        threshold: Inclusive.
        problem_type: The problem type of the experiment.
        optimised: The metric that the study optimises: a lift is measured in it.

    Raises:
        E2iError: The name or the threshold breaks a rule; the message is the rule.
    """
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not -math.inf < threshold < math.inf:
        raise E2iError("must be a finite number, or null where it does not apply")
    prefix, _, rest = name.partition("_")
    bare = rest if prefix in ("minimum", "maximum") else name
    if prefix == "minimum" and bare in LIFTS:
        primary = measures.measure(optimised or measures.PRIMARY[problem_type], problem_type)
        return Criterion(name, bare, "minimum", float(threshold), lift_in=primary)
    if (
        prefix == "maximum"
        and f"minimum_{bare}" in accepted_names(problem_type)
        and name not in accepted_names(problem_type)
    ):
        raise E2iError(f"is a limit that a perfect model exceeds: higher is better, so write minimum_{bare}")
    is_of_loss = problem_type == "regression" and is_loss_metric(bare)
    if name not in accepted_names(problem_type) and not is_of_loss:
        raise E2iError(not_one_of(name, accepted_names(problem_type)))
    of = _measured(bare, problem_type)
    if not of.low <= threshold <= of.high:
        raise E2iError(f"must be between {of.low:g} and {of.high:g}, the range of {of.name}")
    return Criterion(name, of.name, "minimum" if of.greater_is_better else "maximum", float(threshold))


def violations(raw: Mapping[str, object], problem_type: ProblemType) -> list[Violation]:
    """Return every mistake in the criteria of an experiment, each with the name of its criterion."""
    return _read(raw, problem_type, None)[1]


def criteria(
    raw: Mapping[str, object], problem_type: ProblemType, optimised: str | None = None
) -> tuple[Criterion, ...]:
    """Read all criteria of an experiment, in the order of the file; a criterion with null does not apply.

    Args:
        raw: Name to threshold or null.
        problem_type: The problem type of the experiment.
        optimised: The metric that the study optimises: a lift is measured in it.

    Raises:
        ExperimentInvalid: With every mistake.
    """
    found, mistakes = _read(raw, problem_type, optimised)
    if mistakes:
        raise ExperimentInvalid("success criteria", mistakes)
    return tuple(found)


def _read(
    raw: Mapping[str, object], problem_type: ProblemType, optimised: str | None
) -> tuple[list[Criterion], list[Violation]]:
    anywhere = {name for any_type in PROBLEM_TYPES for name in accepted_names(any_type)}
    found, mistakes = [], []
    for name, threshold in raw.items():
        if name in _DESCRIPTIONS or (threshold is None and name in anywhere):
            continue
        try:
            found.append(criterion(name, threshold, problem_type, optimised))
        except E2iError as rule:
            mistakes.append(Violation(name, threshold, str(rule)))
    return found, mistakes


def _measured(bare: str, problem_type: ProblemType) -> Measure:
    found = measures.measure(bare, problem_type)
    return found if found is not None else Measure(PRECISION_AT_K)
