"""Optuna storage of one study: writes Optuna's tables and ours together, in few round trips per trial."""

import copy
import threading
import time
from collections.abc import Container, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from e2i_assets.adapters.optuna_storage import dead_workers, reads, writes
from e2i_assets.adapters.optuna_storage.contents import Contents
from e2i_assets.adapters.optuna_storage.retrying import TRANSIENT_ERRORS, retry_transient
from e2i_assets.adapters.optuna_storage.running_trial import RunningTrial
from e2i_assets.adapters.optuna_storage.study_level import StudyLevel
from e2i_assets.adapters.optuna_storage.trial_cache import TrialCache
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.core.search.trials import ORIGIN

WRITE_EVERY_SECONDS = 1.0
_UNFINISHED = (TrialState.RUNNING, TrialState.WAITING)


class StudyStorage(StudyLevel):
    """Stores one study in Optuna's tables and in ours, in the same transactions.

    The start and the end of a trial are durable when the call returns. The parameters and reports of a running trial
    are buffered here and written with the first report, then at most once a second, and at the end. Changes by other
    processes are visible whenever trials are requested; while a trial runs, a pruner sees trials that other processes
    finished at most one second late. Threads may share a storage; each process needs its own.

    Args:
        database: The database that holds both schemas.
        optuna_storage: Optuna's own storage of the same database, which handles the study-level methods.
        study_id: The study in our tables, which must exist.
        budget: Maximum number of finished and running trials over all processes; None for no limit.
        worker: The name of this process, from `worker` in `study_session`; it holds the lock of that name.
        coordinator: The process that this one works for; no trial is claimed here once it has ended the study.
    """

    def __init__(
        self,
        database: Database,
        optuna_storage: RDBStorage,
        study_id: str,
        budget: int | None = None,
        worker: str | None = None,
        coordinator: str | None = None,
    ) -> None:
        super().__init__(database, optuna_storage, study_id)
        self._name = worker
        self._claims = writes.Claims(worker, budget, coordinator)
        self._thread = threading.local()

    # Start and end of trials.

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        study, cache = self._study(study_id)
        trial = _new_trial() if template_trial is None else copy.deepcopy(template_trial)
        queued = retry_transient(lambda: self._create(study, trial, is_new=template_trial is None))
        if queued is not None:
            return queued
        if trial.state is TrialState.RUNNING:
            self._register(cache, trial)
        elif trial.state.is_finished():
            cache.ended(trial)
        return trial._trial_id

    def _create(self, study: reads.Study, trial: FrozenTrial, is_new: bool) -> int | None:
        """Insert a trial and set its id and number; return the id of an equal waiting trial instead, if there is one.

        If the connection is lost during the commit, the trial may exist all the same: as a running trial without a
        process, which the next recovery finds, or as a waiting trial, which this method finds when it is retried.
        """
        with self._database.begin() as connection:
            if is_new:
                trial._trial_id, trial.number = writes.create_new(connection, study, trial, self._claims)
            else:
                writes.lock(connection, study)
                if (queued := _queued_duplicate(connection, study, trial)) is not None:
                    return queued
                trial._trial_id, trial.number = writes.create_from(connection, study, trial, self._claims)
        return None

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        study, cache = self._study()
        if state is TrialState.RUNNING:
            return self._start(study, cache, trial_id)
        running = cache.running(trial_id)
        with running.lock:
            self.check_trial_is_updatable(trial_id, running.trial.state)
            trial = running.ended(state, values)
            try:
                retry_transient(lambda: self._end(study, trial, running.pending))
            except UpdateFinishedTrialError:
                cache.discard(trial_id)
                if not _has_same_result(cache.trial(trial_id), trial):
                    raise
            running.mark_written(time.monotonic())
            running.trial = trial
            cache.ended(trial)
        if getattr(self._thread, "trial_id", None) == trial_id:
            self._thread.trial_id = None
        return True

    def _end(self, study: reads.Study, trial: FrozenTrial, contents: Contents) -> None:
        with self._database.begin() as connection:
            writes.end(connection, study, trial, contents)

    def _start(self, study: reads.Study, cache: TrialCache, trial_id: int) -> bool:
        trial = copy.copy(cache.trial(trial_id))
        self.check_trial_is_updatable(trial_id, trial.state)
        if trial.state is not TrialState.WAITING:
            return False
        trial.state, trial.datetime_start = TrialState.RUNNING, datetime.now()
        if not retry_transient(lambda: self._claim_waiting(study, trial)):
            return False
        self._register(cache, trial)
        return True

    def _claim_waiting(self, study: reads.Study, trial: FrozenTrial) -> bool:
        with self._database.begin() as connection:
            return writes.start(connection, study, trial, self._claims)

    def _register(self, cache: TrialCache, trial: FrozenTrial) -> None:
        cache.started(trial)
        self._thread.trial_id = trial._trial_id

    # Running trials: buffered here, written at intervals.

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        cache = self._study()[1]
        running = cache.own_trial(trial_id)
        cache.require_compatible(param_name, distribution)
        running.set_param(param_name, param_value_internal, distribution)
        self._write_if_due(running)

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        running = self._study()[1].own_trial(trial_id)
        running.report(step, float(intermediate_value))
        # A trial that reports runs for a while: other processes should see its parameters.
        self._write_if_due(running, at_once=not running.was_written)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        running = self._study()[1].own_trial(trial_id)
        running.set_user_attr(key, value)
        self._write_if_due(running)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        running = self._study()[1].own_trial(trial_id)
        running.set_system_attr(key, value)
        self._write_if_due(running)

    def flush(self, older_than: float = 0.0) -> None:
        """Write the progress of the running trials whose last write is at least `older_than` seconds ago."""
        if self._bound is not None:
            for running in self._bound[1].own_trials():
                if time.monotonic() - running.written_at >= older_than:
                    self._write(running)

    def _write_if_due(self, running: RunningTrial, at_once: bool = False) -> None:
        if at_once or time.monotonic() - running.written_at >= WRITE_EVERY_SECONDS:
            with suppress(*TRANSIENT_ERRORS):  # stays pending: a fit does not wait for a database that is unavailable
                self._write(running)

    def _write(self, running: RunningTrial) -> None:
        with running.lock:
            if running.pending and running.trial.state is TrialState.RUNNING:
                with self._database.begin() as connection:
                    writes.progress(connection, self._study()[0], running.trial, running.pending)
                running.mark_written(time.monotonic())

    # Reads.

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        cache = self._study(study_id)[1]
        if (trial := cache.by_number(trial_number)) is None:
            raise KeyError(f"No trial with number {trial_number} exists in study with study_id {study_id}.")
        return trial._trial_id

    def get_trial(self, trial_id: int) -> FrozenTrial:
        return self._study()[1].trial(trial_id)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        cache = self._study(study_id)[1]
        if not self._may_be_stale(states) or time.monotonic() - cache.refreshed_at > WRITE_EVERY_SECONDS:
            cache.refresh()
        trials = cache.trials(states)
        return copy.deepcopy(trials) if deepcopy else trials

    def _may_be_stale(self, states: Container[TrialState] | None) -> bool:
        """Return whether slightly old trials are enough: a pruner requests finished trials at each report."""
        in_a_trial = getattr(self._thread, "trial_id", None) is not None
        return in_a_trial and states is not None and not any(state in states for state in _UNFINISHED)

    def abandoned(self, with_own: bool = False) -> list[int]:
        """Return the numbers of the running trials whose process is dead or silent; see `dead_workers`.

        Args:
            with_own: Whether this process runs no trial now, so that trials running under its name are abandoned too.
        """
        return dead_workers.abandoned(self._database, self._study()[0], self._name if with_own else None)

    def has_suspects(self, with_own: bool = False) -> bool:
        """Return at once whether `abandoned`, which waits for processes that may reconnect, might find any."""
        return bool(dead_workers.suspects(self._database, self._study()[0], self._name if with_own else None))


def _queued_duplicate(connection: sa.Connection, study: reads.Study, trial: FrozenTrial) -> int | None:
    """Return the id of a waiting trial that another process has queued for the same reason, maybe at the same moment.

    It is read on the connection that holds the study's row lock and not through the cache, which needs a second
    connection: threads that wait for that row may hold all connections of the pool.
    """
    if trial.state is not TrialState.WAITING or ORIGIN not in trial.user_attrs:
        return None
    return reads.queued_duplicate(connection, study, trial)


def _has_same_result(stored: FrozenTrial, expected: FrozenTrial) -> bool:
    """Return whether a stored trial has the expected result: its own commit succeeded and the connection was lost."""
    return (stored.state, stored.values, stored.user_attrs) == (expected.state, expected.values, expected.user_attrs)


def _new_trial() -> FrozenTrial:
    return FrozenTrial(
        number=-1,
        state=TrialState.RUNNING,
        value=None,
        datetime_start=datetime.now(),
        datetime_complete=None,
        params={},
        distributions={},
        user_attrs={},
        system_attrs={},
        intermediate_values={},
        trial_id=-1,
    )
