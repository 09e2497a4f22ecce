"""The process that ends the services of an owner who was killed and could not do it himself; run by file path."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from e2i_assets.adapters.processes.process_groups import end_groups

_DONE = "done"
_PATIENCE_SECONDS = 4.0


class Watchdog:
    """The owner's side: a pipe that the kernel closes with the owner, however he ends.

    Args:
        log: Where the watchdog's own errors go.
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
                start_new_session=True,  # what ends the owner's group must not end his watchdog
            )

    def watch(self, coordinator: int) -> None:
        """Name the leader of one more group that must not outlive us."""
        self._tell(str(coordinator))

    def dismiss(self) -> None:
        """End the watch: every group is gone."""
        with contextlib.suppress(BrokenPipeError):  # somebody ended it before us: dismissed as well
            self._tell(_DONE)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()  # without a dismissal this makes it do its work
        self._process.wait()


def main() -> None:
    """Read group leaders until the owner dismisses us; at the end of the pipe without that, end their groups."""
    leaders = []
    for line in sys.stdin:
        if line.strip() == _DONE:
            return
        leaders.append(int(line))
    end_groups(leaders, _PATIENCE_SECONDS)


if __name__ == "__main__":
    main()
