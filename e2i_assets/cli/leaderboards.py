"""The leaderboard of the algorithms of an experiment, in the outputs of `e2i run` and `e2i experiment list`."""

from typing import Any

from e2i_assets.adapters.files.asset_values import AssetMissing
from e2i_assets.core.contracts.contract import AlgorithmResult, HpoOutput
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.figures import figure
from e2i_assets.core.search.leaderboard import interval_text
from e2i_assets.services.project import Project


def leaderboard_document(project: Project, name: str) -> list[dict[str, Any]] | None:
    """Return the leaderboard for ``--json``; None without a comparison of algorithms."""
    found = _leaderboard(project, name)
    return [row.model_dump() for row in found] or None


def leaderboard_lines(project: Project, experiment: Experiment) -> list[tuple[str, str]]:
    """Return a label and a line for each compared algorithm: value, interval, trials, seconds, and the verdict."""
    return [
        (
            row.algorithm,
            f"{experiment.metric} {figure(row.value)}{interval_text(row)}, {row.trials} trials, "
            f"{figure(row.seconds, 3)} s: {row.verdict}",
        )
        for row in _leaderboard(project, experiment.name)
    ]


def _leaderboard(project: Project, name: str) -> list[AlgorithmResult]:
    try:
        hpo: HpoOutput = project.read(HpoOutput, "best_hyperparameters", name)
    except AssetMissing:
        return []
    return list(hpo.hpo_leaderboard or ())
