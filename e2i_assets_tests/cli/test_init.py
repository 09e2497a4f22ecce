"""`e2i init`, and the commands in the folder that it makes."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

RunCli = Callable[..., Result]
FILES = {".env.example", "dg.toml", "docs/experiment.schema.json", "experiments/rand_visits.yaml"}


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def nowhere(run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: an empty one, without a configured project."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.delenv("E2I_HOME")
    monkeypatch.chdir(folder)
    return folder


def test_a_new_project_folder_needs_nothing_else(
    nowhere: Path, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = run_cli("init", "models")
    assert answer.exit_code == 0
    assert "  cd models\n  e2i run\n" in answer.stdout
    assert files_in(nowhere) == {f"models/{name}" for name in FILES}
    monkeypatch.chdir(nowhere / "models")
    assert run_cli("experiment", "validate").stdout == "ok rand_visits\n"
    assert "rand_visits" in run_cli("experiment", "list").stdout


def test_no_file_is_overwritten(nowhere: Path, run_cli: RunCli) -> None:
    (nowhere / ".env.example").write_text("MINE=1\n")
    answer = run_cli("init")
    assert answer.exit_code == 1
    assert answer.stderr == f"Error: {nowhere} has .env.example already, nothing was written: choose another folder\n"
    assert files_in(nowhere) == {".env.example"}


@pytest.mark.parametrize("words", [("run",), ("check",), ("experiment", "list"), ("db", "migrate")])
def test_outside_of_a_project_a_command_says_how_to_make_one(
    nowhere: Path, run_cli: RunCli, words: tuple[str, ...]
) -> None:
    answer = run_cli(*words)
    assert answer.exit_code != 0
    assert f"E2I_HOME is not set, and neither {nowhere} nor a folder above it has experiments/" in answer.stderr
    assert "`e2i init DIR` makes one" in answer.stderr


def test_the_version_is_that_of_the_installed_package(nowhere: Path, run_cli: RunCli) -> None:
    assert re.fullmatch(r"e2i_assets \d+\.\d+\.\d+\n", run_cli("--version").stdout)
