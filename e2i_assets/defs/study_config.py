"""The launchpad config of `hpo_study`, the only op of the graph that has any."""

import dagster as dg
from pydantic import Field

from e2i_assets.core.search.budget import BudgetOverride


class StudyConfig(dg.Config):
    """The budget of this launch. It does not change the study: a later run continues with the experiment's budget."""

    trials: int | None = Field(
        None, ge=1, description="Trials of the study, with those of earlier runs; by default hpo.trials."
    )
    timeout_seconds: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="Time limit of this run's search; by default hpo.timeout_hours."
    )

    @property
    def override(self) -> BudgetOverride:
        """The budget as the search takes it."""
        return BudgetOverride(self.trials, self.timeout_seconds)
