"""Faults at random moments of real runs: no data is lost or doubled, and no process is left.

The seed of a session is printed and stored in each record: `E2I_DRILL_SEED=... make drill ARGS="-k 'run_killed-3'"`
repeats a round.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from drills import faults, services, small_disk, storage
from drills.faults import embedded, external
from drills.moments import drawn
from drills.other_programs import (
    before_the_study,
    daemon_killed,
    other_worker_killed,
    webserver_killed,
    with_daemon,
    with_daemon_and_webserver,
)
from drills.project import prepared
from drills.rounds import Drill, round_of

SEED = int(os.environ.get("E2I_DRILL_SEED") or random.SystemRandom().randrange(2**32))
EMBEDDED, OWN = "embedded PostgreSQL", "PostgreSQL"
DRILLS = [
    Drill("run killed", embedded, faults.run_killed, 7, goes_on=False),
    Drill("command killed", embedded, faults.command_killed, 3, goes_on=False),
    Drill("process killed", embedded, faults.process_killed, 4, goes_on=False),
    Drill("second worker killed", external, other_worker_killed, 3, before_the_study, True),
    Drill(f"{EMBEDDED} killed", embedded, faults.postmaster_killed, 5),
    Drill(f"{EMBEDDED} without keeper", embedded, faults.supervisor_killed, 2),
    Drill(f"{EMBEDDED} crashed", embedded, faults.backend_killed, 3),
    Drill(f"{OWN} killed and started", external, faults.server_killed, 4),
    Drill(f"{OWN} stopped and started", external, faults.server_stopped, 4),
    Drill(f"{OWN} out of connections", external, faults.out_of_connections, 4),
    Drill(f"{OWN} out of disk", small_disk.on_a_small_disk, small_disk.disk_full, 4),
    Drill(f"{OWN} with a lock held", external, faults.lock_held, 3, goes_on=True),
    Drill("MLflow killed", services.with_mlflow, services.mlflow_killed, 2, services.during_logging, True),
    Drill("MLflow hangs", services.with_mlflow, services.mlflow_hangs, 1, services.during_logging, True),
    Drill("trace receiver gone", services.with_receiver, services.receiver_gone, 1, drawn, True),
    Drill("trace receiver hangs", services.with_receiver, services.receiver_hangs, 1, drawn, True),
    Drill("run on object storage killed", storage.with_object_storage, faults.run_killed, 6, goes_on=False),
    Drill("process on object storage killed", storage.with_object_storage, faults.process_killed, 3, goes_on=False),
    Drill("object storage stopped and started", storage.with_object_storage, storage.storage_gone, 5),
    Drill("daemon killed", with_daemon, daemon_killed, 2, goes_on=True),
    Drill("webserver killed", with_daemon_and_webserver, webserver_killed, 1, goes_on=True),
]
ROUNDS = [(drill, number) for drill in DRILLS for number in range(drill.rounds)]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Path]:
    """The folder of a stopped cluster with all tables."""
    with prepared() as folder:
        yield folder


@pytest.mark.drill
@pytest.mark.processes
@pytest.mark.timeout(3000)
@pytest.mark.parametrize(
    ("drill", "number"), ROUNDS, ids=[f"{drill.name.replace(' ', '_')}-{number}" for drill, number in ROUNDS]
)
def test_no_data_is_lost_or_doubled_and_no_process_is_left(drill: Drill, number: int, cluster: Path) -> None:
    print(f"E2I_DRILL_SEED={SEED}")
    record = round_of(drill, number, SEED, cluster)
    assert record.is_clean, record
