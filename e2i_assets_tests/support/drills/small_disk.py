"""A PostgreSQL on a separate disk that can be filled completely: a tmpfs in a mount namespace.

It needs Linux with `unshare`, and root or user namespaces. The drill leaves nothing mounted.
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
    """Yield a project on a separate PostgreSQL with a small disk."""
    with drill_folder() as folder, _disk(template, folder / "server") as prefix:
        (folder / "server" / "password").write_text((template / "password").read_text())
        server = OwnServer(template, folder / "server", prefix=prefix)
        try:
            server.start()
            yield Scene(DrillProject(folder, server.url), source, server)
        finally:
            server.end(signal.SIGINT)


def disk_full(scene: Scene) -> None:
    """Fill the disk, and free the space some seconds later; a server that ended because of it is restarted."""
    server, seconds = scene.own, scene.source.uniform(2, 8)
    # Only processes in the namespace see the disk.
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
    """Create the disk with a copy of a cluster; yield the command prefix that enters its namespace."""
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
    # PostgreSQL refuses to run as root, also as root of a namespace; one more namespace maps it to its own account.
    itself = ("unshare", "--user", f"--map-user={account}", f"--map-group={group}")
    return (*enter, "--user", "--preserve-credentials", *itself)
