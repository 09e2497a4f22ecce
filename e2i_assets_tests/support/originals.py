"""Projects with finished experiments, created once for all tests and workers; each test gets its own copy."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from databases import made_once

from e2i_assets.adapters.mlflow import artifact_locations
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories import model_locations
from e2i_assets.adapters.settings import Settings
from e2i_assets.services.project import Project


@dataclass(frozen=True, slots=True)
class Original:
    """A finished project.

    Attributes:
        database: The name of its database, which is copied as a template.
        root: Its folder, with the rows.
    """

    database: str
    root: Path

    @property
    def state(self) -> Path:
        """The folder of its stored values."""
        return self.root / "state"

    def copy_files(self, project: Project) -> None:
        """Copy the rows and the values into a project whose database is a copy of this one."""
        for path in self.root.glob("*.csv"):
            shutil.copy(path, project.settings.root)
        shutil.copytree(self.state, project.settings.state)
        moved(project, self.state)


def moved(project: Project, old: Path) -> None:
    """Replace the folder of a state in its files and in the tables by the folder where it is now."""
    state = project.settings.state.resolve()
    for path in state.rglob("*"):
        # The stored value of `champion_model` and the report name the folder of the model.
        if path.is_file() and str(old).encode() in (content := path.read_bytes()):
            path.write_bytes(content.replace(str(old).encode(), str(state).encode()))
    artifact_locations.move(project.database.url_for("mlflow"), old.as_uri(), state.as_uri())
    model_locations.move(project.database, str(old), str(state))


def original(server: Database, template: str, folder: Path, name: str, make: Callable[[Project], object]) -> Original:
    """Return the finished project of this name; the first worker creates it.

    Args:
        server: The server for its database.
        template: A migrated database.
        folder: Folder that all workers share.
        name: Name of the project and of its database.
        make: Fills the project.
    """
    root = folder.resolve() / name

    def made(database: Database) -> None:
        shutil.rmtree(root, ignore_errors=True)  # left by a worker that failed
        root.mkdir()
        make(Project(Settings(root, root / "state", database.url, pictures=False), database))

    return Original(made_once(server, name, template, made), root)
