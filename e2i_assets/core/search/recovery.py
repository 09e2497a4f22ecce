"""Trials that did not come to their end: each is tried again exactly once, with the configuration that it had."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from e2i_assets.core.search.trials import ORIGIN, record_of

if TYPE_CHECKING:
    import optuna

RETRY_OF = "retry_of"


def recovered(study: "optuna.Study", abandoned: Iterable[int]) -> None:
    """Queue the trials of dead processes again and mark them failed, in this order: killed in between, nothing is lost.

    Args:
        study: The study.
        abandoned: Numbers of running trials whose process is dead. Two processes that recover the same study at the
            same moment must take turns: the caller holds the lock that makes them.
    """
    import optuna

    numbers = set(abandoned)
    for trial in study.get_trials(deepcopy=False):
        if trial.number in numbers:
            _queue_again(study, trial)
            # Not through study.tell: no sampler needs to see a dead trial, and a grid's would try to stop the study.
            study._storage.set_trial_state_values(trial._trial_id, optuna.trial.TrialState.FAIL)


def queue_unfinished(study: "optuna.Study") -> None:
    """Queue those trials again that an earlier call ended because its time was up, or because it was interrupted."""
    for trial in study.get_trials(deepcopy=False):
        if trial.state.is_finished() and not record_of(trial).counts:
            _queue_again(study, trial)


def _queue_again(study: "optuna.Study", trial: "optuna.trial.FrozenTrial") -> None:
    # What was queued for it is what it would have fitted, also where it had not drawn it yet.
    values = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
    if not values or any(other.user_attrs.get(RETRY_OF) == trial.number for other in study.get_trials(False)):
        return
    # What came with it stays with it: a warm start's pattern is still the one that proposed the configuration.
    kept = {key: value for key, value in trial.user_attrs.items() if key in ("pattern_id", "similarity")}
    study.enqueue_trial(values, user_attrs={**kept, ORIGIN: "retry", RETRY_OF: trial.number})
