"""What must hold of a search's objectives and constraints, and between them and the rest of an experiment."""

from collections.abc import Iterator

from e2i_assets.core.errors import Violation
from e2i_assets.core.experiments.search_sections import Hpo, Sampler
from e2i_assets.core.experiments.sections import Columns, Target
from e2i_assets.core.metrics import ProblemType, names
from e2i_assets.core.suggestions import not_one_of

# Optuna's CMA-ES follows one number. Of the others only these learn from the constraints; none trains what breaks one.
_ONE_OBJECTIVE: tuple[Sampler, ...] = ("cmaes",)
_MANY_OBJECTIVES = ("tpe", "nsga2", "gp", "random", "qmc", "grid")
MODEL_SIZE = "model_size"
PREDICTION_TIME = "prediction_time"
FAIRNESS_GAP = "fairness_gap"
OF_MODELS = (MODEL_SIZE, PREDICTION_TIME, FAIRNESS_GAP)


def violations(
    hpo: Hpo, problem_type: ProblemType, metric: str, target: Target, columns: Columns
) -> Iterator[Violation]:
    """Judge objectives and constraints.

    Args:
        hpo: The search section.
        problem_type: Decides the metrics that there are.
        metric: What is optimised first.
        target: No feature, and neither is what it is cut from.
        columns: Which columns are no features.
    """
    seen: dict[tuple[str, str | None], str] = {(metric, None): "is the metric: it comes first anyway"}
    for position, one in enumerate(hpo.objectives):
        where = f"hpo.objectives.{position}"
        if rule := seen.get((one.name, one.column)):
            yield Violation(where, one.name, rule)
        seen[(one.name, one.column)] = "is there twice"
        yield from _named(where, one.name, one.column, problem_type)
        yield from _column_violations(f"{where}.column", one.column, target, columns)
    for name, limit in hpo.constraints.items():
        where = f"hpo.constraints.{name}"
        yield from _named(where, name, limit.column, problem_type)
        yield from _column_violations(f"{where}.column", limit.column, target, columns)
    yield from _option_violations(hpo)


def _named(where: str, name: str, column: str | None, problem_type: ProblemType) -> Iterator[Violation]:
    names = objective_names(problem_type)
    if name not in names:
        yield Violation(where, name, not_one_of(name, names, shown=len(names)))
    elif name == FAIRNESS_GAP and column is None:
        yield Violation(where, name, "needs a column: the feature whose groups are compared")
    elif name != FAIRNESS_GAP and column is not None:
        yield Violation(f"{where}.column", column, f"is for {FAIRNESS_GAP}, not for {name}")


def _column_violations(where: str, column: str | None, target: Target, columns: Columns) -> Iterator[Violation]:
    roles: dict[str, set[str | None]] = {
        "the target": {target.name or target.column},
        "what the target is cut from": {target.column} if target.name else set(),
        "the group": {columns.group},
        "the time": {columns.time},
        "an id": set(columns.id),
        "dropped": set(columns.drop),
    }
    for role, members in roles.items():
        if column is not None and column in members:
            yield Violation(where, column, f"is {role}, and only the groups of a feature can be compared")
            return


def _option_violations(hpo: Hpo) -> Iterator[Violation]:
    if hpo.constraints and not hpo.enabled:
        yield Violation("hpo.constraints", sorted(hpo.constraints), "cannot be kept without a search: enable hpo")
    if not hpo.objectives:
        if hpo.tolerance:
            yield Violation("hpo.tolerance", hpo.tolerance, "gives way to nothing: name hpo.objectives")
        return
    if hpo.sampler in _ONE_OBJECTIVE:
        rule = f"can follow one objective only: choose one of {', '.join(_MANY_OBJECTIVES)}"
        yield Violation("hpo.sampler", hpo.sampler, rule)
    if hpo.pruner not in (None, "none"):
        yield Violation("hpo.pruner", hpo.pruner, "compares trials by one number: with objectives, take it out")


def objective_names(problem_type: ProblemType) -> tuple[str, ...]:
    """Return everything that may be optimised or limited, the metrics first."""
    return (*names(problem_type), *OF_MODELS)
