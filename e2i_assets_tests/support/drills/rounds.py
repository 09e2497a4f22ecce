"""One round of a drill: a fresh project, a run, a fault during it, the next run, and the invariants afterwards."""

import json
import os
import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from drills.faults import Fault, Scene
from drills.invariants import Ended, Findings, ended_trials, findings
from drills.moments import Moment, drawn
from e2i_assets.adapters.postgres.database import Database

RECORDS = "E2I_DRILL_RECORDS"
# The rounds of this process, for the table at its end.
PLAYED: list[dict[str, Any]] = []
_MOST_DRAWS = 4
# Retries wait 5, 20, 80 and 320 s when a fault persists; a run that takes longer than this hangs.
_LONGEST_SECONDS = 600.0


@dataclass(frozen=True)
class Drill:
    """A kind of fault, and the project and the moment of it.

    Attributes:
        rounds: Number of rounds of a long drill.
        goes_on: Whether the interrupted run ends by itself with exit status 0: True if it must, False if it cannot
            because it was killed, None if both are allowed.
    """

    name: str
    stage: Callable[[Path, random.Random], AbstractContextManager[Scene]]
    fault: Fault
    rounds: int
    moment: Callable[[random.Random], Moment] = drawn
    goes_on: bool | None = None


@dataclass(frozen=True)
class Record:
    """The result of a round.

    Attributes:
        went_on: Whether the interrupted run ended by itself with exit status 0.
        said: Last output of a run that failed by itself.
        trials_before: Trials that had ended before the fault.
        next_status: Exit status of the next run.
    """

    drill: str
    number: int
    seed: int
    moment: str
    went_on: bool
    said: str
    trials_before: int
    next_status: int
    seconds: float
    findings: Findings
    trouble: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        return self.next_status == 0 and not self.trouble and not any(asdict(self.findings).values())


def round_of(drill: Drill, number: int, seed: int, template: Path) -> Record:
    """Play a round; repeat it with other random choices until the fault happens during the run."""
    for draw in range(_MOST_DRAWS):
        source = random.Random(f"{seed} {drill.name} {number} {draw}")
        with drill.stage(template, source) as scene:
            began, moment = time.monotonic(), drill.moment(source)
            scene.run = scene.started()
            if not moment.awaited(scene.project, scene.run):
                scene.run.wait(60)
                continue
            record = _struck(drill, number, seed, scene, str(moment), began)
        _keep(record)
        return record
    raise AssertionError(f"{drill.name} {number}, seed {seed}: the run was over before each of {_MOST_DRAWS} moments")


def _struck(drill: Drill, number: int, seed: int, scene: Scene, moment: str, began: float) -> Record:
    run = scene.under_way
    before = _known(scene)
    drill.fault(scene)
    status = run.wait(_LONGEST_SECONDS)
    for mend in scene.afterwards:
        mend()
    trouble = [] if run.ended_in_time else [f"the run went on for {_LONGEST_SECONDS:.0f} s"]
    if drill.goes_on not in (None, status == 0):
        trouble.append(f"the run ended with {status}")
    if run.speaks_to_a_person and "Traceback" in run.complained.read_text(errors="replace"):
        trouble.append("a person was shown a traceback")
    with scene.project.open() as project:
        before = {**before, **ended_trials(project.database)}
    following = scene.project.started()
    next_status = following.wait(_LONGEST_SECONDS)
    if next_status:
        trouble.append(f"the next run failed: {following.last_words()}")
    with scene.project.open() as project:
        found = findings(project, before)
    said = "" if status == 0 else run.last_words()
    seconds = time.monotonic() - began
    return Record(
        drill.name, number, seed, moment, status == 0, said, len(before), next_status, seconds, found, tuple(trouble)
    )


def _known(scene: Scene) -> Ended:
    """Return the trials whose end was visible before the fault."""
    address = scene.project.address()
    if address is not None:
        database = Database(address)
        try:
            with suppress(DBAPIError):  # the server does not run yet
                return ended_trials(database)
        finally:
            database.dispose()
    return {}


def _keep(record: Record) -> None:
    PLAYED.append(asdict(record))
    if place := os.environ.get(RECORDS):
        with Path(place).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(record)) + "\n")
