"""Advisory locks on files. The kernel drops them with their process, so that even SIGKILL leaves nothing locked."""

import fcntl
import os
import time
from pathlib import Path
from typing import Literal


def locked(path: Path, mode: Literal["shared", "exclusive"], timeout: float) -> int | None:
    """Open and lock a file.

    Args:
        path: The lock file; created, readable by its owner alone, when it is not there.
        mode: ``shared`` with other shared holders, or ``exclusive``.
        timeout: Seconds to wait; 0 tries once.

    Returns:
        A descriptor that holds the lock until it is closed and that programs started later do not inherit,
        or None when the time was up.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    operation = fcntl.LOCK_SH if mode == "shared" else fcntl.LOCK_EX
    deadline = time.monotonic() + timeout
    try:
        while not _taken(descriptor, operation):
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return None
            time.sleep(0.02)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _taken(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
