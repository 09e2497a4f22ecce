"""The rules for the loss of a regression, and for the metrics that only some losses have."""

from collections.abc import Iterator, Mapping
from typing import Any

from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.algorithm import Algorithm
from e2i_assets.core.errors import Violation
from e2i_assets.core.losses import POWERS, Loss, is_loss_metric
from e2i_assets.core.metrics import ProblemType

_ABOVE_0 = "poisson, gamma or tweedie"


def violations(parts: Mapping[str, Any], problem_type: ProblemType) -> Iterator[Violation]:
    """Check the loss, its quantile, and the deviances that the experiment names.

    Args:
        parts: The valid values of an `Experiment`, by their key in the file.
        problem_type: The problem type of the experiment.
    """
    if not {"loss", "quantile"} <= parts.keys():
        return
    loss = Loss(parts["loss"], parts["quantile"])
    if problem_type != "regression":
        if loss.name != "squared_error":
            yield Violation("loss", loss.name, f"is for regression only, not for {problem_type}: remove it")
        if loss.quantile is not None:
            yield Violation("quantile", loss.quantile, f"is for regression only, not for {problem_type}: remove it")
        return
    if loss.name == "quantile" and loss.quantile is None:
        yield Violation("loss", loss.name, "needs the quantile to predict: add a key such as quantile: 0.9")
    if loss.name != "quantile" and loss.quantile is not None:
        yield Violation("quantile", loss.quantile, f"has no effect with loss: {loss.name}: write loss: quantile")
    if loss.bends_leaves and "columns" in parts and parts["columns"].monotone:
        rule = "cannot be combined with columns.monotone: its leaves are quantiles, which keep no direction"
        yield Violation("loss", loss.name, rule)
    yield from _metric_violations(parts, loss)


def violations_of(parts: Mapping[str, Any], algorithm: Algorithm) -> Iterator[Violation]:
    """Check that an algorithm can minimise the loss of a regression."""
    name = parts.get("loss", "squared_error")
    if name not in algorithm.losses:
        able = ", ".join(registry.able("regression", loss=name))
        yield Violation("loss", name, f"is for {able}, not for {algorithm.name}")


def _metric_violations(parts: Mapping[str, Any], loss: Loss) -> Iterator[Violation]:
    goals = {"metric": parts["metric"]} if isinstance(parts.get("metric"), str) else {}
    if "hpo" in parts:
        goals |= {f"hpo.objectives.{place}": one.name for place, one in enumerate(parts["hpo"].objectives)}
        goals |= {f"hpo.constraints.{name}": name for name in parts["hpo"].constraints}
    for where, name in goals.items():
        if name in POWERS and not loss.has_log_link:
            yield Violation(where, name, f"needs predictions above 0: set loss: {_ABOVE_0}")
    reported = {*goals.values(), loss.metric}
    for criterion, threshold in parts.get("success_criteria", {}).items():
        name = criterion.removeprefix("minimum_").removeprefix("maximum_")
        if is_loss_metric(name) and name not in reported:
            rule = f"is reported only if it is the metric or that of the loss, which here is {loss.metric}"
            yield Violation(f"success_criteria.{criterion}", threshold, rule)
