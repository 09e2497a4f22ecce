"""`e2i run` as a process: it can be stopped at any moment, and the next run continues."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from sklearn.datasets import load_breast_cancer

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.services.project import Project

pytestmark = pytest.mark.processes

CELLS = """\
name: cells
owner: team:tests
source: {csv: cells.csv}
target: target
problem_type: binary_classification
algorithm: RandomForest
hpo: {trials: 12, pruner: none}
search_space: {n_estimators: {low: 25, high: 100}}
"""
GONE_WITHIN_SECONDS = 10


@pytest.fixture
def started(project: Project) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Start `e2i run`; its remaining processes end with the test."""
    root = project.settings.root
    (root / "experiments" / "cells.yaml").write_text(CELLS)
    load_breast_cancer(as_frame=True).frame.to_csv(root / "cells.csv", index=False)
    processes: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "e2i_assets.cli.main", "run"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        # Background jobs of a shell, and their children, ignore Ctrl-C; a program started by a terminal does not.
        processes.append(
            subprocess.Popen(command, text=True, start_new_session=True, preexec_fn=handle_ctrl_c, **pipes)
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def handle_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def until(condition: Callable[[], object], seconds: float) -> bool:
    """Wait until the condition is true; return whether it became true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


def finished_trials(project: Project) -> int:
    """Return the number of finished trials of all processes."""
    with project.database.connect() as connection:
        found: int = connection.exec_driver_sql(
            "SELECT count(*) FROM ml_hpo_trials WHERE state IN ('COMPLETE', 'PRUNED')"
        ).scalar_one()
    return found


def stop(first: subprocess.Popen[str], project: Project, how: signal.Signals) -> None:
    """Stop a run during its study, and assert that no process of it is left."""
    assert until(lambda: finished_trials(project) >= 2, 90), first.stdout.read()
    family = [psutil.Process(first.pid), *psutil.Process(first.pid).children(recursive=True)]
    assert len(family) >= 2
    first.send_signal(how)
    assert until(lambda: first.poll() is not None and not any(one.is_running() for one in family), GONE_WITHIN_SECONDS)


@pytest.mark.parametrize(
    ("how", "status"), [(signal.SIGTERM, 130), pytest.param(signal.SIGINT, 130, marks=pytest.mark.drill)]
)
def test_a_stopped_run_leaves_no_process(started, project: Project, how, status) -> None:
    first = started()
    stop(first, project, how)
    assert first.returncode == status


def test_a_killed_run_leaves_no_process_and_the_next_one_continues(started, project: Project) -> None:
    """Both runs together meet the budget, no finished trial is repeated, and a third run does nothing."""
    stop(started(), project, signal.SIGKILL)
    assert 2 <= finished_trials(project) < 12
    second = started()
    output, _ = second.communicate(timeout=120)
    assert second.returncode == 0, output
    with project.database.connect() as connection:
        study = connection.exec_driver_sql(
            "SELECT n_trials, n_completed + n_pruned + n_failed, status FROM ml_hpo_studies"
        ).all()
        repeated = connection.exec_driver_sql(
            "SELECT params FROM ml_hpo_trials WHERE state = 'COMPLETE' GROUP BY params HAVING count(*) > 1"
        ).all()
        links = connection.exec_driver_sql("SELECT status FROM training_run_links").all()
    assert study == [(12, 12, "completed")]
    assert repeated == []
    assert links == [("finished",)]

    third = started()
    output, _ = third.communicate(timeout=60)
    assert third.returncode == 0, output
    assert "Already up to date" in output


def test_a_failed_experiment_fails_the_command_with_cause_and_log_file(started, project: Project) -> None:
    (project.settings.root / "cells.csv").write_text("a,target\n1,0\n")
    process = started()
    output, _ = process.communicate(timeout=90)
    assert process.returncode == 1
    assert "cells failed." in output
    assert "target" in output
    assert "Traceback" not in output
    assert "run-cells.log" in output
    assert Path(project.settings.state, "logs", "run-cells.log").is_file()


def test_two_concurrent_runs_create_one_pool(tmp_path: Path, database: Database) -> None:
    """In a new database both create the pool, and Dagster's function for this fails in the second process."""
    program = (
        "import os, sys\n"
        "from e2i_assets.adapters.settings import from_environment\n"
        "from e2i_assets.cli.dagster_home import dagster_instance\n"
        "with dagster_instance(from_environment(os.environ)) as instance:\n"
        "    print([(pool.name, pool.limit) for pool in instance.event_log_storage.get_pool_limits()])\n"
    )
    environment = {**os.environ, "E2I_DATABASE_URL": database.url, "E2I_STATE": str(tmp_path)}
    both = [
        subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate()[0].strip() for process in both] == ["[('studies', 1)]"] * 2
