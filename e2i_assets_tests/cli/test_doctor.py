"""`e2i doctor` finds what is wrong and changes nothing."""

import json
from importlib import metadata
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.cli.dagster_home import dagster_instance
from e2i_assets.defs.abandoned_runs import LAUNCHER
from e2i_assets.services.project import Project
from e2i_assets.services.run_lock import run_lock


def looked(run_cli: Any, status: int = 0) -> dict[str, dict[str, str]]:
    """Return the findings by subject."""
    result = run_cli("doctor", "--json")
    assert result.exit_code == status, result.output
    return {one["subject"]: one for one in json.loads(result.stdout)}


def test_a_sound_project_has_no_finding(project: Project, run_cli: Any) -> None:
    found = looked(run_cli)
    assert {one["level"] for one in found.values()} == {"ok"}, found
    assert metadata.version("dagster") in found["packages"]["state"]
    assert found["database role"]["state"] == "this process acts as e2i_worker"
    assert "tables up to date" in found["database"]["state"]
    assert run_cli("doctor").exit_code == 0


def test_a_file_that_is_not_valid_is_named(project: Project, run_cli: Any) -> None:
    (project.settings.experiments / "broken.yaml").write_text("name: broken\nalgorthm: XGBoost\n")
    found = looked(run_cli, 1)["experiments"]
    assert (found["level"], found["advice"]) == ("error", "run `e2i validate`")
    assert "broken.yaml" in found["state"]


def test_a_database_that_does_not_answer_is_an_error_and_the_rest_is_looked_at(
    root: Path, run_cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2I_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    found = looked(run_cli, 1)
    assert found["database"]["level"] == "error"
    assert found["packages"]["level"] == "ok"
    assert "runs" not in found


def test_tables_that_are_not_prepared_are_not_made(
    root: Path, empty_database: Database, run_cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2I_DATABASE_URL", empty_database.url)
    found = looked(run_cli, 1)
    assert "run `e2i db migrate`" in found["database"]["state"]
    with empty_database.connect() as connection:
        assert connection.exec_driver_sql("SELECT to_regnamespace('e2i') IS NULL").scalar_one()


def test_a_run_whose_process_has_died_is_named_and_stays(project: Project, run_cli: Any) -> None:
    run = dg.DagsterRun("tune_and_train", run_id=str(uuid4()), tags={**LAUNCHER, "dagster/partition": "cells"})
    with dagster_instance(project.settings) as instance:
        instance.add_run(run.with_status(dg.DagsterRunStatus.STARTED))
        with project.database.advisory_lock(run_lock("cells")):
            assert looked(run_cli)["runs"]["level"] == "ok"
        found = looked(run_cli)["runs"]
        assert found["level"] == "warning"
        assert run.run_id in found["state"]
        assert "`e2i run cells`" in found["advice"]
        stored = instance.get_run_by_id(run.run_id)
        assert stored is not None
        assert stored.status == dg.DagsterRunStatus.STARTED


def test_packages_that_do_not_fit_are_named(project: Project, run_cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "1.9" if name == "sqlalchemy" else real(name))
    assert looked(run_cli, 1)["packages"]["state"].startswith("sqlalchemy 1.9 is not")
