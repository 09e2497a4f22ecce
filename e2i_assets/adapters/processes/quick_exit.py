"""Ends a process without the interpreter's clean-up of modules and objects."""

import atexit
import os
import sys
from contextlib import suppress
from typing import NoReturn


def quick_exit(status: object = None) -> NoReturn:
    """Run the exit handlers, write what is buffered and end this process.

    After a run, with all libraries loaded, Python would spend two CPU seconds on freeing what the system frees at once.
    Threads of native libraries that are still alive would also meet destroyed objects, and abort the process.

    Args:
        status: The exit status, as `sys.exit` takes it: None for success, a number, or a text for standard error.
    """
    atexit._run_exitfuncs()
    if not isinstance(status, int | None):
        print(status, file=sys.stderr)
        status = 1
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # the reader of a pipe has gone, or the stream is closed
            stream.flush()
    os._exit(status or 0)
