"""Registers experiment files: all of the chosen ones or none."""

from collections.abc import Sequence

from e2i_assets.adapters.files.experiment_files import ExperimentFolder, read_folder, strict
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.services.project import Project
from e2i_assets.services.retire import restore_aliases


def registered(project: Project, names: Sequence[str]) -> list[str]:
    """Register the named experiments, or all files if no name is given, and return the names.

    Raises:
        ExperimentInvalid: A chosen file is not valid; nothing was registered.
        E2iError: Several are not valid, a name does not exist, or there are no experiments.
    """
    chosen = chosen_experiments(strict(read_folder(project.settings.experiments)), names)
    register(project, chosen)
    return [experiment.name for experiment in chosen]


def chosen_experiments(folder: ExperimentFolder, names: Sequence[str]) -> list[Experiment]:
    """Return the named experiments without duplicates in this order; all if no name is given.

    Raises:
        ExperimentInvalid: A chosen file is not valid.
        E2iError: Several are not valid, a name does not exist, or there are no experiments.
    """
    if not names:
        folder.require_valid()
        if not folder.experiments:
            raise E2iError("there are no experiments yet: `e2i experiment new NAME` creates one")
        return list(folder.experiments.values())
    chosen: list[Experiment] = []
    mistakes: list[E2iError] = []
    for name in dict.fromkeys(names):
        try:
            chosen.append(folder.experiment(name))
        except E2iError as error:
            mistakes.append(error)
    if len(mistakes) == 1:
        raise mistakes[0]
    if mistakes:
        raise E2iError("\n".join(str(mistake) for mistake in mistakes))
    return chosen


def register(project: Project, experiments: Sequence[Experiment]) -> None:
    """Insert or update experiments. A retired one comes back, with its champion."""
    store = project.experiments
    retired = {row.experiment_name for row in store.list(retired_too=True) if not row.is_active}
    for experiment in experiments:
        store.register_experiment(experiment)
    restore_aliases(project, [one.name for one in experiments if one.name in retired])
