"""The rules between the sections of an experiment; they are checked on the sections that are valid on their own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from e2i_assets.core import metrics
from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.algorithm import Algorithm
from e2i_assets.core.errors import Violation
from e2i_assets.core.evaluation import measures, success_criteria
from e2i_assets.core.experiments import (
    loss_rules,
    objective_rules,
    order_rules,
    predict_rules,
    search_rules,
    space_changes,
)
from e2i_assets.core.experiments import monotone_rules as monotone
from e2i_assets.core.experiments.sections import Columns, Leakage, Split, Target
from e2i_assets.core.experiments.values import AUTO
from e2i_assets.core.imbalance import WEIGHING
from e2i_assets.core.losses import Loss, LossName
from e2i_assets.core.metrics import PROBLEM_TYPES, ProblemType
from e2i_assets.core.suggestions import not_one_of

Parts = Mapping[str, Any]


def violations(parts: Parts) -> Iterator[Violation]:
    """Check the rules between the sections of an experiment.

    Args:
        parts: The valid values of an `Experiment`, by their key in the file.
    """
    problem_type: ProblemType | None = parts.get("problem_type")
    yield from _algorithm_violations(parts, problem_type)
    yield from predict_rules.violations(parts)
    if {"hpo", "columns", "final_model"} <= parts.keys():
        yield from search_rules.fold_violations(parts["hpo"], parts["columns"], parts["final_model"])
        yield from search_rules.final_model_violations(parts["hpo"], parts["columns"], parts["final_model"])
    if "target" in parts:
        yield from _target_violations(parts["target"])
        yield from _cut_violations(parts["target"], problem_type)
        yield from _positive_label_violations(parts, parts["target"], problem_type)
        if "columns" in parts:
            yield from _column_violations(parts["target"], parts["columns"])
            if problem_type:
                yield from monotone.violations(parts["columns"], parts["target"], problem_type)
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
    if problem_type:
        yield from loss_rules.violations(parts, problem_type)
    if problem_type and "target" in parts:
        yield from order_rules.violations(parts, problem_type, parts["target"])
    if problem_type and {"hpo", "target", "columns"} <= parts.keys():
        loss = Loss(parts.get("loss", "squared_error"), parts.get("quantile"))
        metric = parts.get("metric") or metrics.default_metric(problem_type, parts["target"].order is not None, loss)
        yield from objective_rules.violations(parts["hpo"], problem_type, metric, parts["target"], parts["columns"])
    if parts.get("costs") is not None and problem_type not in (None, "binary_classification"):
        rule = f"is for binary_classification only, not for {problem_type}: remove it"
        yield Violation("costs", parts["costs"].model_dump(exclude_none=True), rule)
    if problem_type and "success_criteria" in parts:
        for broken in success_criteria.violations(parts["success_criteria"], problem_type):
            yield Violation(f"success_criteria.{broken.where}", broken.value, broken.rule)


def _algorithm_violations(parts: Parts, problem_type: ProblemType | None) -> Iterator[Violation]:
    chosen = parts.get("algorithm")
    if chosen is None:
        return
    if isinstance(chosen, str) and chosen != AUTO:
        known = [*registry.names(), AUTO]
        yield from [Violation("algorithm", chosen, not_one_of(chosen, known))] if chosen not in known else ()
        yield from _violations_of(chosen, "algorithm", parts, problem_type) if chosen in known else ()
        return
    is_monotone = "columns" in parts and bool(parts["columns"].monotone)
    loss: LossName = parts.get("loss", "squared_error") if problem_type == "regression" else "squared_error"
    every = registry.compared_by_auto(problem_type, is_monotone, loss) if problem_type else ()
    names = every if chosen == AUTO else chosen
    for place, name in enumerate(names):
        where = "algorithm" if chosen == AUTO else f"algorithm.{place}"
        if name not in registry.names():
            yield Violation(where, name, not_one_of(name, registry.names()))
        else:
            yield from _violations_of_one_of_several(name, where, parts, problem_type)
    if "hpo" in parts:
        yield from search_rules.comparison_violations(parts["hpo"], names)


def _violations_of_one_of_several(
    name: str, where: str, parts: Parts, problem_type: ProblemType | None
) -> Iterator[Violation]:
    """Check an algorithm of a comparison: a setting must hold for each of them, and each needs a search."""
    broken = [*_violations_of(name, where, parts, problem_type)]
    for one in broken:
        together = f"{one.rule} (in a comparison of algorithms, a setting must hold for each: here for {name})"
        yield one if one.where == where else replace(one, rule=together)
    if not broken and problem_type and {"search_space", "fixed"} <= parts.keys():
        space = space_changes.settled_space(
            registry.algorithm(name), problem_type, parts["search_space"], parts["fixed"]
        )
        if not space:
            yield Violation(where, name, "has no parameter left to search, so it cannot be compared: leave it out")


def _violations_of(name: str, where: str, parts: Parts, problem_type: ProblemType | None) -> Iterator[Violation]:
    """Check one algorithm against the problem type, the search space and the search options."""
    algorithm: Algorithm = registry.algorithm(name)
    if not algorithm.is_installed:
        command = f"pip install 'e2i-assets[{algorithm.extra}]'"
        yield Violation(where, name, f"needs the package {algorithm.framework}, which is not installed: {command}")
    if problem_type and problem_type not in algorithm.problem_types:
        able = sorted(registry.able(problem_type))
        yield Violation(where, name, f"does not support {problem_type}: choose one of {', '.join(able)}")
    elif problem_type and {"search_space", "fixed", "columns"} <= parts.keys():
        yield from monotone.violations_of(parts["columns"], algorithm, problem_type)
        yield from loss_rules.violations_of(parts, algorithm) if problem_type == "regression" else ()
        is_searched = parts["hpo"].enabled if "hpo" in parts else True
        preset = parts["hpo"].preset if "hpo" in parts else "contract"
        if preset in algorithm.presets:
            algorithm = algorithm.with_preset(preset)
        else:
            yield Violation("hpo.preset", preset, f"is not a search space of {name}: choose contract")
        yield from space_changes.violations(algorithm, problem_type, parts["search_space"], parts["fixed"], is_searched)
    if {"hpo", "early_stopping", "search_space"} <= parts.keys():
        yield from search_rules.violations(parts["hpo"], algorithm, parts["early_stopping"], parts["search_space"])


def _imbalance_violations(parts: Parts, problem_type: ProblemType | None) -> Iterator[Violation]:
    choice = parts["imbalance"]
    if choice == "none":
        return
    if problem_type == "regression":
        yield Violation("imbalance", choice, "is for classification only, not for regression: remove it")
    searched = {name for name, change in parts["search_space"].items() if change is not None}
    for name in sorted(WEIGHING & (searched | parts["fixed"].keys())):
        where = "fixed" if name in parts["fixed"] else "search_space"
        rule = f"weights the classes, and so does imbalance: {choice}: remove one of the two"
        yield Violation(f"{where}.{name}", parts["fixed"].get(name, parts["search_space"].get(name)), rule)


def _metric_violations(name: str, problem_type: ProblemType) -> Iterator[Violation]:
    own = metrics.names(problem_type)
    if metrics.is_metric(name, problem_type):
        return
    elsewhere = [other for other in PROBLEM_TYPES if metrics.is_metric(name, other)]
    if elsewhere:
        yield Violation("metric", name, f"is not a metric of {problem_type}: choose one of {', '.join(own)}")
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
            yield Violation(f"target.{key}", value, "is required: name, bins and labels must be given together")
    if target.bins and target.labels and len(target.labels) != len(target.bins) + 1:
        rule = f"must be {len(target.bins) + 1} labels, one more than there are bins"
        yield Violation("target.labels", list(target.labels), rule)
    if target.name and target.name.casefold() == target.column.casefold():
        yield Violation("target.name", target.name, "must differ from target.column, which it is cut from")


def _cut_violations(target: Target, problem_type: ProblemType | None) -> Iterator[Violation]:
    if target.labels is None or problem_type is None:
        return
    labels = list(target.labels)
    if problem_type == "regression":
        rule = "are for classification only, not for regression: remove name, bins and labels"
        yield Violation("target.labels", labels, rule)
    elif problem_type == "binary_classification" and len(labels) != 2:
        yield Violation("target.labels", labels, "must be 2 labels for binary_classification")
    elif problem_type == "multiclass_classification" and len(labels) < 3:
        yield Violation("target.labels", labels, "must be at least 3 labels for multiclass_classification")


def _positive_label_violations(parts: Parts, target: Target, problem_type: ProblemType | None) -> Iterator[Violation]:
    label = parts.get("positive_label")
    if label is None:
        return
    if problem_type and problem_type != "binary_classification":
        rule = f"is for binary_classification only, not for {problem_type}: remove it"
        yield Violation("positive_label", label, rule)
    elif target.labels and label not in target.labels:
        yield Violation("positive_label", label, not_one_of(label, target.labels))


def _column_violations(target: Target, columns: Columns) -> Iterator[Violation]:
    # A column that classes are cut from is never a feature, so it may also be listed under columns.drop.
    targets = {target.name} if target.bins else {target.column}
    named = columns.named
    for where, names in named.items():
        for column in sorted(names & targets):
            yield Violation(f"columns.{where}", column, "is the target: remove it here")
    if columns.group and columns.group == columns.time:
        yield Violation("columns.time", columns.time, "is also columns.group: name different columns")
    for key in ("group", "time", "id"):
        if columns.weight in named[key]:
            yield Violation("columns.weight", columns.weight, f"is also columns.{key}: name another column")
    for key in ("group", "time", "id", "weight"):
        for column in sorted(named[key] & named["drop"]):
            yield Violation("columns.drop", column, f"is the {key} column, which is never a feature: remove it here")
    for where in ("group", "id", "drop", "weight"):
        for column in sorted(named["dates"] & named[where]):
            yield Violation(
                "columns.dates", column, f"is also columns.{where}, so it is not a feature: remove one of the two"
            )
    others = set().union(*(names for where, names in named.items() if where not in ("categorical", "numeric")))
    for where in ("categorical", "numeric"):
        for column in sorted(named[where] & (others | {target.column})):
            yield Violation(f"columns.{where}", column, "is not a feature, or is a date: remove it here")
    for column in sorted(named["categorical"] & named["numeric"]):
        yield Violation("columns.numeric", column, "is also columns.categorical: remove one of the two")


def split_violations(split: Split, target: Target, columns: Columns) -> Iterator[Violation]:
    """Check the split section against the target and the columns."""
    if split.gap and not columns.time:
        yield Violation("split.gap", split.gap, "needs a time column: name columns.time, or remove the gap")
    if split.column is None:
        return
    if split.gap:
        rule = "has no effect with split.column: remove it, and leave the rows of the gap out of the source"
        yield Violation("split.gap", split.gap, rule)
    if split.column in (target.column, target.name):
        yield Violation("split.column", split.column, "is the target: name another column")
    for where, names in columns.named.items():
        if split.column in names:
            yield Violation(
                f"columns.{where}", split.column, "is the column of the split (split.column): remove it here"
            )


def segment_violations(segments: Sequence[str], target: Target) -> Iterator[Violation]:
    """Check that no segment column is the target."""
    for name in segments:
        if name in (target.column, target.name):
            yield Violation("segments", name, "is the target, which cannot define segments: remove it here")


def leakage_violations(leakage: Leakage, columns: Columns) -> Iterator[Violation]:
    """Check the features that are accepted although they look like leakage."""
    for name in leakage.accepted:
        if name in columns.drop:
            yield Violation("leakage.accepted", name, "is under columns.drop, so it is not a feature: remove it here")
