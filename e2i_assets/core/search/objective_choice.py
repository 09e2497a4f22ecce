"""How the trials of a study are evaluated: as the experiment says, or with ``hpo.objective: auto`` by its rows."""

from pydantic import BaseModel, ConfigDict

from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.search_sections import UsedObjective

# Up to so many train and validation rows, or rows of the rarest class, one validation split says little: its quarter
# has 500 rows or 50 of that class.
FEW_ROWS = 2_000
FEW_OF_A_CLASS = 200
# Groups of each class for a fold: with fewer, a fold may lack a class, or repetitions may be equal.
GROUPS_OF_A_FOLD = 2
# Rows x features x boosters of a round (one for each of three or more classes): above, five fits a trial are dear.
MOST_CELLS = 2_000_000


class ObjectiveChoice(BaseModel):
    """How trials are evaluated, and why, as a part of a sentence."""

    model_config = ConfigDict(frozen=True)

    objective: UsedObjective
    reason: str


def objective_choice(experiment: Experiment, facts: SplitFacts) -> ObjectiveChoice:
    """Return how the trials of an experiment are evaluated on these rows.

    Raises:
        E2iError: The choice needs the number of rows of each class, and the facts are of an earlier release.
    """
    if experiment.hpo.objective != "auto":
        return ObjectiveChoice(objective=experiment.hpo.objective, reason="the experiment says so")
    rows = facts.counts.get("train", 0) + facts.counts.get("validation", 0)
    if not is_decidable(experiment, facts):
        raise E2iError(
            "the stored validation_splits have no counts of the classes or groups, which hpo.objective: auto needs: "
            "materialise them again"
        )
    return _by_rule(experiment, facts, rows, min(facts.searched_classes, default=rows))


def is_decidable(experiment: Experiment, facts: SplitFacts) -> bool:
    """Return whether the facts have what the choice needs; those of earlier releases count no classes and no groups."""
    counted = len(facts.searched_classes) == len(facts.classes) and bool(facts.searched_groups) == bool(facts.entity)
    return experiment.hpo.objective != "auto" or counted


def used_objective(experiment: Experiment, facts: SplitFacts) -> UsedObjective:
    """Return the objective alone; see `objective_choice`."""
    return objective_choice(experiment, facts).objective


def _by_rule(experiment: Experiment, facts: SplitFacts, rows: int, rarest: int) -> ObjectiveChoice:
    cells = rows * len(facts.features) * (len(facts.classes) if len(facts.classes) > 2 else 1)
    counted = f"{rows:,} train and validation rows"
    few = f", {rarest:,} of the rarest class" if facts.classes else ""
    if experiment.columns.time:
        return ObjectiveChoice(objective="validation", reason="columns.time orders the rows")
    if rarest < experiment.hpo.folds:
        reason = f"{counted}{few}: too few for {experiment.hpo.folds} folds"
        return ObjectiveChoice(objective="validation", reason=reason)
    fewest = min(facts.searched_groups, default=0)
    if sum(facts.searched_groups) < rows and facts.entity and fewest < GROUPS_OF_A_FOLD * experiment.hpo.folds:
        of = " of the rarest class" if facts.classes else ""
        reason = f"{counted}, {fewest:,} groups{of}: too few for {experiment.hpo.folds} folds"
        return ObjectiveChoice(objective="validation", reason=reason)
    if cells > MOST_CELLS:
        reason = f"{counted} and {len(facts.features)} features: a fit on each fold costs too much"
        return ObjectiveChoice(objective="validation", reason=reason)
    if rows <= FEW_ROWS or (facts.classes and rarest <= FEW_OF_A_CLASS):
        return ObjectiveChoice(
            objective="cross_validation", reason=f"{counted}{few}: too few to compare trials on one split"
        )
    return ObjectiveChoice(objective="validation", reason=f"{counted}{few}: enough to compare trials on one split")
