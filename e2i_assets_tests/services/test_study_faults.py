"""A study on three Dask workers, of which one is killed, one is frozen and one loses its connection."""

import math
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa
from cut_network import network
from dask_cluster import cluster
from fitted_again import value_again
from prepared_study import Prepared, prepared

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.study_rows import TrialRow
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study_result import StudyResult

PATIENCE = 120.0
_RUNNING = sa.text("""
    SELECT trial.trial_number FROM ml_hpo_trials AS trial JOIN ml_hpo_workers AS worker ON worker.name = trial.worker
    WHERE worker.process_id = :process_id AND trial.state = 'RUNNING'
""")
_WORKER = sa.text("SELECT name FROM ml_hpo_workers WHERE process_id = :process_id")


@dataclass(frozen=True)
class Fault:
    """A fault of a process that can be started and ended."""

    process: "subprocess.Popen[bytes]"
    begin: Callable[[], object]
    end: Callable[[], object]


def frozen(process: "subprocess.Popen[bytes]") -> Fault:
    return Fault(process, partial(process.send_signal, signal.SIGSTOP), partial(process.send_signal, signal.SIGCONT))


class RunningStudy:
    """A study that runs in another thread, and its state in the database."""

    def __init__(self, study: Prepared) -> None:
        self.study = study
        self.result: StudyResult | None = None
        self._thread = threading.Thread(target=self._search)
        self._thread.start()

    def _search(self) -> None:
        self.result = self.study.searched()

    def ended(self) -> StudyResult:
        self._thread.join(PATIENCE)
        assert self.result is not None, f"the study did not end: {self.study.said}"
        return self.result

    def running(self, process: "subprocess.Popen[bytes]") -> int | None:
        with self.study.project.database.connect() as connection:
            return connection.execute(_RUNNING, {"process_id": process.pid}).scalar_one_or_none()

    def name(self, process: "subprocess.Popen[bytes]") -> str:
        with self.study.project.database.connect() as connection:
            return str(connection.execute(_WORKER, {"process_id": process.pid}).scalar_one())

    def start_faults(self, faults: "list[Fault]") -> list[int]:
        """Start each fault while its process runs a trial; return the numbers of these trials."""
        deadline, numbers = time.monotonic() + PATIENCE, []
        waiting = list(faults)
        while waiting:
            assert time.monotonic() < deadline, f"{len(waiting)} were never in a trial"
            for fault in [one for one in waiting if self.running(one.process) is not None]:
                fault.begin()
                time.sleep(0.2)  # statements already sent have reached the server
                if (number := self.running(fault.process)) is None:
                    fault.end()
                else:
                    numbers.append(number)
                    waiting.remove(fault)
        return numbers

    def until(self, condition: Callable[[dict[int, TrialRow]], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition({row.trial_number: row for row in self.study.trials()}):
            assert time.monotonic() < deadline, self.study.said
            time.sleep(0.05)


@pytest.mark.processes
@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # the trial records it
@pytest.mark.parametrize(
    ("budget", "lease", "cut_seconds"),
    [
        pytest.param(40, 4.0, 6.0, marks=pytest.mark.drill),
        pytest.param(400, 10.0, 30.0, marks=pytest.mark.drill),
    ],
)
def test_a_killed_a_frozen_and_a_disconnected_worker_lose_and_repeat_no_trial(
    database: Database, tmp_path: Path, budget: int, lease: float, cut_seconds: float
) -> None:
    study = prepared(database, tmp_path, f"{{trials: {budget}, engine: dask, pruner: none}}", "LogisticRegression")
    with cluster(tmp_path) as dask, network(database.url) as way:
        back, dead = (dask.worker(name, database.url) for name in ("back", "dead"))
        cut_off = dask.worker("cut off", way.url)
        running = RunningStudy(study.with_settings(dask_address=dask.address, lease_seconds=lease))
        lost = running.start_faults([frozen(back), frozen(dead), Fault(cut_off, way.cut, way.restore)])
        began = time.monotonic()
        dead.kill()
        name = running.name(back)
        running.until(lambda rows: all(rows[number].state == "FAIL" for number in lost))
        back.send_signal(signal.SIGCONT)
        running.until(
            lambda rows: any(
                row.worker == name and row.state == "COMPLETE" and row.trial_number > max(lost) for row in rows.values()
            )
        )
        time.sleep(max(0.0, cut_seconds - (time.monotonic() - began)))
        way.restore()
        result = running.ended()
        assert sorted(running.study.told) == [row.trial_number for row in study.trials()], "each is told once"
        assert (back.poll(), cut_off.poll()) == (None, None), "who came back goes on"
    assert_complete(study, result, budget, lost)


def assert_complete(study: Prepared, result: StudyResult, budget: int, lost: list[int]) -> None:
    """Assert that the budget is met, each lost trial is retried once, and no point is repeated."""
    rows = study.trials()
    counted = [row for row in rows if row.error_type != "Interrupted"]
    assert (result.stop_reason, study.study.status) == ("budget spent", "completed")
    assert (len(counted), study.study.n_completed) == (budget, budget)
    assert {row.state for row in counted} == {"COMPLETE"}
    assert [row.trial_number for row in rows] == list(range(len(rows)))
    interrupted = {row.trial_number for row in rows if row.error_type == "Interrupted"}
    assert set(lost) <= interrupted
    again = Counter(row.user_attrs["retry_of"] for row in rows if row.origin == "retry")
    assert again == Counter(row.trial_number for row in rows if row.trial_number in interrupted and row.params)
    assert len({tuple(sorted(row.user_attrs["sampled"].items())) for row in counted}) == budget
    storage = optuna.storages.RDBStorage(study.project.database.url_for("optuna"))
    stored = optuna.load_study(study_name=study.study.study_name, storage=storage)
    storage.engine.dispose()
    assert [(t.number, t.state.name, t.value) for t in stored.trials] == [
        (r.trial_number, r.state, r.value) for r in rows
    ]
    objective = tuning.objective(study.project.experiment("cells"), study.rows)(math.inf)
    values = {t.number: value_again(objective, t.params, t.fold_rounds) for t in result.trials if t.value is not None}
    assert values == {t.number: t.value for t in result.trials if t.value is not None}
    assert result.best is not None
    assert (result.best.value, study.study.best_value) == (max(values.values()), max(values.values()))
