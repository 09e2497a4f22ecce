"""Validation of outputs by the contract: every broken rule at once, for any input, without a crash."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from e2i_assets.core.contracts.contract import HpoOutput, TrainedModel, TrainingOutput
from e2i_assets.core.contracts.model import ContractModel, ParameterValue, as_violations
from e2i_assets.core.contracts.rules import is_round, parameter_violations
from e2i_assets.core.errors import ContractBroken, Violation
from e2i_assets.core.search_space.space import SearchSpace


def violations_of(
    raw: object,
    space: SearchSpace | None,
    fixed: Mapping[str, Any],
    defaults: Mapping[str, Any],
    exempt_from_grid: frozenset[str] = frozenset(),
) -> list[Violation]:
    """Return every broken rule of an HPO output.

    Args:
        raw: Any value; valid are the fields of an `HpoOutput`.
        space: The search space of the study; empty when nothing was searched, None when that is not known.
        fixed: Parameters that override all others.
        defaults: Values of the parameters before the study.
        exempt_from_grid: Parameters that early stopping reduces, for example n_estimators of a booster. Values off the
            grid are valid for them if the best trial stopped early.
    """
    found = _broken(HpoOutput, raw, "hpo_output")
    if not isinstance(raw, Mapping):
        return found
    values, completed = raw.get("best_hyperparameters"), raw.get("hpo_completed")
    if completed is True and space is not None and not space:
        found.append(Violation("hpo_completed", True, "must be false, because nothing was searched"))
    known = completed if isinstance(completed, bool) else None
    exempt = exempt_from_grid if raw.get("hpo_best_stopped_early") is True else frozenset()
    if isinstance(values, Mapping):
        found += [
            Violation(f"best_hyperparameters.{violation.where}", violation.value, violation.rule)
            for violation in parameter_violations(values, known, space, fixed, defaults, exempt)
        ]
    return found


def hpo_output(
    raw: object,
    space: SearchSpace | None,
    fixed: Mapping[str, Any],
    defaults: Mapping[str, Any],
    exempt_from_grid: frozenset[str] = frozenset(),
) -> HpoOutput:
    """Return a validated HPO output; the arguments are those of `violations_of`.

    Raises:
        ContractBroken: It contains every violation.
    """
    if found := violations_of(raw, space, fixed, defaults, exempt_from_grid):
        raise ContractBroken("HPO output", found)
    return HpoOutput.model_validate(raw)


def training_violations_of(raw: object, hpo: HpoOutput | None = None) -> list[Violation]:
    """Return every broken rule of a training output.

    Args:
        raw: Any value; valid are the fields of a `TrainingOutput`.
        hpo: The output of its study, with which it must agree.
    """
    found = _broken(TrainingOutput, raw, "training_output")
    if found or hpo is None:
        return found
    output = TrainingOutput.model_validate(raw)
    pairs = {
        "trained_model.hyperparameters": (output.trained_model.hyperparameters, _trainable(hpo, output.trained_model)),
        "hpo_completed": (output.hpo_completed, hpo.hpo_completed),
        "hpo_best_trial": (output.hpo_best_trial, hpo.hpo_best_trial),
    }
    return [
        Violation(where, given, f"must be {expected!r}, as in the output of the study")
        for where, (given, expected) in pairs.items()
        if given != expected
    ]


def training_output(raw: object, hpo: HpoOutput | None = None) -> TrainingOutput:
    """Return a validated training output; the arguments are those of `training_violations_of`.

    Raises:
        ContractBroken: It contains every violation.
    """
    if found := training_violations_of(raw, hpo):
        raise ContractBroken("training output", found)
    return TrainingOutput.model_validate(raw)


def _trainable(hpo: HpoOutput, model: TrainedModel) -> dict[str, ParameterValue]:
    """Return the parameters to expect: those of the study, or its defaults with the rounds after early stopping."""
    if hpo.hpo_completed or not model.early_stopped or model.final_epoch is None:
        return hpo.best_hyperparameters
    stopped = {
        name: model.final_epoch
        for name, cap in hpo.best_hyperparameters.items()
        if model.hyperparameters.get(name) == model.final_epoch and is_round(model.final_epoch, cap)
    }
    return hpo.best_hyperparameters | stopped


def _broken(model: type[ContractModel], raw: object, subject: str) -> list[Violation]:
    try:
        model.model_validate(dict(raw) if isinstance(raw, Mapping) else raw)
    except ValidationError as error:
        return as_violations(error, subject)
    return []
