"""Fixtures of a project folder for each test, and of the command line in it."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import project_fixtures
import pytest
from click.testing import Result

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
root, project, finished = project_fixtures.root, project_fixtures.project, project_fixtures.finished


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
