"""The quick end of a process loses no output, no exit status and no exit handler."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys, threading, time

from e2i_assets.adapters.processes.quick_exit import quick_exit

class Costly:
    def __del__(self):
        print("freed")

kept = Costly()
atexit.register(lambda: print("handler ran", end=""))
threading.Thread(target=time.sleep, args=(600,)).start()
print("no line end", end=", ")
quick_exit({status})
"""
# Python buffers what it writes to a pipe, unless this variable is set.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


@pytest.mark.parametrize(("status", "code", "errors"), [("", 0, ""), ("3", 3, ""), ("'no rows'", 1, "no rows\n")])
def test_output_and_status_are_those_of_a_usual_end(status: str, code: int, errors: str) -> None:
    command = [sys.executable, "-c", PROGRAM.format(status=status)]
    ended = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.stdout, ended.returncode, ended.stderr) == ("no line end, handler ran", code, errors)


def test_a_closed_pipe_changes_no_status() -> None:
    command = [sys.executable, "-c", PROGRAM.format(status="3")]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(60) == 3
