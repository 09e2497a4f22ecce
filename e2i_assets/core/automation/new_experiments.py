"""What follows from the experiments that there are today: which become partitions, which are to run, which retire."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

Step = Literal["run", "register", "retire", "nothing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is on record of an experiment.

    Attributes:
        spec_hash: Of all that is registered of it; None when it is not registered.
        asked_hash: Of what a run was last asked for; None when none was.
        active: Whether it is in use.
        from_file: Whether it ever came from a file. One that did not is a row that somebody wrote.
    """

    spec_hash: str | None = None
    asked_hash: str | None = None
    active: bool = False
    from_file: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An experiment as its file, or its row, says today.

    Attributes:
        spec_hash: Of everything in it.
        run_hash: Of everything in it that a run would act on.
    """

    spec_hash: str
    run_hash: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about one experiment, and why."""

    step: Step
    why: str


def decision(found: Found | None, invalid: bool, known: Known) -> Decision:
    """Decide about one experiment.

    Args:
        found: What its file, or its row, says; None where there is none, or none that can be read.
        invalid: Whether there is a file that cannot be read.
        known: What is on record.
    """
    if invalid:
        return Decision("nothing", "its file is not valid: what is registered stays as it is")
    if found is None:
        if known.active and known.from_file:
            return Decision("retire", "its file is gone")
        return Decision("nothing", "it has no file" if known.active else "it is retired")
    if known.asked_hash is None:
        return Decision("run", "it is new")
    if known.asked_hash != found.run_hash:
        return Decision("run", "it was changed")
    if not known.active:
        return Decision("register", "it is back, as it was")
    if known.spec_hash != found.spec_hash or not known.from_file:
        return Decision("register", "what changed in it is for people, and no run would differ")
    return Decision("nothing", "it is as it was when its run was asked for")


def run_key(experiment: str, cause: str, content_hash: str, earlier: int) -> str:
    """Return the key of a run: Dagster never runs one twice.

    Args:
        experiment: Its name.
        cause: Why it is asked for.
        content_hash: Identity of what it is asked for.
        earlier: How many runs were asked for before, for this experiment and cause: what is changed and changed back
            is asked for again.
    """
    return f"{cause}:{experiment}:{content_hash[:16]}:{earlier}"


def summary(steps: Mapping[str, Decision], invalid: Mapping[str, str], waiting: Collection[str]) -> str:
    """Return what a tick says for itself: what it did, and otherwise why it did nothing."""
    named: dict[Step, list[str]] = {}
    for name, one in steps.items():
        named.setdefault(one.step, []).append(f"{name} ({one.why})")
    parts = [
        f"{verb} {_few(named[step])}"
        for step, verb in (("run", "to run:"), ("register", "registered:"), ("retire", "retired:"))
        if step in named
    ]
    if waiting and "run" not in named:
        parts.append(f"asked for and not started yet: {_few(sorted(waiting))}")
    if not parts:
        parts.append(f"nothing to do: none of {len(steps)} experiments has changed")
    if invalid:
        parts.append("not valid: " + "; ".join(f"{path}: {why}" for path, why in sorted(invalid.items())))
    return "; ".join(parts)


def _few(names: list[str], most: int = 5) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
