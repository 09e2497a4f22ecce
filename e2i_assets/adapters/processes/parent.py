"""Ends this process with its parent: commands started by make, runs started by `e2i run`, workers of a study."""

import os
import signal
import sys
import threading
import time

DIE_WITH_PARENT = "E2I_DIE_WITH_PARENT"
_POLL_SECONDS = 1.0


def end_with_parent() -> None:
    """End this process when its parent has ended in any way."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent watch").start()


def end_with_input() -> None:
    """End this process when the other end of its standard input is closed."""

    def watch() -> None:
        # It reads the descriptor: a thread that waits inside sys.stdin makes Python abort at shutdown.
        while os.read(sys.stdin.fileno(), 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="input watch").start()
