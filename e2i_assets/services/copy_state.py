"""Copies a state to another address: values, models, champions, reports, schema files, the outbox, MLflow's artifacts.

Everything is read back and compared. The database stays where it is: at the end, its rows name the new address.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from e2i_assets.adapters.files.asset_values import VALUE
from e2i_assets.adapters.mlflow import artifact_locations
from e2i_assets.adapters.mlflow.client import is_server
from e2i_assets.adapters.repositories import model_locations
from e2i_assets.adapters.settings import DATABASE_URL, STATE, Settings
from e2i_assets.adapters.stores.address import folder_or_address
from e2i_assets.adapters.stores.pointer import POINTER
from e2i_assets.adapters.stores.store import Store, StoredDamaged
from e2i_assets.core.errors import E2iError
from e2i_assets.services.project import MODEL_MODE, Project

_MODELS = "models/"
_VALUES = ("models/*/*", "champions/*/*", "mlflow-outbox/*/*")
_FILES = ("reports", "schemas", "mlflow-artifacts")
_FOLDERS = ("assets", *(pattern.partition("/")[0] for pattern in _VALUES), *_FILES)
# The file that names the source, in the target while the copy is not complete.
_MARK = "copy-of.txt"
# Requests to object storage wait for the network.
_THREADS = 8


class CopyRefused(E2iError):
    """The state cannot be copied to this address."""


@dataclass(frozen=True, slots=True)
class Item:
    """One value (a folder of files) or one file of a state, by its key."""

    key: str
    is_value: bool


@dataclass(frozen=True, slots=True)
class CopiedState:
    """What was copied.

    Attributes:
        source, target: The two places.
        items: Number of values and files.
        bytes: Their size.
        copied_before: Number of those that an earlier, interrupted copy had written.
        addresses: Number of addresses in the tables of MLflow and of ours that now name the target.
        runs_elsewhere: Number of runs in MLflow whose artifacts are at another place, and were not copied; None if a
            server keeps them.
    """

    source: str
    target: str
    items: int
    bytes: int
    copied_before: int
    addresses: int
    runs_elsewhere: int | None


def copy_state(project: Project, to: str, progress: Callable[[int, int], object]) -> CopiedState:
    """Copy the state of a project, and have the rows of its database name the new address.

    The source is only read. An interrupted copy is continued by the next call with the same target.

    Args:
        project: The project with the state to copy. Nothing else should write to it.
        to: The new state: a folder, relative to the project folder, or an address in object storage.
        progress: Called with the number of finished values and files, and with that of all.

    Raises:
        CopyRefused: The database is the embedded one, or the target is not empty, or one place is inside of the other.
        E2iError: A store does not answer, what was written is not what is read back, or the state was changed.
    """
    source = project.settings
    target = _target(source, to)
    with TemporaryDirectory() as scratch, ThreadPoolExecutor(_THREADS) as pool:
        _mark(_fresh(target, Path(scratch)), _place(source))
        items = list(_items(project.store))
        before = list(pool.map(project.store.written_at, _value_keys(items)))
        sizes, copied_before = [], 0
        try:
            for size, was_there in pool.map(_Copier(source, target, Path(scratch)).copied, items):
                sizes.append(size)
                copied_before += was_there
                progress(len(sizes), len(items))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        now = list(_items(project.store))
        if now != items or list(pool.map(project.store.written_at, _value_keys(now))) != before:
            raise E2iError(
                "the state was changed while it was copied: stop all runs, `e2i up` and the daemon, and run this again"
            )
        addresses, elsewhere = _addresses_moved(project, target)
        _fresh(target, Path(scratch)).remove(_MARK)
    return CopiedState(_place(source), _place(target), len(items), sum(sizes), copied_before, addresses, elsewhere)


@dataclass(frozen=True, slots=True)
class _Copier:
    """Copies single items, each by a scratch folder of its own: the disk needs room for a few values at a time."""

    source: Settings
    target: Settings
    scratch: Path

    def copied(self, item: Item) -> tuple[int, bool]:
        """Copy an item unless the target has it; return its bytes, and whether the target had it.

        Raises:
            E2iError: What is read back is different.
        """
        with TemporaryDirectory(dir=self.scratch) as folder:
            files = _files_of(_fresh(self.source, Path(folder) / "source"), item)
            hashes = {name: _sha256(path) for name, path in files.items()}
            size = sum(path.stat().st_size for path in files.values())
            if self._read_back(item, Path(folder) / "before") == hashes:
                return size, True
            store = _fresh(self.target, Path(folder) / "target")
            if item.is_value:
                modes = {"mode": MODEL_MODE} if item.key.startswith(_MODELS) else {}
                with store.replacing(item.key, **modes) as fresh:
                    for name, path in files.items():
                        (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(path, fresh / name)
            else:
                store.write(item.key, files[""].read_bytes())
            if self._read_back(item, Path(folder) / "after") != hashes:
                raise E2iError(f"{store.location(item.key)} is not what was written: run this again")
        return size, False

    def _read_back(self, item: Item, scratch: Path) -> dict[str, str]:
        try:
            found = _files_of(_fresh(self.target, scratch), item)
        except StoredDamaged:
            return {}
        return {name: _sha256(path) for name, path in found.items()}


def _target(source: Settings, to: str) -> Settings:
    """Return the same settings with the new state."""
    if source.database_url is None:
        raise CopyRefused(
            f"the database is the embedded one, which stays in {source.state}: write it to a file (`e2i db backup`), "
            f"set {DATABASE_URL} to a server of yours, read the file (`e2i db restore`), and run this again"
        )
    folder, address = folder_or_address(STATE, to)
    target = replace(source, state=source.state if address else source.root / str(folder), address=address)
    here, there = f"{_place(source)}/", f"{_place(target)}/"
    if here.startswith(there) or there.startswith(here):
        raise CopyRefused(f"{here[:-1]} ({STATE}) and {there[:-1]} are the same place, or one is inside of the other")
    return target


def _place(settings: Settings) -> str:
    return settings.address or str(settings.state)


def _fresh(settings: Settings, scratch: Path) -> Store:
    """Return the store of a state without copies of this machine: what is read comes from object storage."""
    return settings.store if settings.address is None else replace(settings, state=scratch).store


def _mark(store: Store, source: str) -> None:
    """Name the source in the target; an interrupted copy has done so before."""
    mark = store.file(_MARK)
    if mark.is_file():
        if (begun := mark.read_text(encoding="utf-8")) != source:
            raise CopyRefused(f"{store.location('')} has an incomplete copy of {begun}: delete it first")
    elif found := [key for folder in _FOLDERS for key in store.files(folder)]:
        raise CopyRefused(f"{store.location('')} has a state already, for example {found[0]}: name an empty place")
    else:
        store.write(_MARK, source.encode())


def _items(store: Store) -> Iterator[Item]:
    """Yield what a state consists of. The keys of assets have as many parts as a prefix of them has."""
    for pattern in _VALUES:
        yield from (Item(key, is_value=True) for key in store.keys(pattern))
    files = [PurePosixPath(key) for key in store.files("assets")]
    mark = POINTER if any(path.name == POINTER for path in files) else VALUE
    yield from (Item(str(path.parent), is_value=True) for path in files if path.name == mark)
    for folder in _FILES:
        yield from (Item(key, is_value=False) for key in store.files(folder))


def _value_keys(items: Sequence[Item]) -> list[str]:
    return [item.key for item in items if item.is_value]


def _files_of(store: Store, item: Item) -> dict[str, Path]:
    """Return the files of an item by their paths inside of it; none if the store does not have it."""
    if not item.is_value:
        path = store.file(item.key)
        return {"": path} if path.is_file() else {}
    folder = store.folder(item.key)
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def _addresses_moved(project: Project, target: Settings) -> tuple[int, int | None]:
    source = project.settings
    rows = model_locations.move(project.database, _place(source), _place(target))
    tracking = source.mlflow_tracking_uri or project.database.url_for("mlflow")
    if is_server(tracking):
        return rows, None
    in_mlflow, elsewhere = artifact_locations.move(tracking, source.artifacts, target.artifacts)
    return rows + in_mlflow, elsewhere


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
