"""The worker's side of a trial process, run as a module by `process`: it fits one trial after the other.

It receives the experiment and its rows once, prepares them as a thread of the search would, and answers until its
parent ends. It may be killed at any moment.
"""

import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.search import tuning
from e2i_assets.core.search.fit_warnings import collecting, noted
from e2i_assets.core.search.goals import Goal, goals, limits
from e2i_assets.core.search.objective import failure
from e2i_assets.core.search.schemes import Report, Scheme

CONTINUE = "continue"
_F_SETSIG = 10  # Linux; `fcntl` does not name it


class _Stopped(Exception):
    """The parent has cancelled this trial."""


def main() -> None:
    """Answer requests on the connection whose descriptor is the first argument."""
    _end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the parent, which ends this process
    with contextlib.suppress(OSError):  # if the machine runs out of memory, the kernel kills this process first
        Path("/proc/self/oom_score_adj").write_text("1000")
    connection: Connection[Any, Any] = Connection(int(sys.argv[1]))
    sys.path[:] = connection.recv()
    try:
        experiment, rows = connection.recv()
        scheme = tuning.scheme(experiment, rows)
    except Exception as error:  # noqa: BLE001  # the parent raises it again
        connection.send(("failed", failure(error)))
        return
    connection.send(("ready", None))
    known = _by_name(experiment)
    with collecting(), contextlib.suppress(EOFError):
        while True:
            connection.send(_answer(connection, scheme, known, *connection.recv()))


def _end_with_parent() -> None:
    """Make the kernel kill this process when the other end of its standard input is closed, however the parent ended.

    Native code of a fit may not let Python read an end of file, hence the signal.
    """
    if sys.platform == "linux":
        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, _F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)


def _by_name(experiment: Experiment) -> dict[str, Goal]:
    every = (*goals(experiment), *(limit.goal for limit in limits(experiment)))
    return {goal.name: goal for goal in every}


def _answer(
    connection: "Connection[Any, Any]",
    scheme: Scheme,
    known: Mapping[str, Goal],
    parameters: Mapping[str, Any],
    names: list[str],
    patience: int | None,
    reported: bool,
) -> tuple[str, Any]:
    def report(step: int, value: float) -> None:
        connection.send(("report", (step, value)))
        if connection.recv() != CONTINUE:
            raise _Stopped

    reporter: Report | None = report if reported else None
    with noted() as notes:
        try:
            return "outcome", (scheme.outcome(parameters, [known[name] for name in names], patience, reporter), notes)
        except _Stopped:
            return "stopped", None
        except Exception as error:  # noqa: BLE001  # any error is the trial's result
            return "failed", failure(error)


if __name__ == "__main__":
    main()
