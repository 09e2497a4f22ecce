"""A study whose trials have limits: each is fitted in a process that can be ended, where a thread could not.

A fit in a library's own code hears nothing of Python, and what it allocates only the kernel can take back. The
processes live as long as the study, one for each trial at a time, and prepare the rows once; who is killed is replaced.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from e2i_assets.adapters.trial_processes.errors import TrialNotBegun
from e2i_assets.adapters.trial_processes.process import TrialLimits, TrialProcess
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.search import tuning
from e2i_assets.core.search.goals import Goal
from e2i_assets.core.search.objective import Objective
from e2i_assets.core.search.schemes import Outcome, Report


@dataclass(slots=True)
class Limited:
    """A `Scheme` that judges in other processes what the experiment's own scheme would judge here.

    Attributes:
        experiment, rows: What each process prepares.
        limits: What a trial may take.
    """

    experiment: Experiment
    rows: SearchRows
    limits: TrialLimits
    _idle: list[TrialProcess] = field(default_factory=list)

    @property
    def folds(self) -> int:
        """As many as the experiment has, 0 where it is judged on the validation rows."""
        hpo = self.experiment.hpo
        return hpo.folds * hpo.repeats if hpo.objective == "cross_validation" else 0

    def outcome(
        self, parameters: Mapping[str, Any], goals: Sequence[Goal], patience: int | None, report: Report | None = None
    ) -> Outcome:
        """Fit and judge within the limits; see `Scheme`.

        Raises:
            TrialTooSlow, TrialTooLarge, TrialDied: The trial was ended, or its process ended by itself.
            FailedElsewhere: It failed as it would have failed here.
        """
        names = [goal.name for goal in goals]
        process = self._idle.pop() if self._idle else self._started()
        try:
            return self._judged(process, parameters, names, patience, report)
        except TrialNotBegun:  # it was killed while nobody looked: that says nothing about this trial
            return self._judged(self._started(), parameters, names, patience, report)

    def _judged(
        self,
        process: TrialProcess,
        parameters: Mapping[str, Any],
        names: Sequence[str],
        patience: int | None,
        report: Report | None,
    ) -> Outcome:
        try:
            return process.outcome(parameters, names, patience, report)
        finally:
            if process.is_alive:
                self._idle.append(process)

    def again(
        self, parameters: Mapping[str, Any], goals: Sequence[Goal], fold_rounds: Sequence[int] = ()
    ) -> dict[str, float]:
        """Fit unwatched, here and without limits: nobody asks for it while a study runs; see `Scheme`."""
        return tuning.scheme(self.experiment, self.rows).again(parameters, goals, fold_rounds)

    def warm_up(self) -> None:
        """Start a first process.

        Raises:
            TrialProcessFailed: It does not come up within the limits.
            FailedElsewhere: The rows cannot be prepared.
        """
        self._idle.append(self._started())

    def close(self) -> None:
        """End every process that is not at work."""
        while self._idle:
            self._idle.pop().kill()

    def _started(self) -> TrialProcess:
        return TrialProcess(self.experiment, self.rows, self.limits)


@contextmanager
def objective_within_limits(experiment: Experiment, rows: SearchRows) -> Iterator[Callable[[float], Objective]]:
    """Return what makes the experiment's objective for a deadline, fitted in this process unless trials have limits.

    Raises:
        E2iError: The rows cannot be prepared, or the processes of trials cannot begin.
    """
    limits = TrialLimits(experiment.hpo.trial_seconds, experiment.hpo.trial_memory_mb)
    if limits == TrialLimits(None, None):
        yield tuning.objective(experiment, rows)
        return
    scheme = Limited(experiment, rows, limits)
    try:
        scheme.warm_up()  # what is wrong with the rows is said before the study begins
        yield tuning.objective(experiment, rows, scheme)
    finally:
        scheme.close()
