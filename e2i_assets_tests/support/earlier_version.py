"""The data of an earlier version, which `scripts/release_state.py` has archived, in a project folder and a database."""

import json
import tarfile
from pathlib import Path

from originals import moved

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.restoring import restore
from e2i_assets.adapters.settings import Settings
from e2i_assets.services.project import Project

RELEASES = sorted((Path(__file__).parents[1] / "releases").glob("*.tar.gz"))


def unpacked(archive: Path, root: Path, database: Database) -> Project:
    """Restore files and tables as that version left them, with the paths of this folder, and return the project.

    The tables are not migrated.
    """
    with tarfile.open(archive) as packed:
        packed.extractall(root, filter="data")
    project = Project(Settings(root, root / ".e2i", database.url, pictures=False), database)
    restore(database, root / "database.dump", project.settings.sql, replace=False)
    moved(project, Path(json.loads((root / "made.json").read_text())["folder"], ".e2i"))
    return project
