"""`e2i check` on a real project: what it prints, what it writes, and how it leaves."""

import json
import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import typer
from finished_project import registered

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import from_environment
from e2i_assets.cli.check import check
from e2i_assets.services.checks.catalogue import CHECKS
from e2i_assets.services.project import Project

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project folder without anything in it, as the command finds it."""
    (tmp_path / "sql").symlink_to(ROOT / "sql")
    monkeypatch.setenv("E2I_HOME", str(tmp_path))
    monkeypatch.setenv("E2I_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("E2I_DATABASE_URL", database.url)
    return Project(from_environment(os.environ), database)


def left_with(**arguments: Any) -> int:
    with pytest.raises(typer.Exit) as left:
        check(**arguments)
    return left.value.exit_code


def stored(project: Project) -> dict[str, tuple[int, bytes]]:
    files = [path for path in project.settings.state.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_a_check_says_what_holds_then_what_is_broken_and_changes_nothing(
    finished: Project, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = stored(finished)
    capsys.readouterr()

    assert left_with() == 0
    printed = capsys.readouterr().out
    assert f"{len(CHECKS)} of {len(CHECKS)} checks passed." in printed
    assert all(one.name in printed for one in CHECKS)
    assert stored(finished) == before

    file = finished.asset_folder("best_hyperparameters", "plain") / "value.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "hpo_trials_run": -1}))
    assert left_with(names=["plain"], json=True, junit=tmp_path / "reports" / "check.xml") == 1
    documents = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    contract = documents["output_contract_is_valid"]
    assert (contract["outcome"], contract["blocking"], contract["experiment"]) == ("failed", True, "plain")
    assert contract["why"] == "hpo_trials_run: -1 must be greater than or equal to 0"
    assert documents["training_contract_is_valid"]["outcome"] == "not evaluated"

    suite = ElementTree.parse(tmp_path / "reports" / "check.xml").getroot()[0]
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("plain", str(len(CHECKS)), "1")
    (failed,) = [case for case in suite if case.find("failure") is not None]
    assert (failed.get("classname"), failed.get("name")) == ("plain.best_hyperparameters", "output_contract_is_valid")

    assert left_with() == 1
    assert "best_hyperparameters output_contract_is_valid (failed): hpo_trials_run: -1" in " ".join(
        capsys.readouterr().out.split()
    )


def test_nothing_made_yet_is_not_a_failure_and_not_a_success(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    registered(project)
    assert left_with() == 2
    printed = " ".join(capsys.readouterr().out.split())
    assert "schema_is_valid (not evaluated): dataset of plain is not there yet: materialise it first" in printed
    assert f"0 of {len(CHECKS)} checks passed." in printed


def test_a_name_that_nobody_registered_gets_a_suggestion(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    registered(project)
    assert left_with(names=["plane"]) == 2
    assert "no experiment 'plane' is registered; did you mean 'plain'?" in " ".join(capsys.readouterr().err.split())


def test_a_project_without_experiments_could_not_be_looked_at(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert left_with() == 2
    assert "no experiment is registered yet: `e2i run`" in " ".join(capsys.readouterr().err.split())


def test_a_database_that_does_not_answer_could_not_be_looked_at(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2I_DATABASE_URL", "postgresql://me:secret@127.0.0.1:1/e2i")
    assert left_with(junit=None) == 2
    said = capsys.readouterr()
    assert "Not evaluated: No database answers at" in said.err
    assert "secret" not in said.err + said.out
