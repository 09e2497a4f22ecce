"""Ends process groups and all their descendants, first with SIGTERM."""

import contextlib
import os
import signal
import time
from collections.abc import Collection

import psutil

_KILL_SECONDS = 3.0


def end_groups(leaders: Collection[int], grace_seconds: float) -> None:
    """Send SIGTERM to process groups and their members' descendants, wait, and kill the remaining ones.

    Descendants count even in a process group of their own, as long as they can be found from a group leader.

    Args:
        leaders: Process ids of the group leaders; some may have ended while members of their group are alive.
        grace_seconds: Seconds between SIGTERM and SIGKILL.
    """
    members = _members(leaders)
    _send(members, signal.SIGTERM)
    remaining = _wait(members | _members(leaders), grace_seconds)
    # Search again from the leaders: a process may have forked meanwhile.
    remaining |= _members(leaders)
    for process in tuple(remaining):
        remaining |= _children(process)
    _send(remaining, signal.SIGKILL)
    _wait(remaining, _KILL_SECONDS)


def _members(leaders: Collection[int]) -> set[psutil.Process]:
    found: set[psutil.Process] = set()
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):  # ended, or another user's
            if os.getpgid(process.pid) in leaders:
                found |= {process} | _children(process)
    return {process for process in found if _is_running(process)}


def _children(process: psutil.Process) -> set[psutil.Process]:
    try:
        return set(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


def _send(processes: set[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        # It has ended, which is the aim, or belongs to another account, which this one cannot signal.
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            process.send_signal(number)


def _wait(processes: set[psutil.Process], seconds: float) -> set[psutil.Process]:
    deadline = time.monotonic() + seconds
    remaining = processes
    while remaining := {process for process in remaining if _is_running(process)}:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return remaining


def _is_running(process: psutil.Process) -> bool:
    # Not psutil's wait: it would take the exit status of child processes away from their Popen.
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
