"""The short drill: PostgreSQL is killed or stopped during a study, and is restarted a moment later."""

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from drills.postgres import OwnServer, copy_of
from searched_project import finished, point, ready

from e2i_assets.adapters.postgres.database import Database

BUDGET = 16


@pytest.fixture
def own_server(server: Database, template: str) -> Iterator[OwnServer]:
    """A copy of the tests' server, with its migrated template as the database."""
    with copy_of(server, template) as copy:
        yield copy


@pytest.mark.processes
@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.drill)], ids=["killed", "stopped"]
)
def test_a_study_resumes_after_postgresql_was_killed_or_stopped(
    own_server: OwnServer, tmp_path: Path, number: signal.Signals
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed of the moment: {seed}")
    moments = random.Random(seed)
    project = ready(Database(own_server.url), tmp_path, BUDGET)
    program = project.started()
    assert program.stdout is not None
    for _ in range(moments.randrange(1, BUDGET // 2)):
        program.stdout.readline()
    time.sleep(moments.uniform(0, 0.2))
    before = finished(project.trials())
    own_server.end(number)
    own_server.start()
    program.communicate(timeout=60)
    assert before.items() <= finished(project.trials()).items()

    again = project.started()
    output = again.communicate(timeout=60)
    assert again.returncode == 0, output
    trials, study = project.trials(), project.study
    assert before.items() <= finished(trials).items()
    counted = [trial for trial in trials if trial.error_type != "Interrupted"]
    assert (study.status, study.stop_reason) == ("completed", "budget spent")
    assert len(counted) == study.n_completed + study.n_pruned + study.n_failed == BUDGET
    assert set(Counter(trial.state for trial in counted)) <= {"COMPLETE", "PRUNED"}
    assert len({point(trial) for trial in counted}) == BUDGET
    assert [trial.trial_number for trial in trials] == list(range(len(trials)))
    project.project.database.dispose()
