"""The rules for the objectives and constraints of a search, and between them and the rest of an experiment."""

from collections.abc import Iterator

from e2i_assets.core.errors import Violation
from e2i_assets.core.experiments.search_sections import Hpo, Sampler
from e2i_assets.core.experiments.sections import Columns, Target
from e2i_assets.core.metrics import ProblemType, names
from e2i_assets.core.suggestions import not_one_of

# Optuna's CMA-ES optimises a single objective; the other samplers accept several.
_ONE_OBJECTIVE: tuple[Sampler, ...] = ("cmaes",)
_MANY_OBJECTIVES = ("tpe", "nsga2", "gp", "random", "qmc", "grid")
MODEL_SIZE = "model_size"
PREDICTION_TIME = "prediction_time"
FAIRNESS_GAP = "fairness_gap"
OF_MODELS = (MODEL_SIZE, PREDICTION_TIME, FAIRNESS_GAP)


def violations(
    hpo: Hpo, problem_type: ProblemType, metric: str, target: Target, columns: Columns
) -> Iterator[Violation]:
    """Check the objectives and the constraints.

    Args:
        hpo: The search section.
        problem_type: Determines the available metrics.
        metric: The first objective.
        target: The target; neither it nor the column that it is cut from is a feature.
        columns: The columns that are not features.
    """
    seen: dict[tuple[str, str | None], str] = {
        (metric, None): "is the metric, which is always the first objective: remove it"
    }
    for position, one in enumerate(hpo.objectives):
        where = f"hpo.objectives.{position}"
        if rule := seen.get((one.name, one.column)):
            yield Violation(where, one.name, rule)
        seen[(one.name, one.column)] = "is listed twice: remove one of the two"
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
        yield Violation(where, name, "needs a column: name the feature whose groups are compared")
    elif name != FAIRNESS_GAP and column is not None:
        yield Violation(f"{where}.column", column, f"is for {FAIRNESS_GAP} only, not for {name}: remove it")


def _column_violations(where: str, column: str | None, target: Target, columns: Columns) -> Iterator[Violation]:
    roles: dict[str, set[str | None]] = {
        "the target": {target.name or target.column},
        "the column that the target is cut from": {target.column} if target.name else set(),
        "the group column": {columns.group},
        "the time column": {columns.time},
        "the weight column": {columns.weight},
        "an id column": set(columns.id),
        "dropped": set(columns.drop),
    }
    for role, members in roles.items():
        if column is not None and column in members:
            yield Violation(where, column, f"is {role}, not a feature: name a feature whose groups are compared")
            return


def _option_violations(hpo: Hpo) -> Iterator[Violation]:
    if hpo.constraints and not hpo.enabled:
        yield Violation("hpo.constraints", sorted(hpo.constraints), "need a search: set hpo.enabled: true")
    if not hpo.objectives:
        if hpo.tolerance:
            yield Violation("hpo.tolerance", hpo.tolerance, "has no effect without hpo.objectives: list objectives")
        return
    if hpo.sampler in _ONE_OBJECTIVE:
        rule = f"optimises one objective only: choose one of {', '.join(_MANY_OBJECTIVES)}"
        yield Violation("hpo.sampler", hpo.sampler, rule)
    if hpo.pruner not in (None, "none"):
        rule = "compares trials by a single value and cannot be used with hpo.objectives: remove the pruner"
        yield Violation("hpo.pruner", hpo.pruner, rule)


def objective_names(problem_type: ProblemType) -> tuple[str, ...]:
    """Return the names of everything that can be an objective or a constraint, the metrics first."""
    return (*names(problem_type), *OF_MODELS)
