"""A PostgreSQL on a separate disk that can be filled completely: a tmpfs in a mount namespace.

Needs Linux with `unshare`, and root or user namespaces; nothing is mounted that outlives the drill.
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drills.faults import Scene
from drills.postgres import OwnServer
from drills.project import DrillProject, drill_folder
from e2i_assets.adapters.postgres.account import server_account

_MEGABYTES = 400
_MAKE = 'mount -t tmpfs -o "$1" none "$2" && cp -a "$3"/. "$2" && echo ready && exec sleep 3600'


@contextmanager
def on_a_small_disk(template: Path, source: random.Random) -> Iterator[Scene]:
    """A project on a PostgreSQL of its own whose disk is small."""
    with drill_folder() as folder, _disk(template, folder / "server") as prefix:
        (folder / "server" / "password").write_text((template / "password").read_text())
        server = OwnServer(template, folder / "server", prefix=prefix)
        try:
            server.start()
            yield Scene(DrillProject(folder, server.url), source, server)
        finally:
            server.end(signal.SIGINT)


def disk_full(scene: Scene) -> None:
    """Fill the disk, and make room again some seconds later; a server that has ended of it is started again."""
    server, seconds = scene.own, scene.source.uniform(2, 8)
    # Seen through a process in the namespace: nobody else has it.
    ballast = Path(f"/proc/{server.prefix[2]}/root{server.data}") / "ballast"
    _fill(ballast)
    time.sleep(seconds)
    ballast.unlink()
    if not server.is_alive():
        server.start()


def _fill(ballast: Path) -> None:
    piece = bytes(2**20)
    with ballast.open("wb", buffering=0) as file:
        while len(piece) > 1:
            try:
                file.write(piece)
            except OSError:
                piece = piece[: len(piece) // 2]


@contextmanager
def _disk(template: Path, folder: Path) -> Iterator[tuple[str, ...]]:
    """Make the disk with a copy of a cluster on it; yields what a command is run with, to see it."""
    data, account = folder / "data", server_account(template / "data")
    data.mkdir(parents=True)
    account_id, group = account.uid or os.geteuid(), account.gid or os.getegid()
    is_root = os.geteuid() == 0
    options = f"size={_MEGABYTES}m,mode=0700" + (f",uid={account_id},gid={group}" if is_root else "")
    unshare = ["unshare", "--mount"] if is_root else ["unshare", "--mount", "--user", "--map-root-user"]
    command = [*unshare, "sh", "-c", _MAKE, "sh", options, str(data), str(template / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "ready\n", "no file system can be mounted in a namespace here"
            yield _seen_from(holder.pid, is_root, account_id, group)
        finally:
            holder.kill()


def _seen_from(holder: int, is_root: bool, account: int, group: int) -> tuple[str, ...]:
    enter = ("nsenter", "--target", str(holder), "--mount")
    if is_root:
        return (*enter, "setpriv", f"--reuid={account}", f"--regid={group}", "--clear-groups")
    # Root of a namespace is still root to PostgreSQL: one more namespace, in which it is itself.
    itself = ("unshare", "--user", f"--map-user={account}", f"--map-group={group}")
    return (*enter, "--user", "--preserve-credentials", *itself)
