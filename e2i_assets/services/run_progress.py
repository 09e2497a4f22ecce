"""The progress of a running experiment: its asset, and in a search the trial, the best value and the time left."""

from dataclasses import dataclass

from e2i_assets.adapters.repositories.results import StudyProgress, progress_of, searched_now
from e2i_assets.core.metrics import metric
from e2i_assets.services.project import Project

CHAIN = (
    *("dataset", "validation_splits", "warm_start", "hpo_study"),
    *("best_hyperparameters", "trained_model", "champion_model", "hpo_pattern_memory"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Progress of an experiment: finished assets, including the fraction of the current one, and its description."""

    done: float
    words: str


def run_place(project: Project, name: str, since: float) -> Place:
    """Return the progress of an experiment.

    Args:
        project: The project.
        name: Name of the experiment.
        since: When its run began, in seconds since the epoch.
    """
    asset = _asset(project, name, since)
    number = CHAIN.index(asset)
    words = f"{asset} ({number + 1} of {len(CHAIN)})"
    if asset != "hpo_study":
        return Place(number, words)
    study = progress_of(project.database, name, since)
    if study is None:
        others = [one for one in searched_now(project.database) if one != name]
        return Place(number, f"{words}: waits for {', '.join(others)}" if others else words)
    return Place(number + study.share, f"{words}: {study_words(study)}")


def _asset(project: Project, name: str, since: float) -> str:
    """Return the current asset: the first in the chain that was not written since the run began."""
    for asset in CHAIN:
        if project.store.written_at(project.settings.value_key(asset, name)) < since:
            return asset
    return CHAIN[-1]


def study_words(study: StudyProgress) -> str:
    """Return the progress of a running study as text, with the best value in the natural orientation of its metric."""
    trial = f"trial {min(study.finished + 1, study.n_trials)} of {study.n_trials}"
    natural = metric(study.metric, study.problem_type).oriented
    best = "" if study.best is None else f", best {study.metric} {natural(study.best):.5g}"
    left = "" if study.seconds_left is None else f", about {_duration(study.seconds_left)} left"
    return f"{trial}{best}{left}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
