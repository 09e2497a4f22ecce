"""The supervisor process of an embedded PostgreSQL server; it stops the server after its last user.

It runs by file path with the standard library only, so that it starts quickly and outlives the process that started it.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.2


def main() -> None:
    """Detach from the starter's process tree, then run the server of the plan in the first argument."""
    plan = json.loads(sys.argv[1])
    if os.fork():  # the starter waits for this process only, and has no child to reap later
        os._exit(0)
    Supervisor(plan).keep()


class Supervisor:
    """Parent process of one server.

    Args:
        plan: ``command`` and ``environment`` of the server, ``uid`` and ``gid`` to run it as or None, ``pid_file``,
            ``users_lock``, and ``ready``, an inherited descriptor that receives one line: ``ready`` or the failure.
            The supervisor's lock is inherited too, and only held.
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._stop_requested = False
        self._ready = False
        self._users = os.open(plan["users_lock"], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def keep(self) -> None:
        """Run the server until nobody holds the users' lock, a signal requests the end, or the server ends."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._request_stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        server = self._started()
        while server.poll() is None and not self._stop_requested and not self._has_no_users():
            if not self._ready and self._accepts():
                self._ready = True
                self._report("ready")
            time.sleep(_POLL_SECONDS if self._ready else 0.01)
        # The exclusive lock, if acquired, is held to the end: a new user waits, then starts a new server.
        code = self._stopped(server)
        if not self._ready:
            self._report(f"ended with exit status {code}")

    def _request_stop(self, *_: object) -> None:
        self._stop_requested = True

    def _started(self) -> "subprocess.Popen[bytes]":
        uid, gid = self._plan["uid"], self._plan["gid"]
        return subprocess.Popen(
            self._plan["command"],
            stdin=subprocess.DEVNULL,
            cwd="/",
            env=self._plan["environment"],
            user=uid,
            group=gid,
            extra_groups=None if uid is None else [],
            # Runs after the change of account, which would clear the parent-death signal.
            preexec_fn=_die_with_parent() if sys.platform == "linux" else None,
        )

    def _has_no_users(self) -> bool:
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _accepts(self) -> bool:
        pid_file = Path(self._plan["pid_file"])
        lines = pid_file.read_text(encoding="utf-8").splitlines() if pid_file.exists() else []
        return len(lines) > 7 and lines[7].strip() == "ready"

    def _report(self, line: str) -> None:
        # A killed starter no longer reads; its users' lock is free then, and so the loop ends.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._plan["ready"], f"{line}\n".encode())

    def _stopped(self, server: "subprocess.Popen[bytes]") -> int:
        for number, seconds in ((signal.SIGINT, 20), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
            if server.poll() is None:
                server.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):  # continue with the next, stronger signal
                    server.wait(seconds)
        return server.wait()


def _die_with_parent() -> Any:
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def arm() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)  # SIGINT is PostgreSQL's fast, clean shutdown
        if os.getppid() != parent:  # the supervisor died before the signal was armed
            os._exit(1)

    return arm


if __name__ == "__main__":
    main()
