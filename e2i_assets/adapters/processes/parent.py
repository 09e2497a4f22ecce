"""Ending when the parent ends: a command that make started, runs that `e2i run` started, workers of a study."""

import os
import signal
import sys
import threading
import time

DIE_WITH_PARENT = "E2I_DIE_WITH_PARENT"
_POLL_SECONDS = 1.0


def end_with_parent() -> None:
    """End this process when its parent does, however the parent ends."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent watch").start()


def end_with_input() -> None:
    """End this process when whoever holds the other end of its standard input is gone."""

    def watch() -> None:
        # The descriptor itself: a thread that waits inside sys.stdin makes Python abort when it shuts down.
        while os.read(sys.stdin.fileno(), 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="input watch").start()
