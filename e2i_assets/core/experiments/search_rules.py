"""What must hold between the options of a search, and between them and the rest of an experiment."""

from collections.abc import Iterator, Mapping
from typing import Any

from e2i_assets.core.algorithms.algorithm import Algorithm
from e2i_assets.core.errors import Violation
from e2i_assets.core.experiments.search_sections import EarlyStopping, Hpo
from e2i_assets.core.experiments.sections import Columns

# The fewest with which the Wilcoxon test can end a trial before its last fold.
WILCOXON_FOLDS = 5


def violations(
    hpo: Hpo, algorithm: Algorithm, early_stopping: EarlyStopping, changes: Mapping[str, Any]
) -> Iterator[Violation]:
    """Judge the search of an experiment.

    Args:
        hpo: The search section.
        algorithm: What is tuned.
        early_stopping: Whether boosters stop.
        changes: The experiment's changes to the search space.
    """
    yield from _rounds_violations(hpo, algorithm, early_stopping, changes)
    if hpo.sampler == "grid" and any("when" in (definition or {}) for definition in changes.values()):
        yield Violation("hpo.sampler", "grid", "cannot search parameters that depend on others (when): choose tpe")


def fold_violations(hpo: Hpo, columns: Columns) -> Iterator[Violation]:
    """Judge whether the rows may be folded, and whether what is said of folds has a meaning."""
    fitted = hpo.folds * hpo.repeats
    if hpo.objective == "validation":
        for key in ("folds", "repeats"):
            value = getattr(hpo, key)
            if value != Hpo.model_fields[key].default:
                yield Violation(f"hpo.{key}", value, "does nothing without hpo.objective: cross_validation")
        if hpo.pruner == "wilcoxon":
            yield Violation("hpo.pruner", "wilcoxon", "compares folds: it needs hpo.objective: cross_validation")
        return
    if columns.time:
        rule = "would learn from the future, because columns.time orders the rows: choose validation"
        yield Violation("hpo.objective", hpo.objective, rule)
    if hpo.pruner == "wilcoxon" and fitted < WILCOXON_FOLDS:
        rule = f"cannot tell trials apart by {fitted} folds: it needs {WILCOXON_FOLDS} (hpo.folds times hpo.repeats)"
        yield Violation("hpo.pruner", "wilcoxon", rule)


def _rounds_violations(
    hpo: Hpo, algorithm: Algorithm, early_stopping: EarlyStopping, changes: Mapping[str, Any]
) -> Iterator[Violation]:
    if hpo.rounds is None:
        return
    name = algorithm.rounds_parameter
    if algorithm.rounds_cap is None or name is None:
        yield Violation("hpo.rounds", hpo.rounds, f"is for boosters: {algorithm.name} has no rounds to stop")
    elif hpo.rounds == "stopped" and not early_stopping.enabled:
        yield Violation("hpo.rounds", "stopped", "needs early_stopping.enabled: true")
    elif hpo.rounds == "stopped" and changes.get(name) is not None:
        yield Violation(f"search_space.{name}", changes[name], "is not searched with hpo.rounds: stopped")
