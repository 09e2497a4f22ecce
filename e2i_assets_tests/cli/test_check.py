"""`e2i check` on a real project: its output, its effects and its exit codes."""

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


@pytest.fixture
def project(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project folder, configured by the environment."""
    (tmp_path / "experiments").mkdir()
    monkeypatch.setenv("E2I_HOME", str(tmp_path))
    monkeypatch.setenv("E2I_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("E2I_DATABASE_URL", database.url)
    return Project(from_environment(os.environ), database)


def exit_code_of(**arguments: Any) -> int:
    with pytest.raises(typer.Exit) as left:
        check(**arguments)
    return left.value.exit_code


def stored(project: Project) -> dict[str, tuple[int, bytes]]:
    files = [path for path in project.settings.state.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_check_reports_passed_and_failed_checks_and_changes_nothing(
    finished: Project, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = stored(finished)
    capsys.readouterr()

    assert exit_code_of() == 0
    printed = capsys.readouterr().out
    assert f"{len(CHECKS)} of {len(CHECKS)} checks passed." in printed
    assert all(one.name in printed for one in CHECKS)
    assert stored(finished) == before

    file = finished.asset_folder("best_hyperparameters", "plain") / "value.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "hpo_trials_run": -1}))
    assert exit_code_of(names=["plain"], json=True, junit=tmp_path / "reports" / "check.xml") == 1
    documents = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    contract = documents["output_contract_is_valid"]
    assert (contract["outcome"], contract["blocking"], contract["experiment"]) == ("failed", True, "plain")
    assert contract["why"] == "hpo_trials_run: -1 must be greater than or equal to 0"
    assert documents["training_contract_is_valid"]["outcome"] == "not evaluated"

    suite = ElementTree.parse(tmp_path / "reports" / "check.xml").getroot()[0]
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("plain", str(len(CHECKS)), "1")
    (failed,) = [case for case in suite if case.find("failure") is not None]
    assert (failed.get("classname"), failed.get("name")) == ("plain.best_hyperparameters", "output_contract_is_valid")

    assert exit_code_of() == 1
    assert "best_hyperparameters output_contract_is_valid (failed): hpo_trials_run: -1" in " ".join(
        capsys.readouterr().out.split()
    )


def test_checks_without_stored_values_are_not_evaluated(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    registered(project)
    assert exit_code_of() == 2
    printed = " ".join(capsys.readouterr().out.split())
    assert "schema_is_valid (not evaluated): dataset of plain does not exist yet: materialise it first" in printed
    # An experiment without the section predict has nothing to score, with or without a model.
    unscored = sum(one.asset == "predictions" for one in CHECKS)
    assert f"{unscored} of {len(CHECKS)} checks passed." in printed


def test_an_unknown_experiment_gets_a_suggestion(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    registered(project)
    assert exit_code_of(names=["plane"]) == 2
    assert "no experiment 'plane' is registered; did you mean 'plain'?" in " ".join(capsys.readouterr().err.split())


def test_a_project_without_experiments_is_not_evaluated(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of() == 2
    assert "no experiment is registered yet: `e2i run`" in " ".join(capsys.readouterr().err.split())


def test_an_unreachable_database_is_not_evaluated(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2I_DATABASE_URL", "postgresql://me:secret@127.0.0.1:1/e2i")
    assert exit_code_of(junit=None) == 2
    output = capsys.readouterr()
    assert "Not evaluated: No database answers at" in output.err
    assert "secret" not in output.err + output.out
