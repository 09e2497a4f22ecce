"""The rules for a target whose classes have an order, and for the metrics that need one."""

from collections.abc import Iterator, Mapping
from typing import Any

from e2i_assets.core.errors import Violation
from e2i_assets.core.evaluation import measures
from e2i_assets.core.experiments.sections import Target
from e2i_assets.core.metrics import OF_ORDER, ProblemType

_FEWEST = 3


def violations(parts: Mapping[str, Any], problem_type: ProblemType, target: Target) -> Iterator[Violation]:
    """Check the declared order, and that no metric needs an order that is not declared.

    Args:
        parts: The valid values of an `Experiment`, by their key in the file.
        problem_type: The problem type of the experiment.
        target: Its target.
    """
    if target.order is not None:
        yield from _order_violations(target, problem_type)
    if problem_type != "multiclass_classification" or target.is_ordered:
        return
    add = f"target: {{column: {target.column}, order: [lowest, ..., highest]}}"
    for where, name in _named(parts):
        if name in OF_ORDER:
            yield Violation(where, name, f"needs the order of the labels: add {add}")


def _order_violations(target: Target, problem_type: ProblemType) -> Iterator[Violation]:
    order = list(target.order or ())
    if problem_type == "regression":
        yield Violation("target.order", order, "is for classification only, not for regression: remove it")
    elif problem_type == "binary_classification":
        rule = "is for multiclass_classification: two labels need no order. Remove it, and name the positive_label"
        yield Violation("target.order", order, rule)
    elif target.bins is not None or target.labels is not None or target.name is not None:
        yield Violation("target.order", order, "is for labels of the column; bins have an order already: remove it")
    elif len(order) < _FEWEST:
        yield Violation("target.order", order, f"must be at least {_FEWEST} labels, from the lowest to the highest")


def _named(parts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return the metrics that an experiment names, each with its place in the file."""
    if isinstance(parts.get("metric"), str):
        yield "metric", parts["metric"]
    if "hpo" in parts:
        yield from ((f"hpo.objectives.{place}", one.name) for place, one in enumerate(parts["hpo"].objectives))
        yield from ((f"hpo.constraints.{name}", name) for name in parts["hpo"].constraints)
    for criterion in parts.get("success_criteria", {}):
        measure = measures.measure(
            criterion.removeprefix("minimum_").removeprefix("maximum_"), "multiclass_classification"
        )
        if measure is not None:
            yield f"success_criteria.{criterion}", measure.name
