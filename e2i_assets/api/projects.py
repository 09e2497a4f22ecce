"""Projects for Python programs and notebooks: ``e2i_assets.open``."""

import os
from dataclasses import dataclass
from pathlib import Path

from e2i_assets.adapters.settings import HOME, from_environment
from e2i_assets.api.experiments import Experiment
from e2i_assets.services import project as services
from e2i_assets.services.prepare import prepared_project
from e2i_assets.services.register import registered


def open(folder: str | os.PathLike[str] | None = None) -> "Project":
    """Open a project: start its PostgreSQL if needed, and create or update its tables.

    Settings come from the environment, as for the command ``e2i``. The embedded PostgreSQL runs at least as long as
    this process. Nothing else of the process changes, except that the variables of libpq that no address can override
    (``PGSERVICE`` and the like) are removed for the embedded server.

    Args:
        folder: The folder that has ``experiments/``; by default ``E2I_HOME``, or the nearest one at or above the
            working folder.

    Raises:
        E2iError: The folder is no project, or a setting is invalid.
        PostgresUnavailable: The embedded server cannot be started.
        DatabaseUnreachable: The server of ``E2I_DATABASE_URL`` cannot be reached.
    """
    # Resolved now: a run is a process with the project as its working folder.
    named = {} if folder is None else {HOME: str(Path(folder).resolve())}
    project, _ = prepared_project(from_environment({**os.environ, **named}))
    return Project(project)


@dataclass(frozen=True, slots=True)
class Project:
    """An open project; made by `open`.

    Attributes:
        project: The project as the services take it: settings, database and repositories.
    """

    project: services.Project

    @property
    def experiments(self) -> tuple[str, ...]:
        """The names of the experiment files, which are registered.

        Raises:
            E2iError: A file is not valid, or there are none.
        """
        return tuple(registered(self.project, ()))

    def experiment(self, name: str) -> Experiment:
        """Return an experiment. Its file is read again by each method that needs it.

        Raises:
            ExperimentInvalid: The file is not valid.
            ExperimentNotRegistered: There is neither a file nor a registered experiment with this name.
            ExperimentRetired: The experiment is retired.
        """
        self.project.current_experiment(name)
        return Experiment(self.project, name)
