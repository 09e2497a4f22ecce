"""Proposals: configurations that a study tries before its sampler starts, chosen one by one from the results so far."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from e2i_assets.core.search.trials import ORIGIN, Origin

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration to try before the sampler starts, with its origin and the attributes of its trial."""

    values: dict[str, Any]
    origin: Origin
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tried:
    """A configuration of a finished, running or queued trial.

    Attributes:
        values: The sampled or queued parameter values.
        value: Value of the first goal, higher is better; None unless the trial completed.
        was_pruned: Whether the trial was pruned.
    """

    values: Mapping[str, Any]
    value: float | None = None
    was_pruned: bool = False

    def is_of(self, values: Mapping[str, Any]) -> bool:
        """Return whether this is the configuration ``values``; parameters missing there may have any value."""
        return all(name in self.values and self.values[name] == value for name, value in values.items())


# Called with all tried configurations and the value of the defaults; returns the next proposal, or None to end.
Proposer = Callable[[Sequence[Tried], float | None], Proposal | None]


def in_order(proposals: Sequence[Proposal]) -> Proposer:
    """Return a proposer of these configurations in order; it skips those that were tried already."""

    def following(tried: Sequence[Tried], default_value: float | None) -> Proposal | None:
        untried = (proposal for proposal in proposals if not any(one.is_of(proposal.values) for one in tried))
        return next(untried, None)

    return following


NOTHING = in_order(())


class Proposals:
    """Keeps one proposal queued for each trial that can start; a callback of `optuna.Study.optimize`.

    Args:
        proposer: Returns the next configuration to try.
        ahead: Number of trials that can run at a time.
        default_value: Reads the value of the algorithm's defaults from the study.
    """

    def __init__(self, proposer: Proposer, ahead: int, default_value: Callable[["optuna.Study"], float | None]) -> None:
        self._proposer = proposer
        self._ahead = ahead
        self._default_value = default_value
        self._lock = threading.Lock()
        self._has_ended = False

    def __call__(self, study: "optuna.Study", trial: "optuna.trial.FrozenTrial") -> None:
        """Queue the next proposals after a finished trial."""
        self.queue(study)

    def queue(self, study: "optuna.Study") -> None:
        """Queue proposals until ``ahead`` trials wait, or the proposer has no more."""
        with self._lock:  # two threads that finish a trial at the same time must not queue the same proposal
            if self._has_ended:  # most trials run after the last proposal: skip the read of all trials for them
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
