"""The contract's rules over several fields, or over a search space.

The arguments contain only fields that are valid on their own, so that no error is reported twice.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from e2i_assets.core.contracts.model import is_parameter_value
from e2i_assets.core.errors import Violation
from e2i_assets.core.imbalance import RESAMPLING, is_uneven
from e2i_assets.core.search_space import space as search_space
from e2i_assets.core.search_space.space import SearchSpace

Fields = Mapping[str, Any]
_COUNTS = ("hpo_trials_run", "hpo_trials_pruned", "hpo_trials_failed")
_REGISTRATION = ("run_id", "model_uri", "registered_model_name", "version", "stage")
STAGES = ("development", "staging", "shadow", "production", "archived", "deprecated")
_OF_CLASSES = ("f1_score", "precision", "recall", "accuracy", "auc_roc", "confusion_matrix")
_OF_VALUES = ("rmse", "mae", "r2")
_ROUNDING = 1e-9


def hpo_rules(fields: Fields) -> Iterator[Violation]:
    """Yield where the fields disagree on whether the study completed, or give no reason why it did not."""
    completed = fields.get("hpo_completed")
    if completed is True:
        for name in ("hpo_best_value", "hpo_best_trial", "hpo_study_name"):
            if name in fields and fields[name] is None:
                yield Violation(name, None, "must be given when hpo_completed is true")
        if fields.get("hpo_trials_run") == 0:
            yield Violation("hpo_trials_run", 0, "must be at least 1 when hpo_completed is true")
        if fields.get("error") is not None:
            yield Violation("error", fields["error"], "must be null when hpo_completed is true")
    if completed is False:
        for name in ("hpo_best_value", "hpo_best_trial"):
            if fields.get(name) is not None:
                yield Violation(name, fields[name], "must be null when hpo_completed is false")
        if fields.get("hpo_best_stopped_early") is True:
            yield Violation("hpo_best_stopped_early", True, "must be false when there is no best trial")
    yield from _trial_number_rules(fields)
    ran = any(fields.get(name, 0) for name in _COUNTS)
    reasons = [name for name in ("hpo_stop_reason", "error") if fields.get(name, "") is not None]
    if completed is False and ran and not reasons:
        yield Violation("hpo_stop_reason", None, "must say why the study did not complete although trials ran")
    failed = fields.get("hpo_trials_failed", 0) and fields.get("hpo_trials_run") == 0
    if completed is False and failed and fields.get("error", "") is None:
        yield Violation("error", None, "must name the cause when trials failed and none completed")
    if ran and "hpo_study_name" in fields and fields["hpo_study_name"] is None:
        yield Violation("hpo_study_name", None, "must be given when trials ran")
    if {"hpo_algorithm", "hpo_leaderboard"} <= fields.keys():
        board, chosen = fields["hpo_leaderboard"], fields["hpo_algorithm"]
        if chosen != (dict(board[0]).get("algorithm") if board else None):
            rule = "must be the first algorithm of hpo_leaderboard, and null without one"
            yield Violation("hpo_algorithm", chosen, rule)
    if {"error", "error_type"} <= fields.keys() and (fields["error"] is None) != (fields["error_type"] is None):
        yield Violation("error_type", fields["error_type"], "must be given if error is given, else null")


def _trial_number_rules(fields: Fields) -> Iterator[Violation]:
    """Yield where the best trial is not one of the study's trials, which are numbered from 0."""
    if not all(isinstance(fields.get(name), int) for name in _COUNTS):
        return
    ended, begun, best = (
        sum(fields[name] for name in _COUNTS),
        fields.get("hpo_trials_begun"),
        fields.get("hpo_best_trial"),
    )
    if begun is not None and begun < ended:
        yield Violation("hpo_trials_begun", begun, f"must be at least {ended}, the number of trials that ended")
    trials = ended if begun is None else begun
    if best is not None and fields.get("hpo_completed") is True and best >= trials:
        yield Violation("hpo_best_trial", best, f"must be below {trials}: the trials are numbered from 0")


def trained_model_rules(fields: Fields) -> Iterator[Violation]:
    """Yield where a fit that stopped early has no final round, or a model without folds has rounds of folds."""
    if fields.get("early_stopped") is True and fields.get("final_epoch", 0) is None:
        yield Violation("final_epoch", None, "must be given when early_stopped is true")
    if fields.get("fold_rounds") and fields.get("final_model", "folds") != "folds":
        yield Violation("fold_rounds", fields["fold_rounds"], "must be empty unless final_model is folds")


def validation_metrics_rules(fields: Fields) -> Iterator[Violation]:
    """Yield where a main metric differs from all_metrics, or belongs to another problem type than the others."""
    everything = fields.get("all_metrics")
    for name, value in fields.items():
        if everything is None or not isinstance(value, float):
            continue
        stored = everything.get({"auc_roc": "roc_auc"}.get(name, name))
        if stored != value:
            yield Violation(name, value, f"must equal the {stored!r} in all_metrics")
    of_values = [name for name in _OF_VALUES if fields.get(name) is not None]
    of_classes = [name for name in _OF_CLASSES if fields.get(name) is not None]
    if of_values and of_classes:
        yield Violation(
            of_values[0], fields[of_values[0]], f"cannot be given with {of_classes[0]}: one is a metric of regressions"
        )
    yield from _counts_rules(fields)


def _counts_rules(fields: Fields) -> Iterator[Violation]:
    """Yield where a rate does not follow from the four counts of the confusion matrix."""
    counts = fields.get("confusion_matrix")
    if counts is None:
        return
    cells = dict(counts)
    if not all(isinstance(cells.get(name), int) for name in ("TP", "TN", "FP", "FN")):
        return
    tp, tn, fp, fn = (cells[name] for name in ("TP", "TN", "FP", "FN"))
    if not tp + tn + fp + fn:
        yield Violation("confusion_matrix", cells, "must count at least one row")
        return
    rates = {
        "accuracy": (tp + tn, tp + tn + fp + fn),
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
        "f1_score": (2 * tp, 2 * tp + fp + fn),
    }
    for name, (top, bottom) in rates.items():
        value = (fields.get("all_metrics") or {}).get(name)
        if value is not None and abs(value - top / max(bottom, 1)) > _ROUNDING:
            yield Violation(name, value, f"must be {top}/{bottom}, according to the confusion matrix")


def mlflow_rules(fields: Fields) -> Iterator[Violation]:
    """Yield where a logged model lacks a field, or a model that was not logged has one."""
    status = fields.get("mlflow_status")
    for name in _REGISTRATION:
        if status == "logged" and name in fields and fields[name] is None:
            yield Violation(name, None, "must be given when mlflow_status is logged")
        if status in ("unavailable", "disabled") and fields.get(name) is not None:
            yield Violation(name, fields[name], f"must be null when mlflow_status is {status}")
    uri, run_id, stage = (fields.get(name) for name in ("model_uri", "run_id", "stage"))
    if uri is not None and run_id is not None and not re.fullmatch(rf"runs:/{re.escape(run_id)}/\S+", uri):
        yield Violation("model_uri", uri, f"must name the run: runs:/{run_id}/model")
    if stage is not None and stage.lower() not in STAGES:
        yield Violation("stage", stage, f"must be one of {', '.join(STAGES)}")


def balance_rules(fields: Fields) -> Iterator[Violation]:
    """Yield where fields contradict the severity, or class counts changed without resampling."""
    severity, detected = fields.get("imbalance_severity"), fields.get("imbalance_detected")
    if severity is not None and detected is not None and detected is not is_uneven(severity):
        yield Violation("imbalance_detected", detected, f"must be {is_uneven(severity)} with severity {severity}")
    for name in ("imbalance_ratio", "minority_ratio"):
        if severity is not None and name in fields:
            missing = severity in ("not_applicable", "degenerate")
            if (fields[name] is None) is not missing:
                yield Violation(
                    name, fields[name], f"must be {'null' if missing else 'given'} with severity {severity}"
                )
    before, after = fields.get("class_distribution"), fields.get("class_counts_after")
    if severity is not None and before is not None and bool(before) is (severity == "not_applicable"):
        yield Violation("class_distribution", before, "must count the rows of each class; empty for a regression")
    strategy, applied = fields.get("strategy"), fields.get("resampling_applied")
    if strategy is None or applied is None:
        return
    if applied and strategy not in RESAMPLING:
        yield Violation("resampling_applied", applied, f"must be false with strategy {strategy}")
    if before is not None and after is not None and not applied and before != after:
        yield Violation("class_counts_after", after, "must equal class_distribution when nothing was resampled")
    if before is not None and after is not None and before.keys() != after.keys():
        yield Violation("class_counts_after", after, "must have the same classes as class_distribution")


def training_rules(fields: Fields) -> Iterator[Violation]:
    """Yield where the verdict is not the conjunction of the results, or the best trial does not fit the study."""
    results, met = fields.get("success_criteria_results"), fields.get("success_criteria_met")
    if results is not None and met is not None and met != all(results.values()):
        yield Violation("success_criteria_met", met, "must be true if every criterion is met, else false")
    if {"hpo_completed", "hpo_best_trial"} <= fields.keys():
        trial = fields["hpo_best_trial"]
        if fields["hpo_completed"] is (trial is None):
            yield Violation("hpo_best_trial", trial, "must be given if hpo_completed is true, else null")


def parameter_violations(
    values: Mapping[Any, object],
    completed: bool | None,
    space: SearchSpace | None,
    fixed: Fields,
    defaults: Fields,
    exempt_from_grid: frozenset[str],
) -> Iterator[Violation]:
    """Yield the errors of a merged parameter set: defaults, overridden by the best trial, then by fixed parameters.

    Args:
        values: The parameters of the training; values of an invalid type are ignored, another rule reports them.
        completed: Whether the best trial is part of it; None when that is not known.
        space: The search space; None when that is not known.
        fixed: Parameters that override all others.
        defaults: Values of the parameters that were not searched.
        exempt_from_grid: Parameters that early stopping reduces: integers from 1 to their value or upper bound.
    """
    sound = {name: value for name, value in values.items() if isinstance(name, str) and is_parameter_value(value)}
    searched = {name: of for name, of in (space or {}).items() if name not in fixed} if completed else {}
    expected = {name: value for name, value in defaults.items() if name not in searched} | dict(fixed)
    if completed is None or (space is None and completed):
        expected = dict(fixed)
    for name, value in expected.items():
        stopped = name in exempt_from_grid and name in sound and is_round(sound[name], value)
        if (name in sound or name not in values) and not stopped and not _same(sound.get(name, ...), value):
            origin = "it is fixed" if name in fixed else "that is its default, and it was not searched"
            yield Violation(name, sound.get(name), f"must be {value!r}: {origin}")
    for violation in search_space.violations(sound, searched, exempt_from_grid, defaults):
        if violation.where in sound or violation.where not in values:
            yield violation
    known = {*fixed, *defaults, *(space or () if completed is not False else ())}
    for name in sound:
        if space is not None and name not in known:
            yield Violation(name, sound[name], "is neither a searched nor a fixed parameter, and has no default")


def _same(value: object, expected: object) -> bool:
    return value == expected and isinstance(value, bool) is isinstance(expected, bool)


def is_round(value: object, cap: object) -> bool:
    """Return whether a fit of ``cap`` rounds can have stopped at this one."""
    return (
        isinstance(value, int)
        and isinstance(cap, int)
        and not isinstance(value, bool)
        and not isinstance(cap, bool)
        and 1 <= value <= cap
    )
