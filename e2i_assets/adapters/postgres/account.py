"""The account that the server runs as: the current one, or an unprivileged one for root, which PostgreSQL refuses."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Account:
    """A user and group to run programs as; None for both means the current account."""

    uid: int | None = None
    gid: int | None = None

    @property
    def has_name(self) -> bool:
        """Whether the password file has an entry for this account."""
        try:
            pwd.getpwuid(os.geteuid() if self.uid is None else self.uid)
        except KeyError:
            return False
        return True

    def run(self, command: Sequence[str | Path], input_text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program to its end, in the root folder, with a minimal environment and its output as text."""
        return subprocess.run(
            [str(part) for part in command],
            input=input_text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd="/",
            env=server_environment(),
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )

    def own(self, path: Path) -> None:
        """Make this account the owner of a path that the current account created."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def can_enter(self, folder: Path) -> bool:
        """Return whether this account may enter a folder, which requires access to every folder above it."""
        return self.uid is None or self.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", folder]).returncode == 0

    def can_execute(self, program: Path) -> bool:
        """Return whether this account can run a program with the libraries it needs."""
        try:
            return self.uid is None or self.run([program, "--version"]).returncode == 0
        except PermissionError:
            return False


def server_account(data: Path) -> Account:
    """Return the account for a cluster: for root its owner, or ``nobody`` for a new one; otherwise the current one."""
    if os.geteuid() != 0:
        return Account()
    if data.exists() and (status := data.stat()).st_uid != 0:
        return Account(status.st_uid, status.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:  # small container images have no such entry; the number is the same everywhere
        return Account(_NOBODY, _NOBODY)
    return Account(nobody.pw_uid, nobody.pw_gid)


def server_environment() -> dict[str, str]:
    """Return the environment of the server's programs: no secrets, no PG variables of the shell, and the C locale."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
