"""Trials that did not come to their end: each is tried again exactly once, with the configuration that it had.

A configuration may run out of time any number of times, but of its processes no more than two may die: it could be what
they die of. Then it has failed, and counts.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from e2i_assets.core.search.trials import ORIGIN, WAS_INTERRUPTED_BEFORE, record_of

if TYPE_CHECKING:
    import optuna

RETRY_OF = "retry_of"
_KEPT = ("pattern_id", "similarity", WAS_INTERRUPTED_BEFORE)


def recovered(study: "optuna.Study", abandoned: Iterable[int]) -> None:
    """Mark the trials of dead processes failed, and queue them again.

    In this order, and never a trial whose process came back and ended it at the last moment: killed in between, nothing
    is lost, as everybody who recovers queues what was not.

    Args:
        study: The study.
        abandoned: Numbers of running trials whose process is dead. Two processes that recover the same study at the
            same moment must take turns: the caller holds the lock that makes them.
    """
    import optuna

    numbers = set(abandoned)
    for trial in study.get_trials(deepcopy=False):
        if trial.number in numbers:
            with suppress(optuna.exceptions.UpdateFinishedTrialError):
                # Not by study.tell: no sampler needs to see a dead trial, and a grid's would try to stop the study.
                study._storage.set_trial_state_values(trial._trial_id, optuna.trial.TrialState.FAIL)
    queue_unfinished(study)


def queue_unfinished(study: "optuna.Study") -> None:
    """Queue those trials again that an earlier call ended because its time was up, or because it was interrupted."""
    for trial in unfinished(study):
        _queue_again(study, trial)


def unfinished(study: "optuna.Study") -> "list[optuna.trial.FrozenTrial]":
    """Return the trials that did not come to their end and are not queued again yet."""
    trials = study.get_trials(deepcopy=False)
    again = {trial.user_attrs.get(RETRY_OF) for trial in trials}
    return [
        trial
        for trial in trials
        if trial.state.is_finished() and trial.number not in again and _values(trial) and not record_of(trial).counts
    ]


def _values(trial: "optuna.trial.FrozenTrial") -> dict[str, Any]:
    """Return what was queued for a trial and what it drew: what it would have fitted."""
    return {**trial.system_attrs.get("fixed_params", {}), **trial.params}


def _queue_again(study: "optuna.Study", trial: "optuna.trial.FrozenTrial") -> None:
    # What came with it stays with it: a warm start's pattern is still the one that proposed the configuration.
    kept = {key: value for key, value in trial.user_attrs.items() if key in _KEPT}
    if record_of(trial).was_interrupted:
        kept[WAS_INTERRUPTED_BEFORE] = True
    study.enqueue_trial(_values(trial), user_attrs={**kept, ORIGIN: "retry", RETRY_OF: trial.number})
