"""The parent's side of a trial process: it sends trials, receives reports, and kills a process over its limits."""

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
from e2i_assets.adapters.trial_processes.worker import CONTINUE
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.search.fit_warnings import keep
from e2i_assets.core.search.objective import FailedElsewhere
from e2i_assets.core.search.schemes import Outcome, Report

_WORKER = "e2i_assets.adapters.trial_processes.worker"
_POLL_SECONDS = 0.05
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class TrialLimits:
    """The limits of a trial; None means no limit.

    Attributes:
        seconds: Maximum time from its configuration to its value.
        megabytes: Maximum resident memory of its process, including the libraries and the prepared rows.
    """

    seconds: float | None
    megabytes: int | None


class TrialProcess:
    """A worker process that has the rows of a study.

    Raises:
        TrialProcessFailed: It ended before it was ready, or the rows alone need more memory than a trial may use.
        FailedElsewhere: The rows cannot be prepared.
    """

    def __init__(self, experiment: Experiment, rows: SearchRows, limits: TrialLimits) -> None:
        self._limits = limits
        self._busy = False
        ours, theirs = socket.socketpair()
        with theirs:
            # Not multiprocessing: its daemons may have no children, and it imports the main module again.
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
                raise TrialProcessFailed(f"a trial process could not start: it ended {self._how()}") from error
            if isinstance(error, TrialTooLarge):
                raise TrialProcessFailed(
                    f"hpo.trial_memory_mb is {limits.megabytes}, and a trial process uses more for the libraries and "
                    "the prepared rows, before its first trial: raise it"
                ) from error
            raise

    @property
    def is_alive(self) -> bool:
        """Whether the process can run another trial."""
        return not self._connection.closed

    def outcome(
        self, parameters: Mapping[str, Any], names: Sequence[str], patience: int | None, report: Report | None
    ) -> Outcome:
        """Evaluate one parameter set; see `Scheme.outcome`. A process that did not finish is killed.

        Raises:
            TrialTooSlow, TrialTooLarge, TrialDied: The process was killed, or ended.
            TrialNotBegun: The process had ended before it received the trial.
            FailedElsewhere: The trial failed as it would have failed in the parent.
        """
        self._busy = True  # set before sending: the next trial must not see what goes wrong from here on
        try:
            self._ask((dict(parameters), list(names), patience, report is not None))
            return self._followed(report)
        except (EOFError, OSError) as error:
            raise TrialDied(f"its process ended {self._how()}: the machine may have run out of memory") from error
        finally:
            if self._busy:
                self.kill()

    def kill(self) -> None:
        """Kill the process at once, whatever it does."""
        self._connection.close()
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _ask(self, request: tuple[Any, ...]) -> None:
        try:
            self._connection.send(request)
        except OSError as error:
            raise TrialNotBegun(f"its process had ended before it, {self._how()}") from error

    def _followed(self, report: Report | None) -> Outcome:
        deadline = time.monotonic() + (math.inf if self._limits.seconds is None else self._limits.seconds)
        while True:
            kind, found = self._message(deadline)
            if kind == "report":
                self._forward(report, found, deadline)
                continue
            self._busy = False
            if kind == "failed":
                raise FailedElsewhere(found["type"], found["message"])
            outcome: Outcome = found[0]
            keep(found[1])
            return outcome

    def _forward(self, report: Report | None, step_and_value: tuple[int, float], deadline: float) -> None:
        """Pass a report on; if that ends the trial, wait until the process has stopped the fit."""
        assert report is not None
        try:
            report(*step_and_value)
        # Any exception ends the trial (pruned, out of time, a lost database). The fit has to stop with it, otherwise
        # the process would work on a trial that is over. The exception itself is raised again.
        except Exception:  # whatever ended the trial, see above; it is raised again
            self._connection.send("stop")
            self._busy = self._message(deadline)[0] != "stopped"
            raise
        self._connection.send(CONTINUE)

    def _message(self, deadline: float) -> tuple[str, Any]:
        """Wait for the next message, and check the time and memory limits meanwhile."""
        while not self._connection.poll(self._poll_timeout(deadline)):
            self._check_memory()
            if time.monotonic() >= deadline:
                limit = f"{self._limits.seconds:g}"
                raise TrialTooSlow(f"it ran for longer than hpo.trial_seconds: {limit}, and was killed")
        self._check_memory()
        message: tuple[str, Any] = self._connection.recv()
        return message

    def _poll_timeout(self, deadline: float) -> float | None:
        left = max(deadline - time.monotonic(), 0.0)
        if self._limits.megabytes is not None:
            return min(left, _POLL_SECONDS)
        return None if math.isinf(left) else left

    def _check_memory(self) -> None:
        if self._limits.megabytes is not None and (used := self._used_megabytes()) > self._limits.megabytes:
            raise TrialTooLarge(
                f"its process used {used:,.0f} MB, more than hpo.trial_memory_mb: {self._limits.megabytes}, and was "
                "killed"
            )

    def _used_megabytes(self) -> float:
        try:
            return float(psutil.Process(self._process.pid).memory_info().rss / _MEGABYTE)
        except psutil.NoSuchProcess:  # the connection reports the end of the process next
            return 0.0

    def _how(self) -> str:
        code = self._process.wait()
        return f"by signal {-code}" if code < 0 else f"with exit code {code}"
