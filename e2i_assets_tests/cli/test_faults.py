"""`e2i run` while MLflow and the trace receiver fail: it succeeds, and reports what is missing.

The timeouts are tested without fits in `adapters/test_mlflow_tracker.py` and `adapters/test_tracing.py`.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_breast_cancer
from troubled_server import Trouble, troubled

from e2i_assets.adapters.files.experiment_files import read_experiment
from e2i_assets.adapters.repositories.experiments import ExperimentRepository
from e2i_assets.cli.run_one import outcome_of
from e2i_assets.services.project import Project

CELLS = """\
name: cells
owner: team:tests
source: {csv: cells.csv}
target: target
problem_type: binary_classification
algorithm: LogisticRegression
hpo: {trials: 3}
"""


@pytest.fixture
def cells(project: Project) -> Project:
    root = project.settings.root
    (root / "experiments" / "cells.yaml").write_text(CELLS)
    load_breast_cancer(as_frame=True).frame.to_csv(root / "cells.csv", index=False)
    return project


def ran(**environment: str) -> dict[str, Any]:
    """Run `e2i run --json` as a process, and return its document."""
    command = [sys.executable, "-m", "e2i_assets.cli.main", "run", "--json"]
    process = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=170
    )
    assert process.returncode == 0, process.stdout + process.stderr
    (found,) = json.loads(process.stdout)
    return dict(found)


def stored(project: Project) -> list[Any]:
    with project.database.connect() as connection:
        return list(connection.exec_driver_sql("SELECT status, mlflow_run_id, model_uri FROM ml_training_runs"))


def assert_stored_without_tracking(project: Project, missing: list[str]) -> None:
    """Assert that the model is stored, no id is invented, and the missing parts are named."""
    lost, waiting = sorted(missing, key=lambda what: "MLflow" in what)
    assert "traces: 2 of 2 spans were not received" in lost
    assert "not in MLflow yet, unavailable: TrackingUnreachable: no MLflow server answers" in waiting
    ((status, mlflow_run_id, model_uri),) = stored(project)
    assert (status, mlflow_run_id) == ("finished", None)
    assert Path(model_uri.removeprefix("file://"), "MLmodel").is_file()


@pytest.mark.parametrize("trouble", ["gone", "errors", "slow"])
def test_a_run_succeeds_and_reports_what_is_missing(
    cells: Project, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of MLflow discards no model."""
    ExperimentRepository(cells.database).register_experiment(read_experiment(cells.settings.experiments / "cells.yaml"))
    with troubled(trouble) as address:
        monkeypatch.setenv("E2I_MLFLOW_TRACKING_URI", address)
        monkeypatch.setenv("E2I_TRACING_ENDPOINT", address)
        there = Project(replace(cells.settings, mlflow_tracking_uri=address), cells.database)
        outcome = outcome_of(there, "cells")
    assert outcome["status"] == "done", outcome
    assert [one["check"] for one in outcome["checks"]] == ["mlflow_has_the_run"]
    assert_stored_without_tracking(cells, outcome["missing"])


@pytest.mark.processes
def test_the_next_run_sends_what_was_missing(cells: Project) -> None:
    """Nothing is trained again."""
    with troubled("errors") as address:
        found = ran(E2I_MLFLOW_TRACKING_URI=address, E2I_TRACING_ENDPOINT=address)
    assert (found["status"], found["mlflow_run_id"]) == ("done", None)
    assert found["tuned_on_test"] > 0.9
    assert_stored_without_tracking(cells, found["missing"])
    again = ran()
    assert (again["status"], again["caught_up"], again["missing"]) == ("up_to_date", 1, [])
    assert [row.mlflow_run_id for row in stored(cells)] == [again["mlflow_run_id"]]
    assert again["mlflow_run_id"]
