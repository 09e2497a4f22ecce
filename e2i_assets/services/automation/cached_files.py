"""A cache of experiment files for processes that scan the folder often: unchanged text is not validated again."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from e2i_assets.adapters.files.experiment_files import ExperimentFolder, files_in, read_experiment, read_files, strict
from e2i_assets.core.errors import ExperimentInvalid
from e2i_assets.core.experiments.experiment import Experiment


@dataclass(frozen=True, slots=True)
class FolderScan:
    """The result of a scan of the folder.

    Attributes:
        folder: The files that were read.
        unread: Files that were not read for lack of time.
    """

    folder: ExperimentFolder
    unread: Sequence[Path]


@dataclass(slots=True)
class FileCache:
    """Validates a file once per text: parsing takes milliseconds, comparing the text does not."""

    _results: dict[Path, tuple[bytes, Experiment | ExperimentInvalid]] = field(default_factory=dict)

    def read(self, folder: Path, seconds: float) -> FolderScan:
        """Read a folder for at most about this many seconds. The next scan reads the remaining files.

        Raises:
            E2iError: The folder does not exist.
        """
        paths = files_in(folder)
        self._results = {path: self._results[path] for path in paths if path in self._results}
        until = time.monotonic() + seconds
        read: list[Path] = []
        for path in paths:
            if not self._is_known(path):
                if time.monotonic() > until:
                    continue
                self._validate(path)
            read.append(path)
        left = set(read)
        return FolderScan(strict(read_files(read, self._read)), [path for path in paths if path not in left])

    def _is_known(self, path: Path) -> bool:
        return path in self._results and self._results[path][0] == _text(path)

    def _validate(self, path: Path) -> None:
        text = _text(path)
        try:
            self._results[path] = (text, read_experiment(path))
        except ExperimentInvalid as mistakes:
            self._results[path] = (text, mistakes)

    def _read(self, path: Path) -> Experiment:
        found = self._results[path][1]
        if isinstance(found, ExperimentInvalid):
            raise found
        return found


def _text(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # deleted or unreadable: what the cache has of it is outdated
        return b""
