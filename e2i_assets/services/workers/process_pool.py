"""A worker pool of local processes: for fits that hold Python's GIL or whose memory should be freed afterwards."""

import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from e2i_assets.adapters.processes.log_tail import last_lines
from e2i_assets.core.errors import NoWorkers
from e2i_assets.services.workers.assignment import Assignment, Files, unpacked

_PROGRAM = "e2i_assets.services.workers.pool_process"
_STARTS = 3
_END_SECONDS = 5.0
# A process that ends normally before the study assumed that the coordinator was gone, or had less time left. It is
# started again, but not indefinitely if it ends right after its start.
PAUSE_SECONDS = 30.0


@dataclass(slots=True)
class _Place:
    """A process and its replacements."""

    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    starts: int = 0
    started_at: float = -math.inf

    @property
    def is_at_work(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def has_finished(self) -> bool:
        return self.process is not None and self.process.poll() == 0

    @property
    def may_start(self) -> bool:
        if self.has_finished:
            return time.monotonic() - self.started_at > PAUSE_SECONDS
        return not self.is_at_work and self.starts < _STARTS


class ProcessPool:
    """Processes that search a study, one trial at a time each, while this context is entered.

    Args:
        assignment: Returns the assignment with the remaining time.
        files: The rows.
        environment: Environment of the processes. It has the database URL, which process lists then do not show.
        size: Number of processes.
    """

    def __init__(
        self, assignment: Callable[[], Assignment], files: Files, environment: Mapping[str, str], size: int
    ) -> None:
        self.size = size
        self._assignment = assignment
        self._files = files
        self._environment = environment
        self._stack = ExitStack()
        self._folder = Path()
        self._places: list[_Place] = []

    def __enter__(self) -> Self:
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="e2i-study-")))
        (self._folder / "rows").mkdir()
        unpacked(self._files, self._folder / "rows")
        self._places = [_Place(self._folder / f"{number}.log") for number in range(self.size)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        processes = [place.process for place in self._places if place.process is not None]
        for process in processes:
            if process.stdin is not None:
                process.stdin.close()  # they exit when it closes
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)
            process.kill()  # a frozen process does not react to anything else
            process.wait()
        self._stack.close()

    def dispatch(self) -> None:
        """Start the missing processes; see `WorkerPool`."""
        for place in self._places:
            if place.may_start:
                self._start(place)
        if not any(place.is_at_work or place.has_finished for place in self._places):
            log = "\n".join(sorted({line for place in self._places for line in last_lines(place.log, count=3)}))
            raise NoWorkers(f"none of the {self.size} processes of the study stays alive:\n{log}")

    @property
    def is_at_work(self) -> bool:
        """Return whether a process is alive; see `WorkerPool`."""
        return any(place.is_at_work for place in self._places)

    def _start(self, place: _Place) -> None:
        if place.process is not None and place.process.stdin is not None:
            place.process.stdin.close()
        # Only unwanted ends are counted.
        place.starts = 1 if place.has_finished else place.starts + 1
        place.started_at = time.monotonic()
        assignment_file = place.log.with_suffix(".json")
        assignment_file.write_text(self._assignment().model_dump_json(), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            _PROGRAM,
            str(assignment_file),
            str(self._folder / "rows"),
        ]
        with place.log.open("ab") as log:
            place.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=self._environment
            )
