"""A trial that this process runs: what is known of it here, ahead of what the database holds."""

import copy
import json
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.trial import FrozenTrial, TrialState

from e2i_assets.adapters.optuna_storage.contents import Contents


class RunningTrial:
    """A trial and what of it is still to be written.

    Optuna may keep a trial that it was given: so ``trial`` is replaced by a changed copy and never changed itself.
    ``lock`` is held while what is ``pending`` is written, so that no part of it overtakes another.
    """

    def __init__(self, trial: FrozenTrial, now: float) -> None:
        self.trial = trial
        self.lock = threading.RLock()
        self.written_at = now
        self.was_written = False
        self.pending = Contents()

    def set_param(self, name: str, internal: float, distribution: BaseDistribution) -> None:
        with self.lock:
            trial = copy.copy(self.trial)
            trial.params = {**trial.params, name: distribution.to_external_repr(internal)}
            trial.distributions = {**trial.distributions, name: distribution}
            self.pending.params[name] = (internal, distribution_to_json(distribution))
            self.trial = trial

    def report(self, step: int, value: float) -> None:
        with self.lock:
            trial = copy.copy(self.trial)
            trial.intermediate_values = {**trial.intermediate_values, step: value}
            self.pending.reports[step] = value
            self.trial = trial

    def set_user_attr(self, key: str, value: Any) -> None:
        with self.lock:
            trial, text = copy.copy(self.trial), json.dumps(value)
            trial.user_attrs = {**trial.user_attrs, key: json.loads(text)}
            self.pending.user_attrs[key] = text
            self.trial = trial

    def set_system_attr(self, key: str, value: Any) -> None:
        with self.lock:
            trial, text = copy.copy(self.trial), json.dumps(value)
            trial.system_attrs = {**trial.system_attrs, key: json.loads(text)}
            self.pending.system_attrs[key] = text
            self.trial = trial

    def ended(self, state: TrialState, values: Sequence[float] | None) -> FrozenTrial:
        """Return the trial as it is once it has ended like this, now."""
        trial = copy.copy(self.trial)
        trial.state = state
        trial.datetime_complete = datetime.now()
        if values is not None:
            trial.values = [float(value) for value in values]
        return trial

    def saved(self, now: float) -> None:
        """Take note that all that was pending has been written."""
        self.pending = Contents()
        self.written_at = now
        self.was_written = True
