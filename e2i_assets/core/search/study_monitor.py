"""The monitor of a running study: it reports each finished trial and decides whether the study goes on."""

import itertools
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from e2i_assets.core.search.trial_selection import Objectives, candidates, chosen, pareto_front
from e2i_assets.core.search.trials import TrialRecord, record_of

if TYPE_CHECKING:
    import optuna


class StudyMonitor:
    """Reports each finished trial, and ends the study after too many failures or too many trials without improvement.

    Args:
        on_trial: Called with each finished trial and the best value so far.
        max_failures: Number of consecutive failed trials that ends the study.
        patience: Number of trials without improvement that ends the study; None for no limit.
        objectives: Define which of two trials is better.
        includes_other_processes: Whether the trials of other processes are reported as well; they are then read from
            the study after each trial of this process.
    """

    def __init__(
        self,
        on_trial: Callable[[TrialRecord, float | None], None],
        max_failures: int,
        patience: int | None,
        objectives: Objectives,
        includes_other_processes: bool = False,
    ) -> None:
        self.has_failed_too_often = False
        self._consecutive_failures = 0
        self._on_trial = on_trial
        self._max_failures = max_failures
        self._patience = patience
        self._objectives = objectives
        self._includes_other_processes = includes_other_processes
        self._records: dict[int, TrialRecord] = {}

    def __call__(self, study: "optuna.Study", trial: "optuna.trial.FrozenTrial") -> None:
        """Record a finished trial; Optuna calls this after each trial, in the thread that ran it."""
        if self._includes_other_processes:
            self.refresh(study)
        else:
            self._record(record_of(trial), is_reported=True)
        if self.has_failed_too_often or self.without_improvement():
            study.stop()

    def resume(self, study: "optuna.Study") -> None:
        """Read the finished trials of earlier processes, and continue their count of consecutive failures.

        If the count has ended the study before, it starts again at 0, so that a restarted study can run.
        """
        for record in self._new_records(study):
            self._records[record.number] = record
        ended = [record for record in _by_end(self._records.values()) if record.counts]
        failed = list(itertools.takewhile(lambda record: record.state == "FAIL", reversed(ended)))
        self._consecutive_failures = len(failed) % self._max_failures

    def refresh(self, study: "optuna.Study") -> None:
        """Record the trials that other processes have finished."""
        for record in self._new_records(study):
            self._record(record, is_reported=self._includes_other_processes)

    def _new_records(self, study: "optuna.Study") -> list[TrialRecord]:
        """Return the finished trials that are not recorded yet, in the order in which they ended."""
        known = self._records
        trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
        return _by_end(record_of(trial) for trial in trials if trial.number not in known)

    def _record(self, record: TrialRecord, is_reported: bool) -> None:
        self._records[record.number] = record
        if record.counts and record.state == "FAIL":
            self._consecutive_failures += 1
        elif record.counts:
            self._consecutive_failures = 0
        if is_reported:
            values = [one.value for one in candidates(list(self._records.values())) if one.value is not None]
            self._on_trial(record, max(values, default=None))
        # Never reset: a trial that is still running in another thread may complete after this.
        self.has_failed_too_often |= self._consecutive_failures >= self._max_failures

    def without_improvement(self) -> bool:
        """Return whether the last ``patience`` trials brought no improvement."""
        trials = list(self._records.values())
        if self._patience is None or not candidates(trials):
            return False
        if len(self._objectives.greater_is_better) > 1:
            latest = max(trial.number for trial in pareto_front(trials, self._objectives))
        else:
            best = chosen(trials, self._objectives)
            latest = best.number if best else 0
        return sum(trial.counts and trial.number > latest for trial in trials) >= self._patience


def _by_end(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    earliest = datetime.min.replace(tzinfo=UTC)
    return sorted(records, key=lambda record: (record.completed_at or earliest, record.number))


def counted(study: "optuna.Study") -> list[TrialRecord]:
    """Return the finished trials that count against the budget."""
    finished = [record_of(trial) for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    return [trial for trial in finished if trial.counts]
