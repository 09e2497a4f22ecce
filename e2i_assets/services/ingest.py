"""Reads the rows of an experiment in a run, and records the state of their source."""

from contextlib import suppress

import pandas as pd

from e2i_assets.adapters.sources import datasets
from e2i_assets.adapters.sources.fingerprints import Fingerprints
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.services.project import Project


def read_rows(project: Project, experiment: Experiment) -> pd.DataFrame:
    """Read the rows of a registered experiment.

    The source's fingerprint is recorded first: if the source changes while it is read, the next scan detects that.

    Raises:
        DataInvalid: The file is missing or not valid, or there are no rows.
        E2iError: The database is unreachable or rejects the query.
    """
    root, environment = project.settings.root, project.settings.environment
    # Reading an unreadable source raises the more specific error below.
    with suppress(E2iError):
        fingerprint = Fingerprints(root, environment).fingerprint(experiment.source)
        project.source_states.read(experiment.name, fingerprint)
    return datasets.load(experiment.source, root, environment)
