"""Projects with finished experiments, created once for all tests and workers; each test gets its own copy."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from databases import made_once

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings
from e2i_assets.services.project import Project

# The columns in which MLflow stores file URLs.
ADDRESSES = (
    ("mlflow.experiments", "artifact_location"),
    ("mlflow.runs", "artifact_uri"),
    ("mlflow.model_versions", "source"),
    ("mlflow.model_versions", "storage_location"),
    ("e2i.ml_model_registry", "artifact_path"),
)


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
    """Replace the folder of a state in its files and in MLflow's tables by the folder where it is now."""
    state = project.settings.state.resolve()
    for path in state.rglob("*"):
        # The stored value of `champion_model` and the report name the folder of the model.
        if path.is_file() and str(old).encode() in (content := path.read_bytes()):
            path.write_bytes(content.replace(str(old).encode(), str(state).encode()))
    urls = {"old": old.as_uri(), "new": state.as_uri()}
    with project.database.begin() as connection:
        for table, column in ADDRESSES:
            connection.execute(sa.text(f"UPDATE {table} SET {column} = replace({column}, :old, :new)"), urls)
        folders = sa.text("UPDATE e2i.ml_champion_decisions SET model_folder = replace(model_folder, :old, :new)")
        connection.execute(folders, {"old": str(old), "new": str(state)})


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
