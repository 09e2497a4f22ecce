"""`e2i run` is ended beside a daemon, again and again: its slot in the pool of studies is free within 30 seconds."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import psutil
import pytest
from dagster_programs import ROOT, Programs

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings
from e2i_assets.cli.dagster_home import dagster_instance
from e2i_assets.defs.search_assets import STUDIES

pytestmark = [pytest.mark.processes, pytest.mark.drill, pytest.mark.timeout(3600)]

ROUNDS = int(os.environ.get("E2I_SLOT_ROUNDS") or 20)
ROWS = int(os.environ.get("E2I_SLOT_ROWS") or 200_000)
MOST_SECONDS = 30.0
# As by a service manager, by a closed terminal, and by a machine without memory.
END = ("terminate", "kill the command", "kill all")
EXPERIMENT = """\
name: large
owner: team:tests
source: {parquet: large.parquet}
target: {column: target}
problem_type: binary_classification
algorithm: LightGBM
hpo: {trials: 200}
warm_start: {enabled: false}
"""


@pytest.fixture
def programs(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Programs]:
    """A project with one large experiment, the shipped `dagster.yaml` and a daemon that launches nothing itself."""
    root = tmp_path / "project"
    (root / "experiments").mkdir(parents=True)
    for name in ("workspace.yaml", "dagster.yaml"):
        (root / name).write_text((ROOT / name).read_text())
    (root / "experiments" / "large.yaml").write_text(EXPERIMENT)
    draw = np.random.default_rng(0)
    rows = pd.DataFrame(draw.normal(size=(ROWS, 12)), columns=[f"x{number}" for number in range(12)])
    rows["target"] = np.where(rows["x0"] + rows["x1"] * rows["x2"] + draw.normal(size=ROWS) > 0, "yes", "no")
    rows.to_parquet(root / "large.parquet")
    made = Programs(Settings(root, root / ".e2i", database.url), database, {"E2I_AUTOMATION": "off"})
    for name, value in made.all_environment.items():
        if name.startswith("E2I_"):
            monkeypatch.setenv(name, value)
    made.start("daemon")
    try:
        yield made
    finally:
        made.end()


def holders(instance: dg.DagsterInstance) -> set[str]:
    """Return the ids of the runs that hold a slot of the pool."""
    return {slot.run_id for slot in instance.event_log_storage.get_concurrency_info(STUDIES).claimed_slots}


def command(programs: Programs, log: Path) -> "subprocess.Popen[bytes]":
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "e2i_assets.cli.main", "run", "large"],
            cwd=programs.settings.root,
            env=programs.all_environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def test_the_slot_of_an_ended_command_is_free_within_30_seconds(programs: Programs, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    draw, seconds = random.Random(seed), []
    log = tmp_path / "run.log"
    with dagster_instance(programs.settings) as instance:
        for number in range(ROUNDS):
            process = command(programs, log)

            def holder(process: "subprocess.Popen[bytes]" = process) -> set[str]:
                assert process.poll() is None, log.read_text()
                return holders(instance)

            (run_id,) = programs.wait(holder, 300, f"the study of round {number}")
            time.sleep(draw.uniform(0, 3))
            end = END[number % len(END)]
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            for one in family if end == "kill all" else family[:1]:
                with suppress(psutil.NoSuchProcess):
                    one.send_signal(signal.SIGTERM if end == "terminate" else signal.SIGKILL)
            began = time.monotonic()
            process.wait()

            def is_free(run_id: str = run_id) -> bool:
                run = instance.get_run_by_id(run_id)
                return run is not None and run.is_finished and run_id not in holders(instance)

            programs.wait(is_free, 120, "the free slot")
            seconds.append(time.monotonic() - began)
            print(f"round {number}, {end}: free after {seconds[-1]:.1f} s", flush=True)
        assert not [run for run in instance.get_runs() if "dagster/parent_run_id" in run.tags], "nothing was repeated"
    numbers = [number for (number,) in programs.rows("SELECT trial_number FROM ml_hpo_trials ORDER BY 1")]
    assert numbers == list(range(len(numbers)))
    assert programs.rows("SELECT count(*) FROM ml_hpo_studies") == [(1,)]
    assert max(seconds) <= MOST_SECONDS, seconds
