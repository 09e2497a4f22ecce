"""Whether the rows behind an experiment are others than those that were read: judged by content alone."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to make everything from the dataset on again, and why."""

    run: bool
    why: str


def decision(now: str, read: str | None, asked: str | None, under_way: bool) -> Decision:
    """Decide about one experiment.

    Args:
        now: What its source holds.
        read: What it held when a run last set out to read it; None when none did.
        asked: What it held when a run was last asked for because of it; None when none was, or one has read it since.
        under_way: Whether a run of it is asked for, waits or goes on.
    """
    if under_way:
        return Decision(False, "a run of it is under way")
    if read is None:
        return Decision(False, "nothing has read its rows yet")
    if now == read:
        return Decision(False, "the rows are those that were read last")
    if now == asked:
        return Decision(False, "a run was asked for because of these rows, and never read them")
    return Decision(True, "its rows have changed")


def summary(decisions: Mapping[str, Decision], unreadable: Mapping[str, str], left: int) -> str:
    """Return what a tick says for itself: which rows changed, else why nothing is to do."""
    changed = [name for name, one in decisions.items() if one.run]
    whys: dict[str, list[str]] = {}
    for name, one in decisions.items():
        if not one.run:
            whys.setdefault(one.why, []).append(name)
    parts = [f"the rows of {', '.join(changed)} have changed"] if changed else []
    parts += [f"{why}: {_named(names)}" for why, names in sorted(whys.items())]
    parts += [f"not evaluated at {name}: {why}" for name, why in sorted(unreadable.items())]
    if left:
        parts.append(f"{left} experiments are left for the next look")
    return "; ".join(parts) or "there is no experiment to look at"


def _named(names: list[str], most: int = 5) -> str:
    return ", ".join(names) if len(names) <= most else f"{len(names)} experiments"
