"""Studies with trial limits: each trial is fitted in a process that can be killed, which a thread cannot.

Native library code does not react to Python, and only the kernel can reclaim the memory that it allocates. The
processes live as long as the study and prepare the rows once. Each runs one trial at a time; a killed one is replaced.
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
from e2i_assets.core.search.objective_choice import used_objective
from e2i_assets.core.search.schemes import Outcome, Report


@dataclass(slots=True)
class Limited:
    """A `Scheme` that evaluates in other processes what the experiment's own scheme would evaluate in this one.

    Attributes:
        experiment, rows: The data that each process prepares.
        limits: The limits of a trial.
    """

    experiment: Experiment
    rows: SearchRows
    limits: TrialLimits
    _idle: list[TrialProcess] = field(default_factory=list)

    @property
    def folds(self) -> int:
        """The number of folds, or 0 if the experiment is evaluated on the validation rows."""
        hpo = self.experiment.hpo
        on_folds = used_objective(self.experiment, self.rows.facts) == "cross_validation"
        return hpo.folds * hpo.repeats if on_folds else 0

    def outcome(
        self, parameters: Mapping[str, Any], goals: Sequence[Goal], patience: int | None, report: Report | None = None
    ) -> Outcome:
        """Fit and evaluate within the limits; see `Scheme`.

        Raises:
            TrialTooSlow, TrialTooLarge, TrialDied: The trial was killed, or its process ended.
            FailedElsewhere: The trial failed as it would have failed in this process.
        """
        names = [goal.name for goal in goals]
        process = self._idle.pop() if self._idle else self._started()
        try:
            return self._evaluated(process, parameters, names, patience, report)
        except TrialNotBegun:  # the process was killed while it was idle, which says nothing about this trial
            return self._evaluated(self._started(), parameters, names, patience, report)

    def _evaluated(
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
        """Fit in this process, without reports and limits, because no study runs at that time; see `Scheme`."""
        return tuning.scheme(self.experiment, self.rows).again(parameters, goals, fold_rounds)

    def warm_up(self) -> None:
        """Start the first process.

        Raises:
            TrialProcessFailed: The process does not start within the limits.
            FailedElsewhere: The rows cannot be prepared.
        """
        self._idle.append(self._started())

    def close(self) -> None:
        """Kill every idle process."""
        while self._idle:
            self._idle.pop().kill()

    def _started(self) -> TrialProcess:
        return TrialProcess(self.experiment, self.rows, self.limits)


@contextmanager
def objective_within_limits(experiment: Experiment, rows: SearchRows) -> Iterator[Callable[[float], Objective]]:
    """Yield a factory of the experiment's objective for a deadline; it fits in this process unless trials have limits.

    Raises:
        E2iError: The rows cannot be prepared, or the trial processes cannot start.
    """
    limits = TrialLimits(experiment.hpo.trial_seconds, experiment.hpo.trial_memory_mb)
    if limits == TrialLimits(None, None):
        yield tuning.objective(experiment, rows)
        return
    scheme = Limited(experiment, rows, limits)
    try:
        scheme.warm_up()  # an error in the rows is raised before the study begins
        yield tuning.objective(experiment, rows, scheme)
    finally:
        scheme.close()
