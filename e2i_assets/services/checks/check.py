"""What a promise of an asset is, and how it is judged: on what is stored, never on what was computed just now."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from e2i_assets.adapters.files.asset_values import AssetDamaged, AssetMissing
from e2i_assets.core.errors import E2iError
from e2i_assets.services.project import Project

Outcome = Literal["passed", "failed", "not evaluated"]
Severity = Literal["ERROR", "WARN"]
_MOST_MISTAKES = 5


class NotEvaluated(E2iError):
    """There is nothing to judge a promise on."""


class ValueDamaged(NotEvaluated):
    """A stored value that is not what its asset writes."""

    def __init__(self, asset: str, message: str) -> None:
        self.asset = asset
        super().__init__(message)


class CheckFailed(E2iError):
    """A promise that is broken before it comes to details: what it is about is not there."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Whether a promise holds.

    Attributes:
        outcome: A promise that could not be looked at is neither kept nor broken.
        why: One sentence for a person.
        facts: The numbers behind it: JSON values.
    """

    outcome: Outcome
    why: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether it was looked at and is kept."""
        return self.outcome == "passed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something that is true of an asset whenever it is stored.

    Attributes:
        name: Says what is true.
        blocking: Whether nothing may be made from an asset that breaks it.
        judge: Takes the project and the name of an experiment. It may raise `CheckFailed`,
            `NotEvaluated` or `AssetMissing`.
        answers_for_the_file: Whether a stored value that cannot be read breaks this promise; the other promises of the
            asset cannot be looked at then.
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
    """Turn a function into the `Promise` that it judges: its name is the promise's, its docstring the description."""

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
    """Judge a promise for an experiment.

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


def passed(why: str, **facts: Any) -> CheckResult:
    """Return that a promise holds."""
    return CheckResult("passed", why, facts)


def check_result(mistakes: Sequence[object], why: str, /, **facts: Any) -> CheckResult:
    """Return passed because of ``why``, or failed with the first mistakes where there are any.

    Args:
        mistakes: What is wrong.
        why: The reason of a passed check.
        facts: The numbers behind it.
    """
    rest = len(mistakes) - _MOST_MISTAKES
    shown = [*mistakes[:_MOST_MISTAKES], f"and {rest} more"] if rest > 0 else mistakes
    if not mistakes:
        return passed(why, **facts)
    return CheckResult("failed", _joined(shown), {**facts, "mistakes": len(mistakes)})


def every_mistake(mistakes: Sequence[object], why: str, /, **facts: Any) -> CheckResult:
    """Return passed because of ``why``, or failed with every mistake, however many there are."""
    if not mistakes:
        return passed(why, **facts)
    return CheckResult("failed", _joined(mistakes), {**facts, "mistakes": len(mistakes)})


def _joined(mistakes: Sequence[object]) -> str:
    return "; ".join(map(str, mistakes))


def stored(project: Project, kind: type[Any], asset: str, experiment: str) -> Any:
    """Return the stored value of an asset.

    Raises:
        AssetMissing: It has not been made yet.
        ValueDamaged: Its files are not what the asset writes.
    """
    try:
        return project.read(kind, asset, experiment)
    except AssetDamaged as error:
        raise ValueDamaged(asset, str(error)) from error


def document(project: Project, asset: str, experiment: str) -> Any:
    """Return the stored JSON of an asset as it is, to be judged by rules of one's own; raises as `stored` does."""
    file = project.asset_folder(asset, experiment) / "value.json"
    if not file.parent.is_dir():
        raise AssetMissing(f"{asset} of {experiment} is not there yet: materialise it first")
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise _damaged(asset, experiment, error) from error


def _damaged(asset: str, experiment: str, error: Exception) -> ValueDamaged:
    reason = " ".join(str(error).split())[:300]
    return ValueDamaged(asset, f"the stored {asset} of {experiment} cannot be read, materialise it again: {reason}")
