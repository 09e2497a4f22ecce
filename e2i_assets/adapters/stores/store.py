"""Where the values of a project are: what a store does, and the store that is a folder.

A value is a folder of files under a key such as `assets/dataset/churn`. A report is a single file.
"""

import shutil
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from e2i_assets.adapters.files.atomic_directory import remove_leftovers, replacing, replacing_file
from e2i_assets.core.errors import E2iError


class StoreUnreachable(E2iError):
    """The store does not answer; a later attempt may succeed."""


class StoreRefused(E2iError):
    """The store answers, and does not allow the access, or has no such bucket."""


class StoredDamaged(E2iError):
    """The stored files are not those that were written."""


class Store(Protocol):
    """Values and files under keys. Each is replaced in one step: a reader sees the old one or the new one.

    A method that returns a path returns one that does not exist, if there is nothing under the key.
    """

    def location(self, key: str) -> str:
        """Return where a key is, for people: a path or an address."""

    def replacing(self, key: str, mode: int = 0o700) -> AbstractContextManager[Path]:
        """Yield an empty folder; at the end its files replace the value.

        If the writer fails or is killed, the old value stays.
        """

    def folder(self, key: str, names: Collection[str] | None = None) -> Path:
        """Return a folder of this machine with the files of a value, or at least with the named ones."""

    def exists(self, key: str) -> bool:
        """Return whether there is a value."""

    def written_at(self, key: str) -> float:
        """Return when a value was written, in seconds since the epoch; 0 if there is none."""

    def delete(self, key: str) -> None:
        """Delete a value, if there is one."""

    def keys(self, pattern: str) -> list[str]:
        """Return the keys of the values that match a pattern such as ``assets/dataset/*``, sorted."""

    def write(self, key: str, content: bytes) -> None:
        """Write a file, or replace it."""

    def file(self, key: str) -> Path:
        """Return a path on this machine with the content of a file."""

    def names(self, key: str) -> list[str]:
        """Return the names of the files directly below a key, sorted."""

    def files(self, key: str) -> list[str]:
        """Return the keys of all files below a key, sorted, also of those in values."""

    def remove(self, key: str) -> None:
        """Delete a file."""

    def require_writable(self) -> None:
        """Write and delete a small file.

        Raises:
            E2iError: The store does not allow that, or does not answer.
        """


_PROBE = ".probe"


@dataclass(frozen=True, slots=True)
class LocalStore:
    """The store that is a folder of this machine, or one that several machines have mounted: a value is a folder."""

    root: Path

    def location(self, key: str) -> str:
        """See `Store`."""
        return str(self.root / key)

    def replacing(self, key: str, mode: int = 0o700) -> AbstractContextManager[Path]:
        """See `Store`."""
        return replacing(self.root / key, mode)

    def folder(self, key: str, names: Collection[str] | None = None) -> Path:
        """See `Store`; the folder is the stored one."""
        return self.root / key

    def exists(self, key: str) -> bool:
        """See `Store`."""
        return (self.root / key).is_dir()

    def written_at(self, key: str) -> float:
        """See `Store`."""
        try:
            return (self.root / key).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def delete(self, key: str) -> None:
        """See `Store`; the folder above is deleted with the last value in it."""
        place = self.root / key
        shutil.rmtree(place, ignore_errors=True)
        remove_leftovers(place)
        if place.parent.is_dir() and not any(place.parent.iterdir()):
            place.parent.rmdir()

    def keys(self, pattern: str) -> list[str]:
        """See `Store`."""
        found = (path for path in self.root.glob(pattern) if path.is_dir() and not path.name.startswith("."))
        return sorted(path.relative_to(self.root).as_posix() for path in found)

    def write(self, key: str, content: bytes) -> None:
        """See `Store`."""
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with replacing_file(path) as fresh:
            fresh.write_bytes(content)

    def file(self, key: str) -> Path:
        """See `Store`; the path is that of the stored file."""
        return self.root / key

    def names(self, key: str) -> list[str]:
        """See `Store`."""
        place = self.root / key
        return sorted(path.name for path in place.iterdir() if path.is_file()) if place.is_dir() else []

    def files(self, key: str) -> list[str]:
        """See `Store`; what a writer has not finished is left out."""
        found = (path.relative_to(self.root) for path in (self.root / key).rglob("*") if path.is_file())
        return sorted(path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts))

    def remove(self, key: str) -> None:
        """See `Store`."""
        (self.root / key).unlink(missing_ok=True)

    def require_writable(self) -> None:
        """See `Store`."""
        try:
            self.write(_PROBE, b"")
            self.remove(_PROBE)
        except OSError as error:
            raise StoreRefused(f"{self.root} cannot be written: {error.strerror}") from error


def store_of(state: Path, address: str | None) -> Store:
    """Return the store of a state.

    Args:
        state: The folder of this machine, which is the store without an address.
        address: A place in object storage.
    """
    if address is None:
        return LocalStore(state)
    from e2i_assets.adapters.stores.object_store import ObjectStore

    return ObjectStore(address, state / "cache")
