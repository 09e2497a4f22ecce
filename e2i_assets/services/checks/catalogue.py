"""All checks in the order of the graph, and the experiments for which they can be evaluated."""

from e2i_assets.services.checks import (
    best_hyperparameters,
    champion_model,
    dataset,
    evaluation,
    hpo_pattern_memory,
    hpo_study,
    leakage,
    predictions,
    trained_model,
    validation_splits,
    warm_start,
)
from e2i_assets.services.checks.check import Check
from e2i_assets.services.project import Project

CHECKS: tuple[Check, ...] = (
    *dataset.CHECKS,
    *validation_splits.CHECKS,
    *leakage.CHECKS,
    *warm_start.CHECKS,
    *hpo_study.CHECKS,
    *best_hyperparameters.CHECKS,
    *trained_model.CHECKS,
    *evaluation.CHECKS,
    *champion_model.CHECKS,
    *predictions.CHECKS,
    *hpo_pattern_memory.CHECKS,
)


def experiments_with(project: Project, asset: str) -> list[str]:
    """Return the active experiments for which a value of the asset is stored, without those of components."""
    stored = set(project.store.keys(project.settings.value_key(asset, "*")))  # one listing, however many there are
    names = [row.experiment_name for row in project.experiments.watched()]
    return [name for name in names if project.settings.value_key(asset, name) in stored]
