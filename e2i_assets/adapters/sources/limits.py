"""Limits of a source: how much it may read, and from which folders; they protect the machine from hostile files."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from e2i_assets.adapters.environment_values import count
from e2i_assets.core.errors import DataInvalid, E2iError, Violation

ROWS = "E2I_SOURCE_ROWS"
MEGABYTES = "E2I_SOURCE_MB"
FOLDERS = "E2I_SOURCE_FOLDERS"
_ROWS = 10_000_000
_MEGABYTES = 2000
_BYTES_OF_ONE = 1_000_000


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """The size limits of a source, and the folders that its files may be in.

    Attributes:
        rows: Maximum number of rows.
        megabytes: Maximum size of a CSV file on disk, of a Parquet file in memory, or of the values of a query.
        folders: Allowed folders besides the project folder; a link in the project may point there.
    """

    rows: int = _ROWS
    megabytes: int = _MEGABYTES
    folders: tuple[Path, ...] = ()

    @property
    def bytes(self) -> int:
        """``megabytes`` in bytes."""
        return self.megabytes * _BYTES_OF_ONE

    def allowed_file(self, root: Path, name: str, where: str) -> Path:
        """Return the path of a file in the project, with links resolved; the file need not exist.

        Args:
            root: The project folder, the base of relative paths.
            name: The path in the experiment file.
            where: The key in the experiment file, for the message.

        Raises:
            DataInvalid: The path is outside the project folder and the allowed folders.
        """
        try:
            found = (root / name).resolve()
            found.exists()  # raises for a name that is too long for any file
        except (OSError, RuntimeError, ValueError) as error:  # circular links, a zero byte
            raise refused(where, name, f"is not a valid path: {error}") from None
        if not any(found.is_relative_to(folder.resolve()) for folder in (root, *self.folders)):
            rule = (
                f"is outside the project folder, at {found}: copy the file into the project, or, if it may be read, "
                f"name its folder in the environment variable {FOLDERS}"
            )
            raise refused(where, name, rule)
        return found

    def require_size(self, size: int, where: str, name: str) -> None:
        """Check a number of bytes against the limit.

        Raises:
            DataInvalid: The number exceeds the limit.
        """
        if size > self.bytes:
            rule = f"has {size / _BYTES_OF_ONE:,.0f} MB, and at most {self.megabytes:,} are read: make it smaller, or "
            raise refused(where, name, f"{rule}raise {MEGABYTES}")

    def require_rows(self, rows: int, where: str, name: str) -> None:
        """Check a number of rows against the limit.

        Raises:
            DataInvalid: The number exceeds the limit.
        """
        if rows > self.rows:
            rule = f"has {rows:,} rows, and at most {self.rows:,} are read: take a sample of them, or raise {ROWS}"
            raise refused(where, name, rule)


def source_limits(environment: Mapping[str, str]) -> SourceLimits:
    """Return the limits from the environment, with defaults for those that are not set.

    Raises:
        E2iError: A limit is not a whole number above 0, or a folder is not an absolute path.
    """
    given = tuple(Path(part) for part in environment.get(FOLDERS, "").split(os.pathsep) if part)
    for folder in given:
        if not folder.is_absolute():
            raise E2iError(f"{FOLDERS} has {str(folder)!r}: each folder must be an absolute path, separated by a colon")
    return SourceLimits(
        rows=count(environment, ROWS, _ROWS), megabytes=count(environment, MEGABYTES, _MEGABYTES), folders=given
    )


def refused(where: str, value: str, rule: str) -> DataInvalid:
    """Return the error about a value of a source."""
    return DataInvalid("data of the experiment", [Violation(where, value, rule)])
