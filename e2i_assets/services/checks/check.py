"""What a check is, and its evaluation, which uses stored values only."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from e2i_assets.adapters.files.asset_values import AssetDamaged, AssetMissing
from e2i_assets.adapters.stores.store import StoredDamaged
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.search.tuning import Tuned
from e2i_assets.services.project import Project

Outcome = Literal["passed", "failed", "not evaluated"]
Severity = Literal["ERROR", "WARN"]
Fact = int | str | None
_MOST_MISTAKES = 5


class NotEvaluated(E2iError):
    """The check has no data to evaluate."""


class ValueDamaged(NotEvaluated):
    """A stored value differs from the format that its asset writes."""

    def __init__(self, asset: str, message: str) -> None:
        self.asset = asset
        super().__init__(message)


class CheckFailed(E2iError):
    """The check fails because the object that it examines is missing."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of a check.

    Attributes:
        outcome: "not evaluated" is neither passed nor failed.
        why: One sentence for the user.
        facts: The supporting values by name: counts as numbers, all others as text with their unit and limit.
    """

    outcome: Outcome
    why: str
    facts: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Return whether the check was evaluated and passed."""
        return self.outcome == "passed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A condition that a stored asset must satisfy.

    Attributes:
        name: Name, which states the condition.
        blocking: Whether a failure prevents downstream assets from being made.
        evaluate: Takes the project and the experiment name. It may raise `CheckFailed`,
            `NotEvaluated` or `AssetMissing`.
        answers_for_the_file: Whether this check fails if the stored value is unreadable; the asset's other checks are
            then not evaluated.
    """

    asset: str
    name: str
    description: str
    evaluate: Callable[[Project, str], CheckResult]
    blocking: bool = False
    severity: Severity = "ERROR"
    answers_for_the_file: bool = False


def of_asset(
    asset: str, *, blocking: bool = False, severity: Severity = "ERROR", answers_for_the_file: bool = False
) -> Callable[[Callable[[Project, str], CheckResult]], Check]:
    """Return a decorator that makes a function a `Check`: its name is the check's, its docstring the description."""

    def made(evaluate: Callable[[Project, str], CheckResult]) -> Check:
        return Check(
            asset=asset,
            name=evaluate.__name__,
            description=" ".join((evaluate.__doc__ or "").split()),
            evaluate=evaluate,
            blocking=blocking,
            severity=severity,
            answers_for_the_file=answers_for_the_file,
        )

    return made


def evaluated(check_spec: Check, project: Project, experiment: str) -> CheckResult:
    """Evaluate a check for an experiment.

    Raises:
        E2iError: The experiment is not registered, or the database does not answer.
    """
    try:
        return check_spec.evaluate(project, experiment)
    except ValueDamaged as damaged:
        own = check_spec.answers_for_the_file and damaged.asset == check_spec.asset
        return CheckResult("failed" if own else "not evaluated", str(damaged))
    except (AssetMissing, NotEvaluated) as reason:
        return CheckResult("not evaluated", str(reason))
    except CheckFailed as reason:
        return CheckResult("failed", str(reason))


def passed(why: str, **facts: Fact) -> CheckResult:
    """Return a passed result."""
    return CheckResult("passed", why, facts)


def check_result(mistakes: Sequence[object], why: str, /, **facts: Fact) -> CheckResult:
    """Return passed because of ``why``, or failed with the first mistakes where there are any.

    Args:
        mistakes: The errors found.
        why: Reason if the check passed.
        facts: The supporting values.
    """
    rest = len(mistakes) - _MOST_MISTAKES
    shown = [*mistakes[:_MOST_MISTAKES], f"and {rest} more"] if rest > 0 else mistakes
    if not mistakes:
        return passed(why, **facts)
    return CheckResult("failed", _joined(shown), facts)


def every_mistake(mistakes: Sequence[object], why: str, /, **facts: Fact) -> CheckResult:
    """Return passed because of ``why``, or failed with every mistake, however many there are."""
    if not mistakes:
        return passed(why, **facts)
    return CheckResult("failed", _joined(mistakes), facts)


def _joined(mistakes: Sequence[object]) -> str:
    return "; ".join(map(str, mistakes))


def stored(project: Project, kind: type[Any], asset: str, experiment: str) -> Any:
    """Return the stored value of an asset.

    Raises:
        AssetMissing: The asset has not been materialized.
        ValueDamaged: The files differ from the format that the asset writes.
    """
    try:
        return project.read(kind, asset, experiment)
    except AssetDamaged as error:
        raise ValueDamaged(asset, str(error)) from error


def decided_experiment(project: Project, experiment: str) -> Experiment:
    """Return a registered experiment with the algorithm of its stored search. Raises the errors of `stored`."""
    registered = project.experiment(experiment)
    if len(registered.contenders) == 1:
        return registered
    tuned: Tuned = stored(project, Tuned, "hpo_study", experiment)
    return tuned.decided(registered)


def document(project: Project, asset: str, experiment: str) -> Any:
    """Return the stored JSON of an asset without parsing it as the asset's type. Raises the errors of `stored`."""
    try:
        file = project.asset_folder(asset, experiment) / "value.json"
        if not file.parent.is_dir():
            raise AssetMissing(f"{asset} of {experiment} does not exist yet: materialise it first")
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError, StoredDamaged) as error:
        raise _damaged(asset, experiment, error) from error


def _damaged(asset: str, experiment: str, error: Exception) -> ValueDamaged:
    reason = " ".join(str(error).split())[:300]
    return ValueDamaged(asset, f"the stored {asset} of {experiment} cannot be read, materialise it again: {reason}")
