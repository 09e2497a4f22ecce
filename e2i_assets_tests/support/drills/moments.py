"""Random moments of a run, defined by its progress rather than by time, so a busy machine changes little."""

import random
import time
from contextlib import suppress
from dataclasses import dataclass

import psycopg2

from drills.project import BUDGET, DrillProject, StartedRun
from e2i_assets.adapters.postgres.address import libpq_url

# The maximum number of seconds after each asset: about as long as the next one takes on a busy machine.
_STAGES = {
    "": 6.0,
    "dataset": 3.0,
    "validation_splits": 2.0,
    "warm_start": 3.0,
    "hpo_study": 1.5,
    "best_hyperparameters": 6.0,
    "trained_model": 2.0,
    "champion_model": 1.0,
}
_LONGEST_IN_A_TRIAL = 0.4
_SHARE_IN_THE_STUDY = 0.55
_ENDED = "SELECT count(*) FROM e2i.ml_hpo_trials WHERE state IN ('COMPLETE', 'PRUNED', 'FAIL')"
_POLL_SECONDS = 0.02
_PATIENCE_SECONDS = 400


@dataclass(frozen=True)
class Moment:
    """A number of seconds after the materialisation of an asset, or after a number of ended trials."""

    after: str | int
    seconds: float

    def __str__(self) -> str:
        what = f"{self.after} trials" if isinstance(self.after, int) else self.after or "the start"
        return f"{self.seconds:.2f} s after {what}"

    def awaited(self, project: DrillProject, run: StartedRun) -> bool:
        """Wait for the moment, and return False if the run ended before it."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        with _Watch(project) as watch:
            while not self._has_come(project, watch):
                if run.is_over():
                    return False
                assert time.monotonic() < deadline, f"{self} did not come: {run.last_words()}"
                time.sleep(_POLL_SECONDS)
        time.sleep(self.seconds)
        return not run.is_over()

    def _has_come(self, project: DrillProject, watch: "_Watch") -> bool:
        if isinstance(self.after, int):
            return watch.ended_trials() >= self.after
        return not self.after or project.has_value(self.after)


def drawn(source: random.Random) -> Moment:
    """Return a random moment, in most cases one during the study."""
    if source.random() < _SHARE_IN_THE_STUDY:
        return Moment(source.randrange(BUDGET), source.uniform(0, _LONGEST_IN_A_TRIAL))
    stage = source.choice(list(_STAGES))
    return Moment(stage, source.uniform(0, _STAGES[stage]))


def drawn_in_the_study(source: random.Random) -> Moment:
    """Return a random moment at which a trial is running."""
    return Moment(source.randrange(1, BUDGET - 2), source.uniform(0, _LONGEST_IN_A_TRIAL))


class _Watch:
    """Counts trials on one connection, which is opened as soon as a server accepts it."""

    def __init__(self, project: DrillProject) -> None:
        self._project = project
        self._connection: psycopg2.extensions.connection | None = None

    def __enter__(self) -> "_Watch":
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def ended_trials(self) -> int:
        if self._connection is None and (address := self._project.address()) is not None:
            with suppress(psycopg2.OperationalError):
                self._connection = psycopg2.connect(libpq_url(address), connect_timeout=2)
                self._connection.autocommit = True
        if self._connection is None:
            return -1
        with self._connection.cursor() as cursor:
            cursor.execute(_ENDED)
            row = cursor.fetchone()
        return -1 if row is None else int(row[0])
