"""Fixtures of a project folder for each test of a command or of the Python interface."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import temporary
from originals import Original

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings
from e2i_assets.services.project import Project


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder without an experiment, and no server configured."""
    folder = tmp_path / "project"
    (folder / "experiments").mkdir(parents=True)
    monkeypatch.setenv("E2I_HOME", str(folder))
    for name in ("E2I_STATE", "E2I_DATABASE_URL", "E2I_MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def project(root: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project folder with a migrated database for one test."""
    monkeypatch.setenv("E2I_DATABASE_URL", database.url)
    return Project(Settings(root, root / ".e2i", database.url, pictures=False), database)


@pytest.fixture
def finished(root: Path, plain: Original, server: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """The project folder with the finished experiment `plain`."""
    with temporary(server, plain.database) as database:
        monkeypatch.setenv("E2I_DATABASE_URL", database.url)
        project = Project(Settings(root, root / ".e2i", database.url, pictures=False), database)
        plain.copy_files(project)
        yield project
