"""What the final model learns from: as the experiment says, or with ``final_model: auto`` by its algorithm and rows."""

from collections.abc import Callable

from e2i_assets.core.data import folds
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts
from e2i_assets.core.experiments.experiment import Experiment, FinalModel
from e2i_assets.core.experiments.objective_rules import MODEL_SIZE, PREDICTION_TIME
from e2i_assets.core.search.objective_choice import MOST_CELLS, cells, searched_rows

# The mean of fold models was measured on fewer train and validation rows (`benchmarks/results/defaults.md`). Of more
# rows, the models of different folds differ less, and each takes longer.
MOST_ROWS = 10_000


def used_final_model(experiment: Experiment, facts: SplitFacts) -> FinalModel:
    """Return what the final model learns from.

    ``auto`` is ``train_only`` with limits of the search, which were measured on that model. It is ``folds`` for boosted
    trees of `is_foldable` rows if early stopping decides their rounds and they give reasons, and else ``refit``.
    """
    if experiment.final_model != "auto":
        return experiment.final_model
    if experiment.hpo.constraints:
        return "train_only"
    goals = {one.name for one in experiment.hpo.objectives}
    gives_reasons = experiment.fitted_algorithm.framework != "sklearn" and not experiment.used_loss.has_log_link
    of_one_model = goals & {MODEL_SIZE, PREDICTION_TIME}
    return "folds" if facts.foldable and experiment.stops_rounds and gives_reasons and not of_one_model else "refit"


def is_foldable(experiment: Experiment, facts: SplitFacts, rows: Callable[[], SearchRows]) -> bool:
    """Return whether the rows are few, and can be divided into the folds of the experiment.

    It is decided when they are split, and is among the facts: by default, no later step fails because the rows have no
    folds. A file that then asks for other folds needs another split, or it is told so.

    Args:
        experiment: The experiment.
        facts: The facts about the split.
        rows: Returns the train and validation rows; it is called only for few rows.
    """
    hpo = experiment.hpo
    return (
        not experiment.columns.time
        and searched_rows(facts) <= MOST_ROWS
        and cells(facts) <= MOST_CELLS
        and folds.are_possible(rows(), hpo.folds, hpo.repeats, hpo.seed)
    )
