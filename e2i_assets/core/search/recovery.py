"""Recovery of unfinished trials: each is queued again exactly once, with the same configuration.

A configuration may reach the time limit any number of times. When two processes have died while they ran it, it counts
as a failed trial of the budget, because it may be the cause.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from e2i_assets.core.search.trials import ORIGIN, WAS_INTERRUPTED_BEFORE, record_of

if TYPE_CHECKING:
    import optuna

RETRY_OF = "retry_of"
_KEPT_ATTRIBUTES = ("pattern_id", "similarity", WAS_INTERRUPTED_BEFORE)


def recovered(study: "optuna.Study", abandoned: Iterable[int]) -> None:
    """Mark the trials of dead processes as failed, then queue them again.

    A trial that its process finished in the meantime keeps its result. If this process is killed between the two steps,
    the next recovery queues the trials that are not queued yet.

    Args:
        study: The study.
        abandoned: Numbers of running trials whose process is dead. The caller holds a lock, because two processes must
            not recover the same study at the same time.
    """
    import optuna

    numbers = set(abandoned)
    for trial in study.get_trials(deepcopy=False):
        if trial.number in numbers:
            with suppress(optuna.exceptions.UpdateFinishedTrialError):
                # Not study.tell: it calls the sampler, and a GridSampler would then try to stop the study.
                study._storage.set_trial_state_values(trial._trial_id, optuna.trial.TrialState.FAIL)
    queue_unfinished(study)


def queue_unfinished(study: "optuna.Study") -> None:
    """Queue again the trials that were ended by the time limit or by the death of their process."""
    for trial in unfinished(study):
        _queue_again(study, trial)


def unfinished(study: "optuna.Study") -> "list[optuna.trial.FrozenTrial]":
    """Return the unfinished trials that are not queued again yet."""
    trials = study.get_trials(deepcopy=False)
    requeued = {trial.user_attrs.get(RETRY_OF) for trial in trials}
    return [
        trial
        for trial in trials
        if trial.state.is_finished() and trial.number not in requeued and _values(trial) and not record_of(trial).counts
    ]


def _values(trial: "optuna.trial.FrozenTrial") -> dict[str, Any]:
    """Return the queued and the sampled values of a trial: the configuration that it would have fitted."""
    return {**trial.system_attrs.get("fixed_params", {}), **trial.params}


def _queue_again(study: "optuna.Study", trial: "optuna.trial.FrozenTrial") -> None:
    # The attributes stay with the configuration: its origin is still the pattern of the warm start.
    attributes = {key: value for key, value in trial.user_attrs.items() if key in _KEPT_ATTRIBUTES}
    if record_of(trial).was_interrupted:
        attributes[WAS_INTERRUPTED_BEFORE] = True
    study.enqueue_trial(_values(trial), user_attrs={**attributes, ORIGIN: "retry", RETRY_OF: trial.number})
