"""Fixtures of a project folder for each test, and of the command line in it."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from databases import temporary
from originals import Original

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings
from e2i_assets.services.project import Project

with warnings.catch_warnings():
    # typer before 0.26 imports a name that click has deprecated since 8.5; the package does not use it.
    warnings.filterwarnings("ignore", "'click.utils", DeprecationWarning)
    from typer.testing import CliRunner


EXPERIMENT = """\
name: {name}
owner: team:tests
source: {{csv: data/rows.csv}}
target: left
problem_type: binary_classification
algorithm: XGBoost
"""

RunCli = Callable[..., Result]


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


@pytest.fixture
def run_cli(root: Path) -> Iterator[RunCli]:
    """Run a command of `e2i` in this process; return its output, without wrapped lines, and its exit status."""
    from e2i_assets.cli.console import err, out
    from e2i_assets.cli.main import app

    widths = out.width, err.width
    out.width = err.width = 250
    yield lambda *words: CliRunner().invoke(app, words, prog_name="e2i")
    out.width, err.width = widths


@pytest.fixture
def written(root: Path) -> Callable[..., Path]:
    """Write an experiment file."""

    def write(name: str, text: str | None = None, file: str | None = None) -> Path:
        path = root / "experiments" / (file or f"{name}.yaml")
        path.write_text(text or EXPERIMENT.format(name=name))
        return path

    return write
