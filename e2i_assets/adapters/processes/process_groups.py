"""Ending process groups with everything that came out of them, politely first."""

import contextlib
import os
import signal
import time
from collections.abc import Collection

import psutil

_KILL_SECONDS = 3.0


def end_groups(leaders: Collection[int], patience: float) -> None:
    """Send SIGTERM to process groups and their members' descendants, wait, and kill what is left.

    Descendants count even when they moved to a group of their own, as long as they can be found from a leader.

    Args:
        leaders: Process ids of the groups' leaders; some may have ended, with members of their group still alive.
        patience: Seconds between the request and the kill.
    """
    members = _members(leaders)
    _send(members, signal.SIGTERM)
    remaining = _wait(members | _members(leaders), patience)
    # Once more from the leaders: somebody may have forked meanwhile.
    remaining |= _members(leaders)
    for process in tuple(remaining):
        remaining |= _children(process)
    _send(remaining, signal.SIGKILL)
    _wait(remaining, _KILL_SECONDS)


def _members(leaders: Collection[int]) -> set[psutil.Process]:
    found: set[psutil.Process] = set()
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):  # gone, or not ours
            if os.getpgid(process.pid) in leaders:
                found |= {process} | _children(process)
    return {process for process in found if _lives(process)}


def _children(process: psutil.Process) -> set[psutil.Process]:
    try:
        return set(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


def _send(processes: set[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        # It ended by itself, which is what we want, or became another account's, whom we cannot reach.
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            process.send_signal(number)


def _wait(processes: set[psutil.Process], seconds: float) -> set[psutil.Process]:
    deadline = time.monotonic() + seconds
    remaining = processes
    while remaining := {process for process in remaining if _lives(process)}:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return remaining


def _lives(process: psutil.Process) -> bool:
    # Not psutil's wait: it would take the exit status of our own children away from their Popen.
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
