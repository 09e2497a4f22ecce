"""What a study tries before its sampler draws: asked for one configuration at a time, so that results can steer it."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from e2i_assets.core.search.trials import ORIGIN, Origin

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration to try before the sampler draws its own, and who proposes it."""

    values: dict[str, Any]
    origin: Origin
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tried:
    """A configuration that a study has tried, tries or is about to try.

    Attributes:
        values: What was drawn, or what is queued.
        value: What it came to, higher is better; None while nobody knows, and for a failure.
        was_pruned: Whether it was cut short as worse than its peers.
    """

    values: Mapping[str, Any]
    value: float | None = None
    was_pruned: bool = False

    def is_of(self, values: Mapping[str, Any]) -> bool:
        """Return whether it is this configuration; what that leaves open may be anything."""
        return all(name in self.values and self.values[name] == value for name, value in values.items())


# Told everything that was tried and the value of the defaults, it returns what to try next; None ends the proposals.
Proposer = Callable[[Sequence[Tried], float | None], Proposal | None]


def in_order(proposals: Sequence[Proposal]) -> Proposer:
    """Return what proposes each of these that was not tried yet, in their order."""

    def following(tried: Sequence[Tried], default_value: float | None) -> Proposal | None:
        left = (one for one in proposals if not any(other.is_of(one.values) for other in tried))
        return next(left, None)

    return following


NOTHING = in_order(())


class Proposals:
    """Keeps so many proposals queued as trials can start at once; a callback of `optuna.Study.optimize`.

    Args:
        proposer: Says what to try next.
        ahead: Trials that can start before one ends.
        default_value: Reads what the defaults came to, from the study.
    """

    def __init__(self, proposer: Proposer, ahead: int, default_value: Callable[["optuna.Study"], float | None]) -> None:
        self._proposer = proposer
        self._ahead = ahead
        self._default_value = default_value
        self._turn = threading.Lock()
        self._has_ended = False

    def __call__(self, study: "optuna.Study", trial: "optuna.trial.FrozenTrial") -> None:
        """Queue what follows from a finished trial."""
        self.queue(study)

    def queue(self, study: "optuna.Study") -> None:
        """Queue proposals until as many wait as can start."""
        with self._turn:  # two threads that end a trial at once must not be told the same
            if self._has_ended:  # most of a study comes after the proposals: it must not pay for them trial by trial
                return
            trials = study.get_trials(deepcopy=False)
            tried = [_tried(trial) for trial in trials]
            waiting = sum(trial.state.name == "WAITING" for trial in trials)
            while waiting < self._ahead:
                proposal = self._proposer(tried, self._default_value(study))
                if proposal is None:
                    self._has_ended = True
                    return
                study.enqueue_trial(proposal.values, user_attrs={**proposal.attributes, ORIGIN: proposal.origin})
                tried.append(Tried(proposal.values))
                waiting += 1


def _tried(trial: "optuna.trial.FrozenTrial") -> Tried:
    values = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
    value = trial.values[0] if trial.state.name == "COMPLETE" else None
    return Tried(values, value, trial.state.name == "PRUNED")
