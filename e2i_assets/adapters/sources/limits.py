"""How much an experiment's source may bring, and from where: what stands between a stranger's file and this machine."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from e2i_assets.adapters.settings import count
from e2i_assets.core.errors import DataInvalid, E2iError, Violation

ROWS = "E2I_SOURCE_ROWS"
MEGABYTES = "E2I_SOURCE_MB"
FOLDERS = "E2I_SOURCE_FOLDERS"
_ROWS = 10_000_000
_MEGABYTES = 2000
_BYTES_OF_ONE = 1_000_000


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """What a source may bring at most, and where its files may lie.

    Attributes:
        rows: Rows of the table.
        megabytes: Of a CSV file as it lies on the disk, of a Parquet file unfolded, of the values of a query.
        folders: Where files may lie besides the project folder: a link in the project may lead there.
    """

    rows: int = _ROWS
    megabytes: int = _MEGABYTES
    folders: tuple[Path, ...] = ()

    @property
    def bytes(self) -> int:
        """The same as ``megabytes``, in bytes."""
        return self.megabytes * _BYTES_OF_ONE

    def allowed_file(self, root: Path, name: str, where: str) -> Path:
        """Return a file of the project, links followed; it may or may not be there.

        Args:
            root: The project folder that its path starts from.
            name: Its path in the experiment file.
            where: The key in the experiment file, for the message.

        Raises:
            DataInvalid: It leads out of the project folder, and not into one of the allowed folders.
        """
        try:
            found = (root / name).resolve()
            found.exists()  # a name that is too long for any file is only found out by looking
        except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a zero byte
            raise refused(where, name, f"is no path that can be followed: {error}") from None
        if not any(found.is_relative_to(folder.resolve()) for folder in (root, *self.folders)):
            rule = (
                f"leads out of the project folder, to {found}: copy the file into the project, or, if it may be read, "
                f"name its folder in the environment variable {FOLDERS}"
            )
            raise refused(where, name, rule)
        return found

    def require_size(self, size: int, where: str, name: str) -> None:
        """Accept so many bytes.

        Raises:
            DataInvalid: They are too many.
        """
        if size > self.bytes:
            rule = f"has {size / _BYTES_OF_ONE:,.0f} MB, and at most {self.megabytes:,} are read: make it smaller, or "
            raise refused(where, name, f"{rule}raise {MEGABYTES}")

    def require_rows(self, rows: int, where: str, name: str) -> None:
        """Accept so many rows.

        Raises:
            DataInvalid: They are too many.
        """
        if rows > self.rows:
            rule = f"has {rows:,} rows, and at most {self.rows:,} are read: take a sample of them, or raise {ROWS}"
            raise refused(where, name, rule)


def source_limits(environment: Mapping[str, str]) -> SourceLimits:
    """Return what the environment says, where it says something.

    Raises:
        E2iError: A limit is no whole number above 0, or a folder is not an absolute path.
    """
    given = tuple(Path(part) for part in environment.get(FOLDERS, "").split(os.pathsep) if part)
    for folder in given:
        if not folder.is_absolute():
            raise E2iError(f"{FOLDERS} has {str(folder)!r}: each folder must be an absolute path, parted by a colon")
    return SourceLimits(
        rows=count(environment, ROWS, _ROWS), megabytes=count(environment, MEGABYTES, _MEGABYTES), folders=given
    )


def refused(where: str, value: str, rule: str) -> DataInvalid:
    """Return the error about one value of a source."""
    return DataInvalid("data of the experiment", [Violation(where, value, rule)])
