"""A trial that this process runs, with the changes that are not in the database yet."""

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
    """A trial and its unwritten changes.

    Optuna may keep a reference to a trial it received, so ``trial`` is replaced by a changed copy and never mutated.
    ``lock`` is held while ``pending`` is written, so that the changes are written in order.
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
        """Return a copy of the trial that ended with this state and these values, now."""
        trial = copy.copy(self.trial)
        trial.state = state
        trial.datetime_complete = datetime.now()
        if values is not None:
            trial.values = [float(value) for value in values]
        return trial

    def mark_written(self, now: float) -> None:
        """Record that all pending changes have been written."""
        self.pending = Contents()
        self.written_at = now
        self.was_written = True
