"""What is learnt from each finished trial while a study runs: whether to tell somebody, and whether to go on."""

import itertools
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from e2i_assets.core.search.selection import Objectives, candidates, chosen, pareto_front
from e2i_assets.core.search.trials import TrialRecord, record_of

if TYPE_CHECKING:
    import optuna


class StudyMonitor:
    """Tells each finished trial, and ends the study when trials only fail or nothing gets better.

    Args:
        on_trial: Told each finished trial, and the best value so far.
        max_failures: Trials failing one after the other that end the study.
        patience: Trials without a better one that end the study, None for never.
        objectives: What "better" means.
        follows_all: Whether the trials of other processes are told as well, and looked at after each of its own.
    """

    def __init__(
        self,
        on_trial: Callable[[TrialRecord, float | None], None],
        max_failures: int,
        patience: int | None,
        objectives: Objectives,
        follows_all: bool = False,
    ) -> None:
        self.has_failed_too_often = False
        self._failures_in_a_row = 0
        self._on_trial = on_trial
        self._max_failures = max_failures
        self._patience = patience
        self._objectives = objectives
        self._follows_all = follows_all
        self._records: dict[int, TrialRecord] = {}

    def __call__(self, study: "optuna.Study", trial: "optuna.trial.FrozenTrial") -> None:
        """Take a finished trial in; Optuna calls it after each, in the thread that ran it."""
        if self._follows_all:
            self.refresh(study)
        else:
            self._take_in(record_of(trial), is_told=True)
        if self.has_failed_too_often or self.without_improvement():
            study.stop()

    def resume(self, study: "optuna.Study") -> None:
        """Go on where an earlier process was, in the middle of a row of failures maybe.

        A study that such a row broke off, and that somebody starts again, has the whole row before it again.
        """
        for record in self._news(study):
            self._records[record.number] = record
        ended = [record for record in _by_end(self._records.values()) if record.counts]
        latest = list(itertools.takewhile(lambda record: record.state == "FAIL", reversed(ended)))
        self._failures_in_a_row = len(latest) % self._max_failures

    def refresh(self, study: "optuna.Study") -> None:
        """Take in what other processes have finished."""
        for record in self._news(study):
            self._take_in(record, is_told=self._follows_all)

    def _news(self, study: "optuna.Study") -> list[TrialRecord]:
        """Return the finished trials that it does not know yet, in the order in which they ended."""
        known = self._records
        trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
        return _by_end(record_of(trial) for trial in trials if trial.number not in known)

    def _take_in(self, record: TrialRecord, is_told: bool) -> None:
        self._records[record.number] = record
        if record.counts and record.state == "FAIL":
            self._failures_in_a_row += 1
        elif record.counts:
            self._failures_in_a_row = 0
        if is_told:
            values = [one.value for one in candidates(list(self._records.values())) if one.value is not None]
            self._on_trial(record, max(values, default=None))
        # For good: a trial that was under way in another thread may still complete.
        self.has_failed_too_often |= self._failures_in_a_row >= self._max_failures

    def without_improvement(self) -> bool:
        """Return whether as many trials as the study has patience for have brought nothing better."""
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
    first = datetime.min.replace(tzinfo=UTC)
    return sorted(records, key=lambda record: (record.completed_at or first, record.number))


def counted(study: "optuna.Study") -> list[TrialRecord]:
    """Return the finished trials that cost some of the budget."""
    finished = [record_of(trial) for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    return [trial for trial in finished if trial.counts]
