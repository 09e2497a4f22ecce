"""The trials of a study as this process knows them; what has finished is never read again."""

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
    """What is known of a study's trials: those that run here, ahead of the database, and those of all others."""

    def __init__(self, database: Database, study: reads.Study) -> None:
        self._database = database
        self._study = study
        self._lock = threading.RLock()
        self._here: dict[int, RunningTrial] = {}
        self._others: dict[int, FrozenTrial] = {}
        self._versions: dict[int, str] = {}
        self._distributions: dict[str, BaseDistribution] = {}
        self._last_id = -1
        self.refreshed_at = 0.0

    def refresh(self) -> None:
        """Learn what other processes have done since: one query, and a second one if there is anything."""
        with self._lock:
            retry_transient(self._read)

    def _read(self) -> None:
        with self._database.connect() as connection:
            found = reads.changes(connection, self._study, self._last_id, self._versions)
            news = {one.trial_id: one.version for one in found if self._is_news(one)}
            loaded = reads.trials(connection, self._study, news) if news else []
            for trial in loaded:
                self._learn(trial, news[trial._trial_id])
            self._last_id = max([self._last_id, *(one.trial_id for one in found)])
            self.refreshed_at = time.monotonic()

    def _is_news(self, change: reads.Change) -> bool:
        if change.trial_id in self._here or self._versions.get(change.trial_id) == change.version:
            return False
        known = self._others.get(change.trial_id)
        return known is None or not known.state.is_finished()

    def _learn(self, trial: FrozenTrial, version: str) -> None:
        self._others[trial._trial_id] = trial
        if trial.state.is_finished():
            self._versions.pop(trial._trial_id, None)
        else:
            self._versions[trial._trial_id] = version
        for name, distribution in trial.distributions.items():
            self._distributions.setdefault(name, distribution)

    def started(self, trial: FrozenTrial) -> None:
        """Take a trial in that runs here from now on."""
        with self._lock:
            self._here[trial._trial_id] = RunningTrial(trial, time.monotonic())
            self._others.pop(trial._trial_id, None)
            self._versions.pop(trial._trial_id, None)

    def ended(self, trial: FrozenTrial) -> None:
        """Take a trial in that has ended, wherever it ran."""
        with self._lock:
            self._here.pop(trial._trial_id, None)
            self._learn(trial, "")

    def lost(self, trial_id: int) -> None:
        """Take note that a trial did not end as it would have here: another process was faster."""
        with self._lock:
            self._here.pop(trial_id, None)
            self._others.pop(trial_id, None)
            self._versions[trial_id] = ""

    def here(self) -> list[RunningTrial]:
        """The trials that run here."""
        with self._lock:
            return list(self._here.values())

    def running_here(self, trial_id: int) -> RunningTrial:
        """Return a trial that runs here.

        Raises:
            KeyError: There is no such trial.
            UpdateFinishedTrialError: It has ended.
            RuntimeError: It runs in another process, or waits to be claimed.
        """
        with self._lock:
            if running := self._here.get(trial_id):
                return running
        trial = self.trial(trial_id)
        if trial.state.is_finished():
            raise UpdateFinishedTrialError(f"Trial#{trial.number} has already finished and can not be updated.")
        raise RuntimeError(f"Trial#{trial.number} is {trial.state.name} and was not claimed by this process.")

    def running(self, trial_id: int) -> RunningTrial:
        """Return a trial that has not ended, wherever it runs: in another process it may be ended from here."""
        with self._lock:
            return self._here.get(trial_id) or RunningTrial(self.trial(trial_id), time.monotonic())

    def numbered(self, number: int) -> FrozenTrial | None:
        """Return the trial of a number."""
        found = next((trial for trial in self.trials(None) if trial.number == number), None)
        if found is None:
            self.refresh()
            found = next((trial for trial in self.trials(None) if trial.number == number), None)
        return found

    def trial(self, trial_id: int) -> FrozenTrial:
        """Return a trial as it is.

        Raises:
            KeyError: There is no such trial.
        """
        with self._lock:
            known = self._here[trial_id].trial if trial_id in self._here else self._others.get(trial_id)
            if known is None or (trial_id not in self._here and not known.state.is_finished()):
                self.refresh()
                known = self._others.get(trial_id)
            if known is None:
                raise KeyError(f"No trial with trial_id {trial_id} exists.")
            return known

    def trials(self, states: Container[TrialState] | None) -> list[FrozenTrial]:
        """Return the trials that are known, in their order."""
        with self._lock:
            known = [*self._others.values(), *(running.trial for running in self._here.values())]
        chosen = known if states is None else [trial for trial in known if trial.state in states]
        return sorted(chosen, key=lambda trial: trial.number)

    def require_compatible(self, name: str, distribution: BaseDistribution) -> None:
        """Raise ValueError when a parameter was drawn from another kind of distribution before."""
        with self._lock:
            previous = self._distributions.setdefault(name, distribution)
        check_distribution_compatibility(previous, distribution)
