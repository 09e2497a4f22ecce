"""Reading the rows of an experiment in a run, and putting on record what their source held then."""

from contextlib import suppress

import pandas as pd

from e2i_assets.adapters.sources import datasets
from e2i_assets.adapters.sources.fingerprints import Fingerprints
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.services.project import Project


def read_rows(project: Project, experiment: Experiment) -> pd.DataFrame:
    """Read the rows of a registered experiment.

    What the source held is recorded before they are read: should it change in between, the next look sees that.

    Raises:
        DataInvalid: There is no such file, it is not what it should be, or there are no rows.
        E2iError: The database cannot be reached or refuses the query.
    """
    root, environment = project.settings.root, project.settings.environment
    # A source that cannot be read is told about by the reading itself, which says more.
    with suppress(E2iError):
        fingerprint = Fingerprints(root, environment).fingerprint(experiment.source)
        project.source_states.read(experiment.name, fingerprint)
    return datasets.load(experiment.source, root, environment)
