"""The checks of `hpo_pattern_memory`: a finished study is stored once, is retrievable, and has finite values."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from e2i_assets.adapters.repositories.pattern_rows import StoredPattern
from e2i_assets.core.search import tuning
from e2i_assets.core.search_space.space import adapted_to, parse_space
from e2i_assets.services.checks.check import CheckResult, check_result, of_asset, passed, stored
from e2i_assets.services.project import Project
from e2i_assets.services.remember import Remembered

_NOTHING = "the study has no trial to train, so there is nothing to remember"


@of_asset("hpo_pattern_memory", answers_for_the_file=True)
def pattern_is_stored_once_and_retrievable(project: Project, name: str) -> CheckResult:
    """The study is stored as exactly one pattern, which a query with its own problem finds."""
    remembered: Remembered = stored(project, Remembered, "hpo_pattern_memory", name)
    tuned: tuning.Tuned = stored(project, tuning.Tuned, "hpo_study", name)
    if tuned.result is None or tuned.result.best is None:
        return check_result(
            [f"there is pattern {remembered.pattern_id}, and {_NOTHING}"] if remembered.pattern_id else [], _NOTHING
        )
    if remembered.pattern_id is None and remembered.error:
        return passed(f"not evaluated: {remembered.error}")
    if remembered.pattern_id is None:
        return check_result(
            ["there is a best trial, and nothing was remembered: materialise hpo_pattern_memory again"], ""
        )
    times, patterns = project.patterns.counts(tuned.identity)
    pattern = project.patterns.get(remembered.pattern_id)
    if pattern is None and (reason := project.pattern_maintenance.forgotten(remembered.pattern_id)):
        return passed(f"pattern {remembered.pattern_id} was removed from the memory: {reason}")
    if pattern is None:
        return check_result(
            [f"pattern {remembered.pattern_id} is not in the memory: materialise hpo_pattern_memory again"], ""
        )
    mistakes = [] if times == 1 else [f"the study is remembered {times} times"]
    if pattern.spec_hash != tuned.identity:
        mistakes.append(
            f"pattern {remembered.pattern_id} is of the study {pattern.spec_hash[:12]}, not {tuned.identity[:12]}"
        )
    if not _found(project, pattern, patterns):
        mistakes.append(f"pattern {remembered.pattern_id} is not found by a query with its own problem")
    run = project.training_runs.by_spec_hash(tuned.identity)
    if run is not None and run.pattern_id != remembered.pattern_id:
        mistakes.append(f"the training run of the study names pattern {run.pattern_id}")
    return check_result(
        mistakes, f"pattern {remembered.pattern_id} exists once, and a query with its own problem finds it"
    )


def _found(project: Project, pattern: StoredPattern, at_most: int) -> bool:
    similar = project.patterns.similar(
        algorithm=pattern.algorithm_name,
        problem_type=pattern.problem_type,
        metric=pattern.optimization_metric,
        n_samples=pattern.n_samples,
        n_features=pattern.n_features,
        class_balance=pattern.class_balance,
        min_similarity=1.0 - 1e-9,
        limit=at_most,
    )
    return any(one.pattern_id == pattern.pattern_id for one in similar)


@of_asset("hpo_pattern_memory")
def values_are_finite(project: Project, name: str) -> CheckResult:
    """Sizes, shares and values of the pattern are finite, and its parameters are in its search space."""
    remembered: Remembered = stored(project, Remembered, "hpo_pattern_memory", name)
    if remembered.pattern_id is None:
        return passed(f"not evaluated: {remembered.error}" if remembered.error else _NOTHING)
    pattern = project.patterns.get(remembered.pattern_id)
    if pattern is None and (reason := project.pattern_maintenance.forgotten(remembered.pattern_id)):
        return passed(f"pattern {remembered.pattern_id} was removed from the memory: {reason}")
    if pattern is None:
        return CheckResult("not evaluated", f"pattern {remembered.pattern_id} is not in the memory")
    mistakes = [
        *_not_numbers({"best_value": pattern.best_value, "duration_seconds": pattern.duration_seconds or 0.0}, ""),
        *_not_numbers(pattern.meta_features, "meta_features."),
        *_not_numbers(pattern.feature_types or {}, "feature_types."),
    ]
    space = parse_space(pattern.search_space)
    for position, configuration in enumerate(pattern.top_configurations):
        where = f"top_configurations.{position}"
        mistakes += _not_numbers({"value": configuration.get("value")}, f"{where}.")
        mistakes += [f"{where}: {note}" for note in adapted_to(configuration.get("values", {}), space)[1]]
    mistakes += [f"best_hyperparameters: {note}" for note in adapted_to(pattern.best_hyperparameters, space)[1]]
    return check_result(
        mistakes, f"every number of pattern {pattern.pattern_id} is finite, and its parameters were searched"
    )


def _not_numbers(values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            yield f"{prefix}{key} is {value!r}, not a finite number"


@of_asset("hpo_pattern_memory", severity="WARN")
def memory_was_written(project: Project, name: str) -> CheckResult:
    """The pattern and the uses of other patterns were stored without an error. A failure does not affect the model."""
    remembered: Remembered = stored(project, Remembered, "hpo_pattern_memory", name)
    again = "materialise hpo_pattern_memory again"
    mistakes = [f"{remembered.error}: {again}"] if remembered.error else []
    return check_result(mistakes, "the pattern and its uses are stored, or there is nothing to store")


CHECKS = (
    memory_was_written,
    pattern_is_stored_once_and_retrievable,
    values_are_finite,
)
