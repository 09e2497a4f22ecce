"""Reads the end of a log file, for the error message about the program that wrote it."""

from pathlib import Path

_SHOWN_LINES = 15
_READ_BYTES = 64 * 1024


def last_lines(log: Path, since: int = 0, count: int = _SHOWN_LINES) -> tuple[str, ...]:
    """Return the last lines of a log file, oldest first; a missing file has none.

    Args:
        log: The file.
        since: Offset in bytes; earlier lines are left out.
        count: Maximum number of lines.
    """
    if not log.exists():
        return ()
    with log.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(min(size, max(since, size - _READ_BYTES)))
        return tuple(stream.read().decode("utf-8", "replace").splitlines()[-count:])
