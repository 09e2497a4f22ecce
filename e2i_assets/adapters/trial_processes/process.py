"""One process that fits trials, as its parent sees it: asked, followed, and killed when it takes too much."""

import math
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import psutil

from e2i_assets.adapters.trial_processes.errors import (
    TrialDied,
    TrialNotBegun,
    TrialProcessFailed,
    TrialTooLarge,
    TrialTooSlow,
)
from e2i_assets.adapters.trial_processes.worker import GO_ON
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.search.fit_warnings import keep
from e2i_assets.core.search.objective import FailedElsewhere
from e2i_assets.core.search.schemes import Outcome, Report

_WORKER = "e2i_assets.adapters.trial_processes.worker"
_LOOK_SECONDS = 0.05
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class TrialLimits:
    """What a trial may take; None is no limit.

    Attributes:
        seconds: From its configuration to its value.
        megabytes: Resident memory of its process, with the libraries and the prepared rows.
    """

    seconds: float | None
    megabytes: int | None


class TrialProcess:
    """A worker with the rows of a study in it.

    Raises:
        TrialProcessFailed: It ended before it was ready, or needs more than a trial may take for the rows alone.
        FailedElsewhere: The rows cannot be prepared.
    """

    def __init__(self, experiment: Experiment, rows: SearchRows, limits: TrialLimits) -> None:
        self._limits = limits
        self._busy = False
        ours, theirs = socket.socketpair()
        with theirs:
            # Not multiprocessing: its children may have none of their own, and it imports the main module again.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", _WORKER, str(theirs.fileno())],
                stdin=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
            )
        self._connection: Connection[Any, Any] = Connection(ours.detach())
        try:
            self._connection.send(list(sys.path))
            self._connection.send((experiment, rows))
            kind, found = self._message(math.inf)
            if kind == "failed":
                raise FailedElsewhere(found["type"], found["message"])
        except BaseException as error:
            self.kill()
            if isinstance(error, EOFError | OSError):
                raise TrialProcessFailed(f"a process for trials could not begin: it ended {self._how()}") from error
            if isinstance(error, TrialTooLarge):
                raise TrialProcessFailed(
                    f"hpo.trial_memory_mb is {limits.megabytes}, and the process of a trial takes more before it has "
                    "begun, for the libraries and the prepared rows: raise it"
                ) from error
            raise

    @property
    def is_alive(self) -> bool:
        """Whether it may be asked again."""
        return not self._connection.closed

    def outcome(
        self, parameters: Mapping[str, Any], names: Sequence[str], patience: int | None, report: Report | None
    ) -> Outcome:
        """Judge one parameter set; see `Scheme.outcome`. A process that did not come to an end is killed.

        Raises:
            TrialTooSlow, TrialTooLarge, TrialDied: It was ended, or ended by itself.
            TrialNotBegun: It had ended before it was asked.
            FailedElsewhere: It failed, as it would have failed here.
        """
        self._busy = True  # before anything is sent: what goes wrong from here on must not be met by the next trial
        try:
            self._ask((dict(parameters), list(names), patience, report is not None))
            return self._followed(report)
        except (EOFError, OSError) as error:
            raise TrialDied(f"its process ended {self._how()}: the machine may have run out of memory") from error
        finally:
            if self._busy:
                self.kill()

    def kill(self) -> None:
        """End it at once, whatever it does."""
        self._connection.close()
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _ask(self, asked: tuple[Any, ...]) -> None:
        try:
            self._connection.send(asked)
        except OSError as error:
            raise TrialNotBegun(f"its process had ended before it, {self._how()}") from error

    def _followed(self, report: Report | None) -> Outcome:
        deadline = time.monotonic() + (math.inf if self._limits.seconds is None else self._limits.seconds)
        while True:
            kind, found = self._message(deadline)
            if kind == "report":
                self._told(report, found, deadline)
                continue
            self._busy = False
            if kind == "failed":
                raise FailedElsewhere(found["type"], found["message"])
            outcome: Outcome = found[0]
            keep(found[1])
            return outcome

    def _told(self, report: Report | None, told: tuple[int, float], deadline: float) -> None:
        """Hand a report on; where that ends the trial, let the process come to an end with it."""
        assert report is not None
        try:
            report(*told)
        except Exception:  # pruned, or out of the study's time: whatever ends the trial here ends the fit there
            self._connection.send("stop")
            self._busy = self._message(deadline)[0] != "stopped"
            raise
        self._connection.send(GO_ON)

    def _message(self, deadline: float) -> tuple[str, Any]:
        """Wait for the next message, with an eye on the clock and the memory."""
        while not self._connection.poll(self._patience(deadline)):
            self._require_moderation()
            if time.monotonic() >= deadline:
                raise TrialTooSlow(f"it ran for longer than hpo.trial_seconds: {self._limits.seconds:g}, and was ended")
        self._require_moderation()
        message: tuple[str, Any] = self._connection.recv()
        return message

    def _patience(self, deadline: float) -> float | None:
        left = max(deadline - time.monotonic(), 0.0)
        if self._limits.megabytes is not None:
            return min(left, _LOOK_SECONDS)
        return None if math.isinf(left) else left

    def _require_moderation(self) -> None:
        if self._limits.megabytes is not None and (taken := self._taken()) > self._limits.megabytes:
            raise TrialTooLarge(
                f"its process took {taken:,.0f} MB, more than hpo.trial_memory_mb: {self._limits.megabytes}, and was "
                "ended"
            )

    def _taken(self) -> float:
        try:
            return float(psutil.Process(self._process.pid).memory_info().rss / _MEGABYTE)
        except psutil.NoSuchProcess:  # what the connection says next
            return 0.0

    def _how(self) -> str:
        code = self._process.wait()
        return f"by signal {-code}" if code < 0 else f"with exit code {code}"
