"""`dg launch` in a project folder, as a user types it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster_programs import write_experiment

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.cli.init import init
from e2i_assets.cli.run_one import dagster_instance
from e2i_assets.defs.namespace import EXPERIMENTS
from e2i_assets.services.project import Project

SEARCH = "key:dataset or key:validation_splits or key:warm_start or key:hpo_study"


@pytest.fixture
def instance(project: Project) -> Iterator[dg.DagsterInstance]:
    """The project's instance, with the experiment as a partition."""
    root = project.settings.root
    init(root)
    write_experiment(root, "cells", trials=8)
    with dagster_instance(project.settings) as found:
        found.add_dynamic_partitions(EXPERIMENTS, ["cells"])
        yield found


def launch(root: Path, config: dict[str, object]) -> "subprocess.CompletedProcess[str]":
    dg_command = Path(sys.executable).parent / "dg"
    asked = json.dumps({"ops": {"hpo_study": {"config": config}}})
    command = [dg_command, "launch", "--assets", SEARCH, "--partition", "cells", "--config-json", asked]
    environment = {**os.environ, "DAGSTER_HOME": str(root / ".e2i" / "dagster"), "DAGSTER_DISABLE_TELEMETRY": "1"}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.processes
def test_a_launch_runs_the_trials_of_its_config_and_a_misspelt_one_is_refused(
    project: Project, instance: dg.DagsterInstance, database: Database
) -> None:
    refused = launch(project.settings.root, {"trails": 3})
    assert refused.returncode != 0
    assert "trails" in refused.stdout + refused.stderr
    ended = launch(project.settings.root, {"trials": 3})
    assert ended.returncode == 0, ended.stdout + ended.stderr
    with database.connect() as connection:
        rows = connection.exec_driver_sql("SELECT n_completed, budget_override FROM ml_hpo_studies").all()
    assert rows == [(3, {"trials": 3})]
