"""A program that searches an experiment of a project to its end: what the tests kill.

Arguments: the database's address, the project's folder, the experiment. It says "searching" when it begins, and the
number of each trial that ends.
"""

import sys
from pathlib import Path

from e2i_assets.adapters import studies
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings
from e2i_assets.adapters.workspace import Workspace
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.memory.warm_start import WarmStart


def main() -> None:
    """Search, as the asset does."""
    url, folder, name = sys.argv[1:]
    database = Database(url)
    workspace = Workspace(Settings(root=Path(folder), state=Path(folder)), database)
    rows: SearchRows = workspace.read(SearchRows, "validation_splits", name)
    start: WarmStart = workspace.read(WarmStart, "warm_start", name)
    print("searching", flush=True)
    studies.durable_search(
        workspace, workspace.experiment(name), rows, start, lambda trial, best: print(trial.number, flush=True)
    )
    database.dispose()


if __name__ == "__main__":
    main()
