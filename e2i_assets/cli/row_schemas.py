"""What the rows of experiments must look like, inferred from the rows of today."""

import os
from collections.abc import Sequence
from pathlib import Path

from e2i_assets.adapters.files.experiment_files import read_folder, strict
from e2i_assets.adapters.settings import Settings
from e2i_assets.adapters.sources import datasets
from e2i_assets.core.data.dataset import dataset_of
from e2i_assets.core.errors import E2iError
from e2i_assets.services import data_gates
from e2i_assets.services.register import chosen_experiments


def written(settings: Settings, names: Sequence[str], force: bool) -> list[Path]:
    """Write the schema files of experiments and return their paths.

    Raises:
        E2iError: There is one already and it may not be replaced, or the rows cannot be read.
    """
    found = []
    for experiment in chosen_experiments(strict(read_folder(settings.experiments)), names):
        data = dataset_of(datasets.load(experiment.source, settings.root, os.environ), experiment)
        path = data_gates.keep_schema(settings, experiment.name, data, replace=force)
        if path is None:
            raise E2iError(f"experiments/schemas/{experiment.name}.yaml is there already: edit it, or add --force")
        found.append(path)
    return found
