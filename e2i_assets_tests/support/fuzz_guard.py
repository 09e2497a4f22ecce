"""The rules for every fuzz case: only our own errors, bounded time and memory, and no side effects.

Python's audit events show which files are opened for writing, what is unpickled and which programs are started.
"""

import contextlib
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from e2i_assets.core.errors import E2iError

SECONDS = 10.0  # CPU seconds of one case
MEGABYTES = 1000  # additional memory of one case
# What `e2i experiment new` asks for the owner: no part of it comes from the input.
_ASKED = ["git", "config", "user.email"]
_STARTED = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn"}
_CHANGED = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.truncate"}
_IN_FOLDER = {"os.remove", "os.rmdir", "os.mkdir"}  # calls whose last argument is the folder that a path is relative to
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

cases: Counter[str] = Counter()
refused: Counter[str] = Counter()
slowest: dict[str, float] = {}
_watched: list["_Watch"] = []


class _Watch:
    def __init__(self, folder: Path) -> None:
        self.folder = os.path.realpath(folder)
        self.wrong: list[str] = []

    def saw(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "pickle.find_class":
            self.wrong.append(f"{arguments[0]}.{arguments[1]} was unpickled")
        elif event in _STARTED and not (event == "subprocess.Popen" and list(arguments[1]) == _ASKED):
            self.wrong.append(f"a program was started: {arguments[0]!r}")
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
            self._path(arguments[0], -1)
        elif event in _CHANGED:
            self._path(arguments[0], arguments[-1] if event in _IN_FOLDER else -1)

    def _path(self, path: object, folder: int) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        place = os.path.join(f"/proc/self/fd/{folder}" if folder >= 0 else "", os.fsdecode(path))  # noqa: PTH118
        if not self._allowed(os.path.realpath(place)):
            self.wrong.append(f"{os.fsdecode(path)!r} was written")

    def _allowed(self, path: str) -> bool:
        # The last one: a module that is imported for the first time is compiled.
        return path.startswith((self.folder, "/dev/null", "/proc/self")) or "/__pycache__" in path


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watched and (event == "open" or event in _STARTED or event in _CHANGED or event == "pickle.find_class"):
        _watched[-1].saw(event, arguments)


sys.addaudithook(_hook)


@contextlib.contextmanager
def guarded(target: str, folder: Path) -> Iterator[None]:
    """Run one case, and check that an error of the product is readable.

    Args:
        target: The name under which the case is counted.
        folder: The only folder in which the case may write.

    Raises:
        AssertionError: The case exceeded its time or memory, had a side effect, or its message cannot be displayed.
    """
    cases[target] += 1
    watch = _Watch(folder)
    _watched.append(watch)
    began, before = time.thread_time(), _peak()
    try:
        yield
    except E2iError as error:
        refused[target] += 1
        readable(str(error))
    finally:
        _watched.remove(watch)
    seconds = time.thread_time() - began
    slowest[target] = max(slowest.get(target, 0.0), seconds)
    assert seconds < SECONDS, f"it took {seconds:.1f} s of the processor"
    assert _peak() - before < MEGABYTES, f"it took {_peak() - before:.0f} MB"
    assert not watch.wrong, watch.wrong


def readable(message: str) -> None:
    """Accept a message that terminals, logs and PostgreSQL can represent and that is readable.

    Raises:
        AssertionError: It says what is wrong with the message.
    """
    message.encode()
    assert len(message) < 20_000, f"the message has {len(message)} characters"
    assert "Traceback (most" not in message
    assert "\0" not in message


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def table() -> str:
    """Return the executed cases, one line for each target."""
    lines = [f"{'target':<28}{'cases':>9}{'refused':>9}{'slowest ms':>12}"]
    for target in sorted(cases):
        lines.append(f"{target:<28}{cases[target]:>9,}{refused[target]:>9,}{slowest.get(target, 0.0) * 1000:>12,.0f}")
    lines.append(f"{'all':<28}{sum(cases.values()):>9,}{sum(refused.values()):>9,}")
    return "\n".join(lines)
