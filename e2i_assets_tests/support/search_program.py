"""A program that searches an experiment of a project to its end; tests kill it.

Arguments: the database URL, the project folder, the experiment. It prints "searching" when it begins, and the number of
each trial that ends.
"""

import sys
from pathlib import Path

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.memory.warm_start import WarmStart
from e2i_assets.services import tune
from e2i_assets.services.project import Project


def main() -> None:
    """Search as the asset does."""
    url, folder, name = sys.argv[1:]
    database = Database(url)
    project = Project(Settings(root=Path(folder), state=Path(folder)), database)
    rows: SearchRows = project.read(SearchRows, "validation_splits", name)
    start: WarmStart = project.read(WarmStart, "warm_start", name)
    print("searching", flush=True)
    tune.durable_search(
        project, project.experiment(name), rows, start, lambda trial, best: print(trial.number, flush=True)
    )
    database.dispose()


if __name__ == "__main__":
    main()
