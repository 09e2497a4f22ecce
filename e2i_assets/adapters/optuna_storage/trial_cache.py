"""Cache of the trials of a study in this process; finished trials are never read again."""

import threading
import time
from collections.abc import Container

from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from e2i_assets.adapters.optuna_storage import reads
from e2i_assets.adapters.optuna_storage.retrying import retry_transient
from e2i_assets.adapters.optuna_storage.running_trial import RunningTrial
from e2i_assets.adapters.postgres.database import Database


class TrialCache:
    """The known trials of a study: those that run in this process, ahead of the database, and all others."""

    def __init__(self, database: Database, study: reads.Study) -> None:
        self._database = database
        self._study = study
        self._lock = threading.RLock()
        self._own: dict[int, RunningTrial] = {}
        self._others: dict[int, FrozenTrial] = {}
        self._versions: dict[int, str] = {}
        self._distributions: dict[str, BaseDistribution] = {}
        self._last_id = -1
        self.refreshed_at = 0.0

    def refresh(self) -> None:
        """Read the changes of other processes: one query, and a second one if there are changes."""
        with self._lock:
            retry_transient(self._read)

    def _read(self) -> None:
        with self._database.connect() as connection:
            found = reads.changes(connection, self._study, self._last_id, self._versions)
            changed = {one.trial_id: one.version for one in found if self._has_changed(one)}
            loaded = reads.trials(connection, self._study, changed) if changed else []
            for trial in loaded:
                self._store(trial, changed[trial._trial_id])
            self._last_id = max([self._last_id, *(one.trial_id for one in found)])
            self.refreshed_at = time.monotonic()

    def _has_changed(self, change: reads.Change) -> bool:
        if change.trial_id in self._own or self._versions.get(change.trial_id) == change.version:
            return False
        known = self._others.get(change.trial_id)
        return known is None or not known.state.is_finished()

    def _store(self, trial: FrozenTrial, version: str) -> None:
        self._others[trial._trial_id] = trial
        if trial.state.is_finished():
            self._versions.pop(trial._trial_id, None)
        else:
            self._versions[trial._trial_id] = version
        for name, distribution in trial.distributions.items():
            self._distributions.setdefault(name, distribution)

    def started(self, trial: FrozenTrial) -> None:
        """Add a trial that runs in this process from now on."""
        with self._lock:
            self._own[trial._trial_id] = RunningTrial(trial, time.monotonic())
            self._others.pop(trial._trial_id, None)
            self._versions.pop(trial._trial_id, None)

    def ended(self, trial: FrozenTrial) -> None:
        """Add a trial that has ended, in whichever process it ran."""
        with self._lock:
            self._own.pop(trial._trial_id, None)
            self._store(trial, "")

    def discard(self, trial_id: int) -> None:
        """Discard a trial that another process has ended first; its stored state is read at the next refresh."""
        with self._lock:
            self._own.pop(trial_id, None)
            self._others.pop(trial_id, None)
            self._versions[trial_id] = ""

    def own_trials(self) -> list[RunningTrial]:
        """Return the trials that run in this process."""
        with self._lock:
            return list(self._own.values())

    def own_trial(self, trial_id: int) -> RunningTrial:
        """Return a trial that runs in this process.

        Raises:
            KeyError: The trial does not exist.
            UpdateFinishedTrialError: The trial has ended.
            RuntimeError: The trial runs in another process or is waiting.
        """
        with self._lock:
            if running := self._own.get(trial_id):
                return running
        trial = self.trial(trial_id)
        if trial.state.is_finished():
            raise UpdateFinishedTrialError(f"Trial#{trial.number} has already finished and can not be updated.")
        raise RuntimeError(f"Trial#{trial.number} is {trial.state.name} and was not claimed by this process.")

    def running(self, trial_id: int) -> RunningTrial:
        """Return a trial that has not ended, also if another process runs it: this process may end it."""
        with self._lock:
            return self._own.get(trial_id) or RunningTrial(self.trial(trial_id), time.monotonic())

    def by_number(self, number: int) -> FrozenTrial | None:
        """Return the trial with a number, or None."""
        found = next((trial for trial in self.trials(None) if trial.number == number), None)
        if found is None:
            self.refresh()
            found = next((trial for trial in self.trials(None) if trial.number == number), None)
        return found

    def trial(self, trial_id: int) -> FrozenTrial:
        """Return the current state of a trial.

        Raises:
            KeyError: The trial does not exist.
        """
        with self._lock:
            known = self._own[trial_id].trial if trial_id in self._own else self._others.get(trial_id)
            if known is None or (trial_id not in self._own and not known.state.is_finished()):
                self.refresh()
                known = self._others.get(trial_id)
            if known is None:
                raise KeyError(f"No trial with trial_id {trial_id} exists.")
            return known

    def trials(self, states: Container[TrialState] | None) -> list[FrozenTrial]:
        """Return the known trials in these states, or all if None, ordered by number."""
        with self._lock:
            known = [*self._others.values(), *(running.trial for running in self._own.values())]
        chosen = known if states is None else [trial for trial in known if trial.state in states]
        return sorted(chosen, key=lambda trial: trial.number)

    def require_compatible(self, name: str, distribution: BaseDistribution) -> None:
        """Raise ValueError if the parameter was drawn from another kind of distribution before."""
        with self._lock:
            previous = self._distributions.setdefault(name, distribution)
        check_distribution_compatibility(previous, distribution)
