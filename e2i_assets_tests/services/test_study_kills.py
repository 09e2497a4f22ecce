"""A study that is killed repeatedly at random moments: no completed trial is lost, repeated or counted twice."""

import random
import signal
import time
from collections import Counter
from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa
from fitted_again import value_again
from searched_project import finished, point, ready

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.studies import StudyRepository
from e2i_assets.core.search import tuning
from e2i_assets.services import remember, tune

MOST_TRIALS_OF_A_LIFE = 9
LONGEST_MOMENT = 0.3  # longer than a trial takes


ACTIVE_STATEMENTS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"


def wait_for_statements(database: Database) -> None:
    """Wait until the server has finished the statements of the killed client."""
    deadline = time.monotonic() + 20
    with database.connect() as connection:
        while connection.execute(sa.text(ACTIVE_STATEMENTS)).scalar_one() > 1:  # this query itself is active
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.mark.processes
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("kills", "budget"), [(2, 40), pytest.param(20, 120, marks=pytest.mark.drill)])
def test_a_study_killed_at_random_moments_ends_like_an_uninterrupted_one(
    database: Database, other_database: Database, tmp_path: Path, kills: int, budget: int
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed of the moments: {seed}")
    moments = random.Random(seed)
    killed = ready(database, tmp_path, budget)
    before: dict[int, tuple[object, ...]] = {}
    first_kill: int | None = None
    cut_short: set[int] = set()
    lives = 0
    while lives < kills or not cut_short:
        lives += 1
        program = killed.started()
        assert program.stdout is not None
        for _ in range(moments.randrange(MOST_TRIALS_OF_A_LIFE)):
            program.stdout.readline()
        time.sleep(moments.uniform(0.0, LONGEST_MOMENT))
        program.kill()
        program.communicate()
        assert program.returncode == -signal.SIGKILL, "it was to be killed while it worked, and ended by itself"
        wait_for_statements(database)
        there = killed.trials() if StudyRepository(database).by_spec_hash(killed.identity) else []
        cut_short |= {trial.trial_number for trial in there if trial.state == "RUNNING"}
        after = finished(there)
        assert before.items() <= after.items(), "a trial that had ended was lost or changed"
        before, first_kill = after, len(after) if first_kill is None else first_kill
    last = killed.started()
    last.communicate()
    assert last.returncode == 0

    study, trials = killed.study, killed.trials()
    assert before.items() <= finished(trials).items()
    counted = [trial for trial in trials if trial.error_type != "Interrupted"]
    states = Counter(trial.state for trial in counted)
    assert (study.status, study.stop_reason) == ("completed", "budget spent")
    assert len(counted) == study.n_completed + study.n_pruned + study.n_failed == budget
    assert (study.n_completed, study.n_pruned, study.n_failed) == tuple(
        states[state] for state in ("COMPLETE", "PRUNED", "FAIL")
    )
    # A second kill may interrupt the retry: that trial has failed, and counts.
    twice = [trial for trial in trials if trial.error_type == "InterruptedAgain"]
    assert states["FAIL"] == len(twice)
    assert set(states) <= {"COMPLETE", "PRUNED", "FAIL"}
    assert all(trial.origin == "retry" for trial in twice)
    assert [trial.trial_number for trial in trials] == list(range(len(trials)))
    # A configuration is retried only if its first process died, and exactly once.
    interrupted = [trial for trial in trials if trial.error_type == "Interrupted"]
    assert {trial.trial_number for trial in [*interrupted, *twice]} == cut_short
    assert len({point(trial) for trial in counted if trial not in twice}) == budget - len(twice)
    assert len({tuple(trial.params.items()) for trial in twice}) == len(twice), "some were killed before they drew"
    retries = Counter(trial.user_attrs["retry_of"] for trial in trials if trial.origin == "retry")
    assert retries == Counter(trial.trial_number for trial in interrupted if trial.params)
    # Optuna's tables contain the same trials.
    storage = optuna.storages.RDBStorage(database.url_for("optuna"))
    theirs = optuna.load_study(study_name=study.study_name, storage=storage)
    expected = [(trial.trial_number, trial.state, trial.value) for trial in trials]
    assert [(trial.number, trial.state.name, trial.value) for trial in theirs.trials] == [
        (number, state, value if state != "PRUNED" else theirs.trials[number].value)
        for number, state, value in expected
    ]

    (tmp_path / "whole").mkdir()
    whole = ready(other_database, tmp_path / "whole", budget)
    start = remember.warm_start(whole.project, whole.project.experiment("cells"), whole.rows)
    tune.tuned(whole.project, whole.project.experiment("cells"), whole.rows, start, print)
    alike = finished(whole.trials())
    assert len(alike) == budget
    untouched = {number: before[number] for number in range(first_kill or 0)}
    assert untouched.items() <= alike.items(), "before the first kill the two are the same study"
    assert study.best_value is not None
    best = next(trial for trial in trials if trial.trial_number == study.best_trial_number)
    again = value_again(tuning.objective(killed.project.experiment("cells"), killed.rows)(float("inf")), best.params)
    assert again == pytest.approx(study.best_value, abs=1e-9)
    with database.connect() as connection:
        orphans = "SELECT count(*) FROM ml_hpo_trials WHERE state IN ('RUNNING', 'WAITING')"
        assert connection.execute(sa.text(orphans)).scalar_one() == 0
    storage.engine.dispose()
