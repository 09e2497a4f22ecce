"""Atomic directories and files: each appears completely or not at all and leaves no partial files."""

import ctypes
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The longest time between the creation of a directory and its lock.
_GRACE_SECONDS = 5.0
# Of Linux's renameat2: relative paths start in the working folder, and the two paths are exchanged.
_HERE, _EXCHANGE = -100, 2


@contextmanager
def replacing(folder: Path, mode: int = 0o700) -> Iterator[Path]:
    """Yield an empty directory; at the end it replaces ``folder`` in one step.

    It is created beside ``folder``. If the writer is killed, the old directory stays; the next call removes the rest of
    the new one.

    Args:
        folder: The directory to replace or create.
        mode: The mode of the new directory; by default only its owner has access, since some contain rows.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with scratch_beside(folder) as scratch:
        fresh = scratch / "new"
        fresh.mkdir(mode)
        yield fresh
        if not _exchanged(fresh, folder):
            if folder.exists():
                folder.replace(scratch / "old")
            fresh.replace(folder)


@contextmanager
def replacing_file(file: Path) -> Iterator[Path]:
    """Yield the path of a file to write; at the end it replaces ``file`` in one step.

    If the writer fails or is killed, ``file`` is unchanged; the next call removes the rest of a killed one.
    """
    with scratch_beside(file) as scratch:
        fresh = scratch / file.name
        yield fresh
        fresh.replace(file)


def remove_leftovers(folder: Path) -> None:
    """Remove the partial directories of dead writers of ``folder``, whose locks are free."""
    for leftover in folder.parent.glob(f".{folder.name}-*"):
        if _age(leftover) > _GRACE_SECONDS and (lock := _locked(leftover)) is not None:
            shutil.rmtree(leftover, ignore_errors=True)
            os.close(lock)


@contextmanager
def scratch_beside(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``folder``, after removing those of killed writers of ``folder``."""
    remove_leftovers(folder)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    lock = _locked(scratch)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _exchanged(fresh: Path, folder: Path) -> bool:
    """Swap two directories in one step, and return whether that was done.

    It is not if ``folder`` does not exist, or if the system or its file system cannot do it (Linux can, NFS cannot).
    """
    try:
        renameat2 = ctypes.CDLL(None).renameat2
    except AttributeError:
        return False
    renameat2.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    done: int = renameat2(_HERE, os.fsencode(fresh), _HERE, os.fsencode(folder), _EXCHANGE)
    return done == 0


def _locked(folder: Path) -> int | None:
    """Lock a folder while this process lives; None if another process holds the lock or locks are not supported."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None  # its writer has just finished
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
