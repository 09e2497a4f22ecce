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
    if not is_decidable(experiment, facts):
        raise E2iError(
            "the stored validation_splits have no counts of the classes or groups, which hpo.objective: auto needs: "
            "materialise them again"
        )
    return _by_rule(experiment, facts)


def is_decidable(experiment: Experiment, facts: SplitFacts) -> bool:
    """Return whether the facts have what the choice needs; those of earlier releases count no classes and no groups."""
    counted = len(facts.searched_classes) == len(facts.classes) and bool(facts.searched_groups) == bool(facts.entity)
    return experiment.hpo.objective != "auto" or counted


def used_objective(experiment: Experiment, facts: SplitFacts) -> UsedObjective:
    """Return the objective alone; see `objective_choice`."""
    return objective_choice(experiment, facts).objective


def searched_rows(facts: SplitFacts) -> int:
    """Return the number of train and validation rows."""
    return facts.counts.get("train", 0) + facts.counts.get("validation", 0)


def cells(facts: SplitFacts) -> int:
    """Return train and validation rows x features x boosters of a round, one for each of three or more classes."""
    return searched_rows(facts) * len(facts.features) * (len(facts.classes) if len(facts.classes) > 2 else 1)


def _why_no_folds(experiment: Experiment, facts: SplitFacts) -> str | None:
    """Return why the train and validation rows cannot be divided into folds, as a part of a sentence; None if they can.

    The facts must be those that `is_decidable` asks for.
    """
    rows, wanted = searched_rows(facts), experiment.hpo.folds
    rarest, fewest = min(facts.searched_classes, default=rows), min(facts.searched_groups, default=0)
    if experiment.columns.time:
        return "columns.time orders the rows"
    if rarest < wanted:
        return f"{_counted(facts)}: too few for {wanted} folds"
    if sum(facts.searched_groups) < rows and facts.entity and fewest < GROUPS_OF_A_FOLD * wanted:
        of = " of the rarest class" if facts.classes else ""
        return f"{rows:,} train and validation rows, {fewest:,} groups{of}: too few for {wanted} folds"
    return None


def _by_rule(experiment: Experiment, facts: SplitFacts) -> ObjectiveChoice:
    rows = searched_rows(facts)
    rarest = min(facts.searched_classes, default=rows)
    if (reason := _why_no_folds(experiment, facts)) is not None:
        return ObjectiveChoice(objective="validation", reason=reason)
    if cells(facts) > MOST_CELLS:
        table = f"{rows:,} train and validation rows and {len(facts.features)} features"
        reason = f"{table}: a fit on each fold costs too much"
        return ObjectiveChoice(objective="validation", reason=reason)
    if rows <= FEW_ROWS or (facts.classes and rarest <= FEW_OF_A_CLASS):
        reason = f"{_counted(facts)}: too few to compare trials on one split"
        return ObjectiveChoice(objective="cross_validation", reason=reason)
    return ObjectiveChoice(objective="validation", reason=f"{_counted(facts)}: enough to compare trials on one split")


def _counted(facts: SplitFacts) -> str:
    few = f", {min(facts.searched_classes):,} of the rarest class" if facts.classes else ""
    return f"{searched_rows(facts):,} train and validation rows{few}"
