"""The rules between the options of a search, and between them and the rest of an experiment."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from e2i_assets.core.algorithms.algorithm import Algorithm
from e2i_assets.core.errors import Violation
from e2i_assets.core.experiments.search_sections import EarlyStopping, Hpo
from e2i_assets.core.experiments.sections import Columns

# The minimum number of folds with which the Wilcoxon pruner can stop a trial before its last fold.
WILCOXON_FOLDS = 5


def violations(
    hpo: Hpo, algorithm: Algorithm, early_stopping: EarlyStopping, changes: Mapping[str, Any]
) -> Iterator[Violation]:
    """Check the search options of an experiment.

    Args:
        hpo: The search section.
        algorithm: The algorithm to tune.
        early_stopping: The early-stopping section.
        changes: The experiment's changes to the search space.
    """
    yield from _rounds_violations(hpo, algorithm, early_stopping, changes)
    if hpo.sampler == "grid" and any("when" in (definition or {}) for definition in changes.values()):
        rule = "does not support parameters that depend on others (when): choose another sampler, such as tpe"
        yield Violation("hpo.sampler", "grid", rule)


def comparison_violations(hpo: Hpo, names: Sequence[str]) -> Iterator[Violation]:
    """Check the search options of an experiment that compares several algorithms."""
    if not hpo.enabled:
        yield Violation("hpo.enabled", False, "leaves nothing to compare the algorithms by: name one algorithm")
    if hpo.objectives:
        further = [one.name for one in hpo.objectives]
        yield Violation("hpo.objectives", further, "belong to the study of one algorithm: name one algorithm")
    if hpo.trials < len(names):
        rule = f"must be at least {len(names)}: one for each algorithm ({', '.join(names)})"
        yield Violation("hpo.trials", hpo.trials, rule)


def fold_violations(hpo: Hpo, columns: Columns, final_model: str) -> Iterator[Violation]:
    """Check that the rows may be split into folds, and that options for folds have an effect."""
    fitted = hpo.folds * hpo.repeats
    if hpo.objective == "validation":
        for key in ("folds", "repeats"):
            value = getattr(hpo, key)
            if value != Hpo.model_fields[key].default and final_model != "folds":
                rule = "is for hpo.objective: cross_validation or final_model: folds: set one of them"
                yield Violation(f"hpo.{key}", value, rule)
        if hpo.pruner == "wilcoxon":
            yield Violation("hpo.pruner", "wilcoxon", "compares folds and needs hpo.objective: cross_validation")
        return
    if hpo.objective == "auto":
        if hpo.pruner == "wilcoxon":
            rule = "compares folds, which auto may not use: set hpo.objective: cross_validation"
            yield Violation("hpo.pruner", "wilcoxon", rule)
        return
    if columns.time:
        rule = "would train on future rows, because columns.time orders the rows: choose validation"
        yield Violation("hpo.objective", hpo.objective, rule)
    if hpo.pruner == "wilcoxon" and fitted < WILCOXON_FOLDS:
        rule = f"needs at least {WILCOXON_FOLDS} folds (hpo.folds times hpo.repeats), and there are {fitted}"
        yield Violation("hpo.pruner", "wilcoxon", rule)


def final_model_violations(hpo: Hpo, columns: Columns, final_model: str) -> Iterator[Violation]:
    """Check that the final model is the one whose constraints were measured, and may learn from folds."""
    if columns.time and final_model == "folds":
        rule = (
            "would learn from rows that are later than those on which each fold model is stopped and evaluated, "
            "because columns.time orders the rows: choose refit or train_only"
        )
        yield Violation("final_model", final_model, rule)
    if hpo.constraints and final_model not in ("auto", "train_only"):
        rule = "is not the model on which hpo.constraints were measured: choose train_only, or remove it"
        yield Violation("final_model", final_model, rule)


def _rounds_violations(
    hpo: Hpo, algorithm: Algorithm, early_stopping: EarlyStopping, changes: Mapping[str, Any]
) -> Iterator[Violation]:
    if hpo.rounds is None:
        return
    name = algorithm.rounds_parameter
    if algorithm.rounds_cap is None or name is None:
        rule = f"is for boosters only: {algorithm.name} has no boosting rounds; remove it"
        yield Violation("hpo.rounds", hpo.rounds, rule)
    elif hpo.rounds == "stopped" and not early_stopping.enabled:
        yield Violation("hpo.rounds", "stopped", "needs early_stopping.enabled: true")
    elif hpo.rounds == "stopped" and changes.get(name) is not None:
        rule = "is not searched with hpo.rounds: stopped; remove it here, or set hpo.rounds: searched"
        yield Violation(f"search_space.{name}", changes[name], rule)
