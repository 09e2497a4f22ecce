"""The budget of one call of a study, where it differs from the experiment's. The study key does not contain it."""

from dataclasses import dataclass

from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment

_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class BudgetOverride:
    """The part of the budget that a launch sets; None leaves what the experiment says.

    Attributes:
        trials: The number of trials of the study, at least 1. Trials of earlier calls count.
        timeout_seconds: Limit on the wall-clock time of this call, above 0.
    """

    trials: int | None = None
    timeout_seconds: float | None = None

    @property
    def given(self) -> dict[str, float]:
        """What is set, by name."""
        every = {"trials": self.trials, "timeout_seconds": self.timeout_seconds}
        return {name: value for name, value in every.items() if value is not None}

    def applied_to(self, experiment: Experiment) -> Experiment:
        """Return the experiment with this budget.

        Raises:
            E2iError: The experiment does not search, so that the budget would have no effect; or it compares more
                algorithms than there are trials.
        """
        if not self.given:
            return experiment
        if not experiment.is_searched:
            raise E2iError(
                f"experiment {experiment.name} does not search (hpo.enabled or its search space), so a budget of "
                f"{self} has no effect: launch it without this config"
            )
        if self.trials is not None and self.trials < len(experiment.contenders):
            raise E2iError(
                f"experiment {experiment.name} compares {experiment.algorithm_text}: a budget of {self.trials} "
                "trials is too small for one trial of each"
            )
        hours = None if self.timeout_seconds is None else self.timeout_seconds / _SECONDS_PER_HOUR
        change = {"trials": self.trials, "timeout_hours": hours}
        own = {name: value for name, value in change.items() if value is not None}
        return experiment.model_copy(update={"hpo": experiment.hpo.model_copy(update=own)})

    def __str__(self) -> str:
        units = {"trials": "trials", "timeout_seconds": "seconds"}
        return ", ".join(f"{value:g} {units[name]}" for name, value in self.given.items())


NO_OVERRIDE = BudgetOverride()
