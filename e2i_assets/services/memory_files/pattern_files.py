"""Export and import of the memory as JSON Lines, compressed if the file name ends in .gz."""

import gzip
import io
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.pattern_rows import PatternRow
from e2i_assets.adapters.repositories.patterns import PatternRejected, PatternRepository
from e2i_assets.core.errors import E2iError, Violation, Violations
from e2i_assets.services.memory_files.pattern_documents import line, parsed

_GZIP = b"\x1f\x8b"
_MOST_MISTAKES = 20


class PatternFileInvalid(Violations):
    """A pattern file has errors; nothing was imported."""


class PatternFileUnusable(E2iError):
    """A pattern file cannot be read or written."""


def write_patterns(database: Database, path: Path, force: bool = False) -> int:
    """Write all patterns except the starter memory to a file atomically, and return their number.

    Raises:
        PatternFileUnusable: The file exists and may not be replaced, or cannot be written.
    """
    if path.exists() and not force:
        raise PatternFileUnusable(f"{path} exists already: choose another name or replace it with --force")
    try:
        with _whole(path) as file:
            count = 0
            for pattern in PatternRepository(database).exported():
                file.write(line(pattern) + "\n")
                count += 1
    except OSError as error:
        raise PatternFileUnusable(f"{path} cannot be written: {error.strerror or error}") from error
    return count


def read_patterns(database: Database, path: Path, source: str) -> tuple[int, int]:
    """Import the patterns of a file, all or none. Patterns of known studies are unchanged.

    Args:
        database: Database of the memory.
        path: Pattern file.
        source: Source of the new patterns.

    Returns:
        The number of new patterns, and the number of patterns in the file.

    Raises:
        PatternFileInvalid: Lines are not valid; it lists the errors of each.
        PatternFileUnusable: The file is missing or unreadable, or the database rejects a pattern.
    """
    lines = _Lines(path)
    try:
        added = PatternRepository(database).add(lines.rows(source))
    except PatternRejected as error:
        raise PatternFileUnusable(f"{path}: nothing imported, the database rejects a pattern: {error}") from error
    return added, lines.count


def file_rows(path: Path, source: str) -> list[PatternRow]:
    """Return the patterns of a file.

    Raises:
        PatternFileInvalid: Lines are not valid; it lists the errors of each.
        PatternFileUnusable: The file is missing or unreadable.
    """
    return list(_Lines(path).rows(source))


class _Lines:
    """The lines of a file, read incrementally, with their errors."""

    def __init__(self, path: Path) -> None:
        self.path, self.count = path, 0
        self.mistakes: list[Violation] = []

    def rows(self, source: str) -> Iterator[PatternRow]:
        """Yield the patterns of the lines up to the first invalid one, and then raise all errors, or the first 20."""
        for number, text in self._numbered():
            found = parsed(text)
            if isinstance(found, list):
                self.mistakes += [Violation(f"line {number}, {one.where}", one.value, one.rule) for one in found]
            elif not self.mistakes:
                yield found.row(source)
            self.count += 1
            if len(self.mistakes) >= _MOST_MISTAKES:
                break
        if self.mistakes:
            raise PatternFileInvalid(f"{self.path} (nothing was imported)", self.mistakes[:_MOST_MISTAKES])
        if not self.count:
            raise PatternFileUnusable(f"{self.path} has no patterns: use a file written by e2i memory export")

    def _numbered(self) -> Iterator[tuple[int, str]]:
        try:
            with _opened(self.path) as file:
                yield from ((number, text) for number, text in enumerate(file, start=1) if text.strip())
        except FileNotFoundError:
            raise PatternFileUnusable(f"{self.path} does not exist: use a file written by e2i memory export") from None
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise PatternFileUnusable(
                f"{self.path} is damaged or not a pattern file; nothing was imported: {error}"
            ) from error


def _opened(path: Path) -> IO[str]:
    with path.open("rb") as file:
        compressed = file.read(2) == _GZIP
    return gzip.open(path, "rt", encoding="utf-8") if compressed else path.open(encoding="utf-8")


@contextmanager
def _whole(path: Path) -> Iterator[IO[str]]:
    """Write to a temporary file and rename it when it is complete."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as raw:
            if path.suffix == ".gz":
                with (
                    # Without name and time in the gzip header, equal patterns give equal files.
                    gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as compressed,
                    io.TextIOWrapper(compressed, encoding="utf-8") as file,
                ):
                    yield file
            else:
                with io.TextIOWrapper(raw, encoding="utf-8") as file:
                    yield file
        Path(name).chmod(0o644)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
