"""A sampler of CPU time: the `sitecustomize` module of the programs that `run_cost` starts.

It imports no module of the project, so that it does not change the imports of a sampled program.
"""

import atexit
import json
import os
import signal
import sys
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType

FOLDER = "RUN_COST_SAMPLES"
_SECONDS = 0.002


class CpuSamples:
    """CPU seconds by call stack of the main thread, written to a JSON file when the process ends.

    The system sends a signal for each two milliseconds of CPU time of the process. Python handles it when the call into
    a C library returns, so a sample has the weight of the CPU time since the previous one. CPU time of other threads
    counts for the line where the main thread waits for them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = os.getpid()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._last = 0.0

    def start(self) -> None:
        """Start to sample; CPU time before this call counts as the start of the interpreter."""
        self._add("interpreter")
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, _SECONDS, _SECONDS)
        atexit.register(self._write)

    def _sample(self, _: int, frame: FrameType | None) -> None:
        names = []
        while frame is not None:
            names.append(f"{frame.f_globals.get('__name__', '?')}:{frame.f_code.co_name}")
            frame = frame.f_back
        self._add(";".join(reversed(names)))

    def _add(self, stack: str) -> None:
        now = time.process_time()
        self._seconds[stack] += now - self._last
        self._last = now

    def _write(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        if os.getpid() != self._process:
            return  # a forked process, whose CPU time is counted separately
        self._add("exit")
        document = {"command": sys.orig_argv, "seconds": dict(self._seconds)}
        (self._folder / f"{self._process}.json").write_text(json.dumps(document), encoding="utf-8")


if FOLDER in os.environ:
    CpuSamples(Path(os.environ[FOLDER])).start()
