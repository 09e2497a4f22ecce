"""What a promise of an asset is, and how it is judged: on what is stored, never on what was computed just now."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from e2i_assets.adapters.asset_files import AssetDamaged, AssetMissing
from e2i_assets.adapters.workspace import Workspace
from e2i_assets.core.errors import E2iError

Outcome = Literal["holds", "broken", "could not look"]
Severity = Literal["ERROR", "WARN"]
_MOST_MISTAKES = 5


class CouldNotLook(E2iError):
    """There is nothing to judge a promise on."""


class ValueDamaged(CouldNotLook):
    """A stored value that is not what its asset writes."""

    def __init__(self, asset: str, message: str) -> None:
        self.asset = asset
        super().__init__(message)


class PromiseBroken(E2iError):
    """A promise that is broken before it comes to details: what it is about is not there."""


@dataclass(frozen=True, slots=True)
class Verdict:
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
    def holds(self) -> bool:
        """Whether it was looked at and is kept."""
        return self.outcome == "holds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """Something that is true of an asset whenever it is stored.

    Attributes:
        name: Says what is true.
        blocking: Whether nothing may be made from an asset that breaks it.
        judge: Takes the project and the name of an experiment. It may raise `PromiseBroken`,
            `CouldNotLook` or `AssetMissing`.
        answers_for_the_file: Whether a stored value that cannot be read breaks this promise; the other promises of the
            asset cannot be looked at then.
    """

    asset: str
    name: str
    description: str
    judge: Callable[[Workspace, str], Verdict]
    blocking: bool = False
    severity: Severity = "ERROR"
    answers_for_the_file: bool = False


def judged(promise: Promise, workspace: Workspace, experiment: str) -> Verdict:
    """Judge a promise for an experiment.

    Raises:
        E2iError: The experiment is not registered, or the database does not answer.
    """
    try:
        return promise.judge(workspace, experiment)
    except ValueDamaged as damaged:
        own = promise.answers_for_the_file and damaged.asset == promise.asset
        return Verdict("broken" if own else "could not look", str(damaged))
    except (AssetMissing, CouldNotLook) as reason:
        return Verdict("could not look", str(reason))
    except PromiseBroken as reason:
        return Verdict("broken", str(reason))


def held(why: str, **facts: Any) -> Verdict:
    """Return that a promise holds."""
    return Verdict("holds", why, facts)


def verdict(mistakes: Sequence[object], why: str, **facts: Any) -> Verdict:
    """Return that a promise holds because of ``why``, unless there are mistakes: then these are the reason."""
    if not mistakes:
        return held(why, **facts)
    shown = [str(mistake) for mistake in mistakes[:_MOST_MISTAKES]]
    rest = [f"and {len(mistakes) - _MOST_MISTAKES} more"] if len(mistakes) > _MOST_MISTAKES else []
    return Verdict("broken", "; ".join([*shown, *rest]), {**facts, "mistakes": len(mistakes)})


def stored(workspace: Workspace, kind: type[Any], asset: str, experiment: str) -> Any:
    """Return the stored value of an asset.

    Raises:
        AssetMissing: It has not been made yet.
        ValueDamaged: Its files are not what the asset writes.
    """
    try:
        return workspace.read(kind, asset, experiment)
    except AssetDamaged as error:
        raise ValueDamaged(asset, str(error)) from error


def document(workspace: Workspace, asset: str, experiment: str) -> Any:
    """Return the stored JSON of an asset as it is, to be judged by rules of one's own; raises as `stored` does."""
    file = workspace.asset_folder(asset, experiment) / "value.json"
    if not file.parent.is_dir():
        raise AssetMissing(f"{asset} of {experiment} is not there yet: materialise it first")
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise _damaged(asset, experiment, error) from error


def _damaged(asset: str, experiment: str, error: Exception) -> ValueDamaged:
    reason = " ".join(str(error).split())[:300]
    return ValueDamaged(asset, f"the stored {asset} of {experiment} cannot be read, materialise it again: {reason}")
