"""Decisions about the current experiments: which to register, to run or to retire, and the keys of their runs."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

Step = Literal["run", "register", "retire", "nothing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The stored state of an experiment.

    Attributes:
        spec_hash: Hash of its registered content; None when it is not registered.
        requested_hash: Hash of the content for which a run was last requested; None when none was.
        active: Whether it is active.
        from_file: Whether it ever came from a file. Otherwise a user wrote its row into the table.
    """

    spec_hash: str | None = None
    requested_hash: str | None = None
    active: bool = False
    from_file: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The current content of an experiment, from its file or its row.

    Attributes:
        spec_hash: Hash of the whole content.
        run_hash: Hash of the content that affects a run.
    """

    spec_hash: str
    run_hash: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The step for one experiment, and the reason."""

    step: Step
    why: str


def decision(found: Found | None, invalid: bool, known: Known) -> Decision:
    """Decide about one experiment.

    Args:
        found: The content of its file or its row; None when there is none, or none that can be read.
        invalid: Whether its file is invalid.
        known: The stored state.
    """
    if invalid:
        return Decision("nothing", "its file is not valid: the registered experiment stays unchanged")
    if found is None:
        if known.active and known.from_file:
            return Decision("retire", "its file is gone")
        return Decision("nothing", "it has no file" if known.active else "it is retired")
    if known.requested_hash is None:
        return Decision("run", "it is new")
    if known.requested_hash != found.run_hash:
        return Decision("run", "it was changed")
    if not known.active:
        return Decision("register", "its file is back, unchanged")
    if known.spec_hash != found.spec_hash or not known.from_file:
        return Decision("register", "the change does not affect its runs")
    return Decision("nothing", "it has not changed since its last run request")


def run_key(experiment: str, cause: str, content_hash: str, earlier: int) -> str:
    """Return the run key of a request; Dagster never starts a second run with the same key.

    Args:
        experiment: Its name.
        cause: The cause of the request.
        content_hash: Hash of the requested content.
        earlier: Number of earlier requests for this experiment and cause. With it, content that is changed and changed
            back gets a new key.
    """
    return f"{cause}:{experiment}:{content_hash[:16]}:{earlier}"


def summary(steps: Mapping[str, Decision], invalid: Mapping[str, str], waiting: Collection[str]) -> str:
    """Return the summary of a tick: its steps, or the reason why there are none."""
    named: dict[Step, list[str]] = {}
    for name, one in steps.items():
        named.setdefault(one.step, []).append(f"{name} ({one.why})")
    parts = [
        f"{verb} {_few(named[step])}"
        for step, verb in (("run", "to run:"), ("register", "registered:"), ("retire", "retired:"))
        if step in named
    ]
    if waiting and "run" not in named:
        parts.append(f"requested and not started yet: {_few(sorted(waiting))}")
    if not parts:
        parts.append(f"nothing to do: none of {len(steps)} experiments has changed")
    if invalid:
        parts.append("not valid: " + "; ".join(f"{path}: {why}" for path, why in sorted(invalid.items())))
    return "; ".join(parts)


def _few(names: list[str], most: int = 5) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
