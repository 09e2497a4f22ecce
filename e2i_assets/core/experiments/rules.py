"""What must hold between the sections of an experiment, judged on those sections that are valid in themselves."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from e2i_assets.core import metrics
from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.algorithm import Algorithm
from e2i_assets.core.errors import Violation
from e2i_assets.core.evaluation import measures, success_criteria
from e2i_assets.core.experiments import objective_rules, search_rules, space_changes
from e2i_assets.core.experiments.sections import Columns, Leakage, Split, Target
from e2i_assets.core.imbalance import WEIGHING
from e2i_assets.core.metrics import PROBLEM_TYPES, ProblemType
from e2i_assets.core.suggestions import not_one_of

Parts = Mapping[str, Any]


def violations(parts: Parts) -> Iterator[Violation]:
    """Judge an experiment across its sections.

    Args:
        parts: The valid ones of the values of `Experiment`, by the key in the file.
    """
    problem_type: ProblemType | None = parts.get("problem_type")
    yield from _algorithm_violations(parts, problem_type)
    if {"hpo", "columns"} <= parts.keys():
        yield from search_rules.fold_violations(parts["hpo"], parts["columns"])
    if "target" in parts:
        yield from _target_violations(parts["target"])
        yield from _cut_violations(parts["target"], problem_type)
        yield from _positive_label_violations(parts, parts["target"], problem_type)
        if "columns" in parts:
            yield from _column_violations(parts["target"], parts["columns"])
            if "split" in parts:
                yield from split_violations(parts["split"], parts["target"], parts["columns"])
        if "segments" in parts:
            yield from segment_violations(parts["segments"], parts["target"])
    if {"imbalance", "fixed", "search_space"} <= parts.keys():
        yield from _imbalance_violations(parts, problem_type)
    if {"leakage", "columns"} <= parts.keys():
        yield from leakage_violations(parts["leakage"], parts["columns"])
    if problem_type and isinstance(parts.get("metric"), str):
        yield from _metric_violations(parts["metric"], problem_type)
    if problem_type and {"hpo", "target", "columns"} <= parts.keys():
        metric = parts.get("metric") or metrics.default_metric(problem_type)
        yield from objective_rules.violations(parts["hpo"], problem_type, metric, parts["target"], parts["columns"])
    if problem_type and "success_criteria" in parts:
        for broken in success_criteria.violations(parts["success_criteria"], problem_type):
            yield Violation(f"success_criteria.{broken.where}", broken.value, broken.rule)


def _algorithm_violations(parts: Parts, problem_type: ProblemType | None) -> Iterator[Violation]:
    name = parts.get("algorithm")
    if name is None:
        return
    if name not in registry.names():
        yield Violation("algorithm", name, not_one_of(name, registry.names()))
        return
    algorithm: Algorithm = registry.algorithm(name)
    if problem_type and problem_type not in algorithm.problem_types:
        able = [other for other in registry.names() if problem_type in registry.algorithm(other).problem_types]
        yield Violation("algorithm", name, f"cannot do {problem_type}: choose one of {', '.join(able)}")
    elif problem_type and "search_space" in parts and "fixed" in parts:
        is_searched = parts["hpo"].enabled if "hpo" in parts else True
        yield from space_changes.violations(algorithm, problem_type, parts["search_space"], parts["fixed"], is_searched)
    if {"hpo", "early_stopping", "search_space"} <= parts.keys():
        yield from search_rules.violations(parts["hpo"], algorithm, parts["early_stopping"], parts["search_space"])


def _imbalance_violations(parts: Parts, problem_type: ProblemType | None) -> Iterator[Violation]:
    choice = parts["imbalance"]
    if choice == "none":
        return
    if problem_type == "regression":
        yield Violation("imbalance", choice, "is for classes, and a regression has none: take it out")
    searched = {name for name, change in parts["search_space"].items() if change is not None}
    for name in sorted(WEIGHING & (searched | parts["fixed"].keys())):
        where = "fixed" if name in parts["fixed"] else "search_space"
        rule = f"weighs the classes, and so does imbalance: {choice} already: take one of the two out"
        yield Violation(f"{where}.{name}", parts["fixed"].get(name, parts["search_space"].get(name)), rule)


def _metric_violations(name: str, problem_type: ProblemType) -> Iterator[Violation]:
    own = metrics.names(problem_type)
    if name in own:
        return
    elsewhere = [other for other in PROBLEM_TYPES if name in metrics.names(other)]
    if elsewhere:
        yield Violation("metric", name, f"is not for {problem_type}: choose one of {', '.join(own)}")
    elif (meant := measures.measure(name, problem_type)) and meant.name in own:
        yield Violation("metric", name, f"is not one of {', '.join(own)}; did you mean {meant.name!r}?")
    else:
        yield Violation("metric", name, not_one_of(name, own))


def _target_violations(target: Target) -> Iterator[Violation]:
    together = {"name": target.name, "bins": target.bins, "labels": target.labels}
    if all(value is None for value in together.values()):
        return
    for key, value in together.items():
        if value is None:
            yield Violation(f"target.{key}", value, "is needed: name, bins and labels go together")
    if target.bins and target.labels and len(target.labels) != len(target.bins) + 1:
        rule = f"must be {len(target.bins) + 1} labels: one more than there are bins"
        yield Violation("target.labels", list(target.labels), rule)
    if target.name and target.name.casefold() == target.column.casefold():
        yield Violation("target.name", target.name, "must differ from the column that it is cut from")


def _cut_violations(target: Target, problem_type: ProblemType | None) -> Iterator[Violation]:
    if target.labels is None or problem_type is None:
        return
    labels = list(target.labels)
    if problem_type == "regression":
        yield Violation("target.labels", labels, "make classes, and a regression has none: take bins and labels out")
    elif problem_type == "binary_classification" and len(labels) != 2:
        yield Violation("target.labels", labels, "must be 2 for binary_classification")
    elif problem_type == "multiclass_classification" and len(labels) < 3:
        yield Violation("target.labels", labels, "must be at least 3 for multiclass_classification")


def _positive_label_violations(parts: Parts, target: Target, problem_type: ProblemType | None) -> Iterator[Violation]:
    label = parts.get("positive_label")
    if label is None:
        return
    if problem_type and problem_type != "binary_classification":
        yield Violation("positive_label", label, f"is for binary_classification only, not for {problem_type}")
    elif target.labels and label not in target.labels:
        yield Violation("positive_label", label, not_one_of(label, target.labels))


def _column_violations(target: Target, columns: Columns) -> Iterator[Violation]:
    roles = {"group": columns.group, "time": columns.time}
    lists = {"id": columns.id, "drop": columns.drop, "categorical": columns.categorical}
    # A column that classes are cut from leaves the features anyway, so naming it among the drops does no harm.
    targets = {target.name} if target.bins else {target.column}
    named = {key: set(names) for key, names in lists.items()}
    named |= {role: {column} for role, column in roles.items() if column}
    for where, names in named.items():
        for column in sorted(names & targets):
            yield Violation(f"columns.{where}", column, "is the target: it cannot have another role")
    if columns.group and columns.group == columns.time:
        yield Violation("columns.time", columns.time, "is the grouping column as well")
    for role in ("group", "time", "id"):
        for column in sorted(named.get(role, set()) & named["drop"]):
            yield Violation("columns.drop", column, f"is the {role} column and no feature anyway: take it out")
    others = set().union(*(names for where, names in named.items() if where != "categorical"))
    for column in sorted(named["categorical"] & (others | {target.column})):
        yield Violation("columns.categorical", column, "is no feature: take it out of categorical")


def split_violations(split: Split, target: Target, columns: Columns) -> Iterator[Violation]:
    """Judge how the rows are placed."""
    if split.gap and not columns.time:
        yield Violation("split.gap", split.gap, "lies between times: it needs columns.time")
    if split.column is None:
        return
    if split.gap:
        yield Violation("split.gap", split.gap, "does nothing with split.column: leave its rows out of the source")
    if split.column in (target.column, target.name):
        yield Violation("split.column", split.column, "is the target: it cannot have another role")
    others = {"group": columns.group, "time": columns.time}
    lists = {"id": columns.id, "drop": columns.drop, "categorical": columns.categorical}
    taken = [where for where, name in others.items() if name == split.column]
    taken += [where for where, names in lists.items() if split.column in names]
    for where in taken:
        yield Violation(f"columns.{where}", split.column, "says the role of each row (split.column): take it out here")


def segment_violations(segments: Sequence[str], target: Target) -> Iterator[Violation]:
    """Judge the columns by which the model is judged."""
    for name in segments:
        if name in (target.column, target.name):
            yield Violation("segments", name, "is the target: a model cannot be judged by what it should find out")


def leakage_violations(leakage: Leakage, columns: Columns) -> Iterator[Violation]:
    """Judge what is accepted although it looks like leakage."""
    for name in leakage.accepted:
        if name in columns.drop:
            yield Violation("leakage.accepted", name, "is dropped, so there is nothing to accept: take it out here")
