"""The same work in two concurrent processes: the result is that of two successive runs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from finished_project import PLAIN, made
from sklearn.datasets import load_breast_cancer

from e2i_assets.services.project import Project

pytestmark = pytest.mark.processes

SUPPORT = Path(__file__).parents[1] / "support"
CELLS = PLAIN.replace("name: plain", "name: cells").replace("hpo: {enabled: false}", "hpo: {trials: 6}")


def started(*command: object) -> "subprocess.Popen[str]":
    words = [sys.executable, *map(str, command)]
    pipes = subprocess.PIPE
    return subprocess.Popen(words, stdin=pipes, stdout=pipes, stderr=pipes, text=True, env=dict(os.environ))


def counted(project: Project, *queries: str) -> list[Any]:
    with project.database.connect() as connection:
        return [connection.exec_driver_sql(query).scalar_one() for query in queries]


EXACTLY_ONE = (
    "SELECT count(*) FROM ml_training_runs",
    "SELECT count(*) FROM ml_training_runs WHERE status = 'finished' AND model_uri IS NOT NULL",
    "SELECT count(*) FROM mlflow.runs WHERE lifecycle_stage = 'active'",
    "SELECT count(*) FROM ml_hpo_patterns WHERE source = 'study'",
    "SELECT count(*) FROM training_run_links AS link JOIN mlflow.runs AS run ON run.run_uuid = link.mlflow_run_id",
)


def test_two_concurrent_runs_make_one_study_one_model_and_one_pattern(project: Project) -> None:
    root = project.settings.root
    (root / "experiments" / "cells.yaml").write_text(CELLS)
    load_breast_cancer(as_frame=True).frame.to_csv(root / "cells.csv", index=False)
    both = [started("-m", "e2i_assets.cli.main", "run", "cells", "--json") for _ in range(2)]
    ended = [process.communicate(timeout=170) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    assert sorted(json.loads(out)[0]["status"] for out, _ in ended) == ["done", "up_to_date"]
    assert counted(project, *EXACTLY_ONE) == [1] * len(EXACTLY_ONE)
    trials = "SELECT count(*) FROM ml_hpo_trials", "SELECT count(*) FROM optuna.trials"
    assert counted(project, *trials, "SELECT count(*) FROM ml_hpo_studies") == [6, 6, 1]


@pytest.mark.drill
def test_two_concurrent_trainings_make_one_row_one_mlflow_run_and_a_valid_model(project: Project) -> None:
    """Two trainings of one study, for example by the command line and by the UI."""
    made(project, PLAIN.replace("hpo: {enabled: false}", "hpo: {trials: 4, workers: 1}"))
    both = [started(SUPPORT / "train_once.py", "plain") for _ in range(2)]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    assert len({out.split()[0] for out, _ in ended}) == 1
    assert counted(project, *EXACTLY_ONE) == [1] * len(EXACTLY_ONE)
    # Each of the two accessed the test rows, which is a warning and fails no blocking check.
    checked = started("-m", "e2i_assets.cli.main", "check", "plain")
    output, _ = checked.communicate(timeout=120)
    assert checked.returncode == 0, output
