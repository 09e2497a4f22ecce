"""The decision whether the source rows of an experiment have changed since they were read, by their content hash."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to run the experiment again from the dataset on, and the reason."""

    run: bool
    why: str


def decision(now: str, read: str | None, requested: str | None, under_way: bool) -> Decision:
    """Decide about one experiment.

    Args:
        now: Content hash of the source.
        read: Content hash when a run last started to read the source; None when no run has.
        requested: Content hash of the last run request for a change; None without one, or if a run has read it since.
        under_way: Whether a run of the experiment is requested, queued or running.
    """
    if under_way:
        return Decision(False, "a run of it is in progress")
    if read is None:
        return Decision(False, "no run has read its rows yet")
    if now == read:
        return Decision(False, "its rows have not changed since they were last read")
    if now == requested:
        return Decision(False, "a run was requested for these rows, but it never read them")
    return Decision(True, "its rows have changed")


def summary(decisions: Mapping[str, Decision], unreadable: Mapping[str, str], left: int) -> str:
    """Return the summary of a tick: the experiments whose rows changed, and the reasons for the others."""
    changed = [name for name, one in decisions.items() if one.run]
    reasons: dict[str, list[str]] = {}
    for name, one in decisions.items():
        if not one.run:
            reasons.setdefault(one.why, []).append(name)
    parts = [f"the rows of {', '.join(changed)} have changed"] if changed else []
    parts += [f"{why}: {_named(names)}" for why, names in sorted(reasons.items())]
    parts += [f"not evaluated at {name}: {why}" for name, why in sorted(unreadable.items())]
    if left:
        parts.append(f"{left} experiments are left for the next scan")
    return "; ".join(parts) or "there is no experiment to scan"


def _named(names: list[str], most: int = 5) -> str:
    return ", ".join(names) if len(names) <= most else f"{len(names)} experiments"
