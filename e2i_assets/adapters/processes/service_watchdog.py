"""Watchdog process, run by file path: it ends the services of an owner that was killed before it could do so."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from e2i_assets.adapters.processes.process_groups import end_groups

_DONE = "done"
_GRACE_SECONDS = 4.0


class Watchdog:
    """The owner's side: a pipe that the kernel closes when the owner ends in any way.

    Args:
        log: The log file for the watchdog's own errors.
    """

    def __init__(self, log: Path) -> None:
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, __file__],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                text=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                start_new_session=True,  # what ends the owner's process group must not end the watchdog
            )

    def watch(self, leader: int) -> None:
        """Add the leader of a process group that must not outlive the owner."""
        self._send(str(leader))

    def dismiss(self) -> None:
        """End the watch, after every group has ended."""
        with contextlib.suppress(BrokenPipeError):  # the watchdog has already ended
            self._send(_DONE)

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()  # without a dismissal, this makes the watchdog end the groups
        self._process.wait()


def main() -> None:
    """Read group leaders until the dismissal; if the pipe closes without it, end their groups."""
    leaders = []
    for line in sys.stdin:
        if line.strip() == _DONE:
            return
        leaders.append(int(line))
    end_groups(leaders, _GRACE_SECONDS)


if __name__ == "__main__":
    main()
