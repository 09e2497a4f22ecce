"""Folders that appear whole or not at all, and leave nothing behind them: whatever writes one in the state folder."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# So long a writer may take between making its folder and locking it.
_GRACE_SECONDS = 5.0


@contextmanager
def replacing(folder: Path, mode: int = 0o700) -> Iterator[Path]:
    """Give an empty folder to write to; at the end it takes the place of ``folder`` in one step.

    It lies beside its place. Killed while it is written, the old one stays; what is left of the new one goes with the
    next that is written there.

    Args:
        folder: The place; whatever is there is replaced.
        mode: Of the new folder; by default its owner's alone, as rows are kept in some.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    with _scratch(folder) as scratch:
        fresh = scratch / "new"
        fresh.mkdir(mode)
        yield fresh
        if folder.exists():
            folder.replace(scratch / "old")
        fresh.replace(folder)


def remove_leftovers(folder: Path) -> None:
    """Remove what dead processes were writing in order to replace a folder: nobody holds its lock any more."""
    for left in folder.parent.glob(f".{folder.name}-*"):
        if _age(left) > _GRACE_SECONDS and (lock := _locked(left)) is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(lock)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    lock = _locked(scratch)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _locked(folder: Path) -> int | None:
    """Lock a folder for as long as this process lives; None when another holds it, or where the file system cannot."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None  # its writer was done just now
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _age(folder: Path) -> float:
    try:
        return time.time() - folder.stat().st_mtime
    except FileNotFoundError:
        return 0.0
