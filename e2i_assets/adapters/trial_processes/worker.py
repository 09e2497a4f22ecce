"""The process that fits one trial after the other, and may be killed at any moment; run as a module by `process`.

It gets the experiment and its rows once, prepares them as a thread of the search would, and answers until its parent
ends.
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

GO_ON = "go on"
_F_SETSIG = 10  # Linux; `fcntl` does not name it


class _Stopped(Exception):
    """The parent wants no more of this trial."""


def main() -> None:
    """Answer on the connection whose number is the first argument."""
    _end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, who ends us
    with contextlib.suppress(OSError):  # should the machine run out of memory, this process goes first
        Path("/proc/self/oom_score_adj").write_text("1000")
    connection: Connection[Any, Any] = Connection(int(sys.argv[1]))
    sys.path[:] = connection.recv()
    try:
        experiment, rows = connection.recv()
        scheme = tuning.scheme(experiment, rows)
    except Exception as error:  # noqa: BLE001  # the parent raises it again, for whoever waits there
        connection.send(("failed", failure(error)))
        return
    connection.send(("ready", None))
    known = _by_name(experiment)
    with collecting(), contextlib.suppress(EOFError):
        while True:
            connection.send(_answer(connection, scheme, known, *connection.recv()))


def _end_with_parent() -> None:
    """Have the kernel kill us when the parent's end of our standard input is closed, however it ended.

    A fit in a library's own code may not let Python look for an end of file, hence the signal.
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
        if connection.recv() != GO_ON:
            raise _Stopped

    told: Report | None = report if reported else None
    with noted() as notes:
        try:
            return "outcome", (scheme.outcome(parameters, [known[name] for name in names], patience, told), notes)
        except _Stopped:
            return "stopped", None
        except Exception as error:  # noqa: BLE001  # whatever went wrong is the trial's result
            return "failed", failure(error)


if __name__ == "__main__":
    main()
