"""The store in object storage, through fsspec: a rename is no single step there, and the replacement of one object is.

assets/dataset/churn/20261129T183000Z-5f0c1a2b3c4d5e6f/value.json      written first, and never changed
assets/dataset/churn/current.json                                      names them with their hashes, written last
"""

import hashlib
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from e2i_assets.adapters.files.atomic_directory import replacing_file, scratch_beside
from e2i_assets.adapters.stores.pointer import POINTER, Pointer, age
from e2i_assets.adapters.stores.store import StoredDamaged, StoreRefused, StoreUnreachable
from e2i_assets.core.errors import E2iError

# Files that no pointer names: those of a replaced value, which a reader may still be fetching, and those of a writer
# that was killed or is still writing.
_KEPT_SECONDS = 24 * 3600.0
_KEPT_HERE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """A place in object storage. Readers get copies in a folder of this machine, verified by their hash.

    Writers need no lock: each writes files of its own, and the last pointer is the value.

    Args:
        address: The scheme, the bucket and a prefix.
        scratch: The folder for copies. It may be empty at any start.
    """

    address: str
    scratch: Path

    def location(self, key: str) -> str:
        """See `Store`."""
        return f"{self.address}/{key}"

    @contextmanager
    def replacing(self, key: str, mode: int = 0o700) -> Iterator[Path]:
        """See `Store`. The files are not fetched again on this machine."""
        self.scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        with scratch_beside(self.scratch / key.replace("/", "-")) as scratch:
            fresh = scratch / "new"
            fresh.mkdir(mode)
            yield fresh
            pointer = self._stored(key, fresh)
            copy = self._copy(pointer.content, key)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not copy.exists():
                fresh.replace(copy)

    def folder(self, key: str, names: Collection[str] | None = None) -> Path:
        """See `Store`; only the named files are fetched, and only once for each time that the value is written.

        Raises:
            StoredDamaged: A file is missing, or has another hash.
        """
        pointer = self._pointer(key)
        if pointer is None:
            return self._copy("none", key)
        place = self._copy(pointer.content, key)
        place.mkdir(parents=True, exist_ok=True)
        for name, sha256 in pointer.files.items():
            if (names is None or name in names) and not (place / name).is_file():
                self._fetch(f"{key}/{pointer.content}/{name}", place / name, sha256)
        self._remove_old_copies(key, pointer)
        return place

    def exists(self, key: str) -> bool:
        """See `Store`."""
        return self._pointer(key) is not None

    def written_at(self, key: str) -> float:
        """See `Store`."""
        pointer = self._pointer(key)
        return 0.0 if pointer is None else pointer.written_at

    def delete(self, key: str) -> None:
        """See `Store`; the pointer is deleted first."""
        self.remove(f"{key}/{POINTER}")
        with self._answering() as (files, root):
            if files.exists(f"{root}/{key}"):
                files.rm(f"{root}/{key}", recursive=True)

    def keys(self, pattern: str) -> list[str]:
        """See `Store`."""
        with self._answering() as (files, root):
            found = files.glob(f"{root}/{pattern}/{POINTER}")
            return sorted(path.removeprefix(f"{root}/").removesuffix(f"/{POINTER}") for path in found)

    def write(self, key: str, content: bytes) -> None:
        """See `Store`."""
        with self._answering() as (files, root):
            files.pipe_file(f"{root}/{key}", content)

    def file(self, key: str) -> Path:
        """See `Store`; the file is fetched each time, since it has no hash."""
        copy = self._copy("files", key)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if (content := self._content(key)) is None:
            copy.unlink(missing_ok=True)
        else:
            with replacing_file(copy) as fresh:
                fresh.write_bytes(content)
        return copy

    def names(self, key: str) -> list[str]:
        """See `Store`."""
        with self._answering() as (files, root):
            try:
                found = files.ls(f"{root}/{key}", detail=True)
            except FileNotFoundError:
                return []
            return sorted(PurePosixPath(one["name"]).name for one in found if one["type"] == "file")

    def files(self, key: str) -> list[str]:
        """See `Store`."""
        with self._answering() as (files, root):
            try:
                return sorted(path.removeprefix(f"{root}/") for path in files.find(f"{root}/{key}"))
            except FileNotFoundError:
                return []

    def remove(self, key: str) -> None:
        """See `Store`."""
        with self._answering() as (files, root):
            try:
                files.rm_file(f"{root}/{key}")
            except FileNotFoundError:
                return

    def require_writable(self) -> None:
        """See `Store`."""
        self.write(".probe", b"e2i")
        self.remove(".probe")

    def _stored(self, key: str, folder: Path) -> Pointer:
        """Write the files of a folder, then their pointer, and delete what no reader or writer can need any more."""
        paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        pointer = Pointer.to({name: _sha256(path) for name, path in paths.items()})
        content = pointer.content
        with self._answering() as (files, root):
            for name, path in paths.items():
                files.put_file(str(path), f"{root}/{key}/{content}/{name}")
            files.pipe_file(f"{root}/{key}/{POINTER}", pointer.model_dump_json(indent=2).encode())
            for found in files.ls(f"{root}/{key}", detail=False):
                name = PurePosixPath(found).name
                if name not in (content, POINTER) and age(name, pointer.written_at) > _KEPT_SECONDS:
                    files.rm(found, recursive=True)
        return pointer

    def _pointer(self, key: str) -> Pointer | None:
        content = self._content(f"{key}/{POINTER}")
        try:
            return None if content is None else Pointer.model_validate_json(content)
        except ValidationError as error:
            reason = " ".join(str(error).split())[:300]
            raise StoredDamaged(f"{self.location(key)}/{POINTER} is not what this program writes: {reason}") from error

    def _content(self, key: str) -> bytes | None:
        with self._answering() as (files, root):
            try:
                return bytes(files.cat_file(f"{root}/{key}"))
            except FileNotFoundError:
                return None

    def _fetch(self, key: str, copy: Path, sha256: str) -> None:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with self._answering() as (files, root), replacing_file(copy) as fresh:
            try:
                files.get_file(f"{root}/{key}", str(fresh))
            except FileNotFoundError:
                raise StoredDamaged(f"{self.location(key)} is missing: make the value again") from None
            if _sha256(fresh) != sha256:
                raise StoredDamaged(f"{self.location(key)} was changed after it was written: make the value again")

    def _copy(self, content: str, key: str) -> Path:
        return self.scratch / content / key

    def _remove_old_copies(self, key: str, current: Pointer) -> None:
        for copy in self.scratch.glob(f"*Z-*/{key}"):
            if copy != self._copy(current.content, key) and _silent_seconds(copy) > _KEPT_HERE_SECONDS:
                shutil.rmtree(copy, ignore_errors=True)

    @contextmanager
    def _answering(self) -> Iterator[tuple[Any, str]]:
        """Yield fsspec's file system and the path of the address in it; its errors are raised as those of a store."""
        import fsspec

        try:
            # Listings are not cached: other machines write too. The file system itself is, by fsspec.
            yield fsspec.url_to_fs(self.address, use_listings_cache=False)
        except E2iError:
            raise
        except FileNotFoundError as error:
            raise StoreRefused(f"{self.address} cannot be written, its bucket may not exist: {error}") from error
        except PermissionError as error:
            raise StoreRefused(f"{self.address} does not allow this access: {error}") from error
        except Exception as error:  # each library has exceptions of its own
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise StoreUnreachable(
                f"{self.address} cannot be reached, check address and credentials: {reason}"
            ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _silent_seconds(copy: Path) -> float:
    try:
        return time.time() - copy.stat().st_mtime
    except FileNotFoundError:
        return 0.0
