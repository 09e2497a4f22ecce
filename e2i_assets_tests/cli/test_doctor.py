"""`e2i doctor` finds what is wrong and changes nothing."""

import json
import os
from importlib import metadata
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.cli.dagster_home import dagster_instance
from e2i_assets.defs.abandoned_runs import LAUNCHER
from e2i_assets.defs.search_assets import STUDIES
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


def test_the_pool_names_who_has_its_slot_and_a_run_that_has_ended_with_it(project: Project, run_cli: Any) -> None:
    run = dg.DagsterRun("tune_and_train", run_id=str(uuid4()), tags={**LAUNCHER, "dagster/partition": "cells"})
    with dagster_instance(project.settings) as instance:
        assert looked(run_cli)["pool"]["state"] == "0 of 1 slots of the pool studies in use"
        instance.add_run(run.with_status(dg.DagsterRunStatus.STARTED))
        assert instance.event_log_storage.claim_concurrency_slot(STUDIES, run.run_id, "hpo_study").is_claimed
        with project.database.advisory_lock(run_lock("cells")):
            pool = looked(run_cli)["pool"]
            assert (pool["level"], pool["state"]) == ("ok", "1 of 1 slots of the pool studies in use: cells")
        pool = looked(run_cli)["pool"]
        assert pool["level"] == "warning"
        assert "ended without freeing its slot: cells" in pool["state"]
        assert "`e2i run`" in pool["advice"]


def test_runs_that_only_a_daemon_would_start_are_named_without_one(project: Project, run_cli: Any) -> None:
    server = RemoteRepositoryOrigin(GrpcServerCodeLocationOrigin(host="127.0.0.1", port=9), "__repository__")
    origin = RemoteJobOrigin(server, "tune_and_train")
    tags = {"dagster/partition": "cells"}
    run = dg.DagsterRun("tune_and_train", run_id=str(uuid4()), tags=tags, remote_job_origin=origin)
    with dagster_instance(project.settings) as instance:
        instance.add_run(run.with_status(dg.DagsterRunStatus.QUEUED))
        queue = looked(run_cli)["queue"]
    assert queue["level"] == "warning"
    assert "which only a daemon starts: cells" in queue["state"]


def test_a_state_folder_that_is_not_writable_is_an_error(
    project: Project, run_cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, state = os.access, project.settings.state
    monkeypatch.setattr(os, "access", lambda path, mode: path != state and real(path, mode))  # root may write anywhere
    assert looked(run_cli, 1)["state folder"]["state"] == f"{state} is not writable"


def test_packages_that_do_not_fit_are_named(project: Project, run_cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "1.9" if name == "sqlalchemy" else real(name))
    assert looked(run_cli, 1)["packages"]["state"].startswith("sqlalchemy 1.9 is not")
