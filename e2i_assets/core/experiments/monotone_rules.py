"""The rules for columns in which the prediction is monotone."""

from collections.abc import Iterator

from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.algorithm import Algorithm
from e2i_assets.core.errors import Violation
from e2i_assets.core.experiments.sections import Columns, Target
from e2i_assets.core.metrics import ProblemType


def violations(columns: Columns, target: Target, problem_type: ProblemType) -> Iterator[Violation]:
    """Check that the problem has a direction, and that the columns can be features of numbers.

    Args:
        columns: The section of the columns.
        target: That of the target.
        problem_type: The problem type of the experiment.
    """
    named = list(columns.monotone)
    if named and problem_type == "multiclass_classification":
        yield Violation("columns.monotone", named, "needs a regression or two classes: of several, none is the upper")
    for column in named:
        also = [key for key, names in columns.named.items() if key != "numeric" and column in names]
        if role := "the target" if column in (target.column, target.name) else also and f"also columns.{also[0]}":
            yield Violation("columns.monotone", column, f"is {role}, so it is no feature of numbers: remove it")


def violations_of(columns: Columns, algorithm: Algorithm, problem_type: ProblemType) -> Iterator[Violation]:
    """Check that an algorithm can be monotone."""
    if columns.monotone and not algorithm.can_be_monotone:
        able = ", ".join(registry.able(problem_type, monotone=True))
        yield Violation("columns.monotone", [*columns.monotone], f"is for {able}, not for {algorithm.name}")
