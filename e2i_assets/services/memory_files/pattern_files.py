"""The memory in a file: a line of JSON for each pattern, compressed where the name ends in .gz."""

import gzip
import io
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import sqlalchemy as sa
from sqlalchemy.exc import DataError, IntegrityError

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.pattern_rows import STARTER, PatternRow
from e2i_assets.adapters.repositories.pattern_writes import add_patterns
from e2i_assets.adapters.repositories.rows import columns
from e2i_assets.core.errors import E2iError, Violation, Violations
from e2i_assets.services.memory_files.pattern_documents import line, parsed

_GZIP = b"\x1f\x8b"
_MOST_MISTAKES = 20
# Every installation has its starter memory: what comes back from it must not lose its mark.
_EXPORTED = sa.text(f"""
    SELECT CAST(pattern_id AS text) AS pattern_id, {columns(PatternRow)} FROM ml_hpo_patterns
    WHERE source <> '{STARTER}' ORDER BY created_at, pattern_id
""")


class PatternFileInvalid(Violations):
    """A file of patterns with mistakes, of which nothing was taken."""


class PatternFileUnusable(E2iError):
    """A file of patterns that cannot be read or written, with what to do about it."""


def write_patterns(database: Database, path: Path, force: bool = False) -> int:
    """Write all patterns but the starter memory to a file, whole or not at all, and return how many.

    Raises:
        PatternFileUnusable: The file is there already and not to be replaced, or cannot be written.
    """
    if path.exists() and not force:
        raise PatternFileUnusable(f"{path} is there already: choose another name, or replace it with --force")
    try:
        with _whole(path) as file, database.connect() as connection:
            count = 0
            for found in connection.execution_options(yield_per=200).execute(_EXPORTED).mappings():
                file.write(line(dict(found)) + "\n")
                count += 1
    except OSError as error:
        raise PatternFileUnusable(f"{path} cannot be written: {error.strerror or error}") from error
    return count


def read_patterns(database: Database, path: Path, source: str) -> tuple[int, int]:
    """Take the patterns of a file into the memory, all or none; those of studies that it knows stay as they are.

    Args:
        database: Whose memory.
        path: The file.
        source: What the new patterns are marked with.

    Returns:
        How many were new, and how many the file has.

    Raises:
        PatternFileInvalid: With the mistakes of each line.
        PatternFileUnusable: The file is not there or cannot be read, or the database refuses what is in it.
    """
    lines = _Lines(path)
    try:
        with database.begin() as connection:
            added = add_patterns(connection, lines.rows(source))
            lines.require_valid()
    except (IntegrityError, DataError) as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise PatternFileUnusable(f"{path}: the database refuses a pattern, and nothing was taken: {reason}") from error
    return added, lines.count


def file_rows(path: Path, source: str) -> list[PatternRow]:
    """Return the patterns of a file.

    Raises:
        PatternFileInvalid: With the mistakes of each line.
        PatternFileUnusable: The file is not there or cannot be read.
    """
    lines = _Lines(path)
    rows = list(lines.rows(source))
    lines.require_valid()
    return rows


class _Lines:
    """The lines of a file as they are read, with their mistakes."""

    def __init__(self, path: Path) -> None:
        self.path, self.count = path, 0
        self.mistakes: list[Violation] = []

    def rows(self, source: str) -> Iterator[PatternRow]:
        """Yield the patterns of the valid lines; after many mistakes no more is read."""
        for number, text in self._numbered():
            found = parsed(text)
            if isinstance(found, list):
                self.mistakes += [Violation(f"line {number}, {one.where}", one.value, one.rule) for one in found]
            elif not self.mistakes:
                yield found.row(source)
            self.count += 1
            if len(self.mistakes) >= _MOST_MISTAKES:
                return

    def require_valid(self) -> None:
        if self.mistakes:
            raise PatternFileInvalid(f"{self.path} (nothing was taken)", self.mistakes[:_MOST_MISTAKES])
        if not self.count:
            raise PatternFileUnusable(f"{self.path} has no patterns: e2i memory export writes a file that has")

    def _numbered(self) -> Iterator[tuple[int, str]]:
        try:
            with _opened(self.path) as file:
                yield from ((number, text) for number, text in enumerate(file, start=1) if text.strip())
        except FileNotFoundError:
            raise PatternFileUnusable(f"{self.path} is not there: give the file that e2i memory export wrote") from None
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise PatternFileUnusable(
                f"{self.path} is damaged or no file of patterns, and nothing was taken: {error}"
            ) from error


def _opened(path: Path) -> IO[str]:
    with path.open("rb") as file:
        compressed = file.read(2) == _GZIP
    return gzip.open(path, "rt", encoding="utf-8") if compressed else path.open(encoding="utf-8")


@contextmanager
def _whole(path: Path) -> Iterator[IO[str]]:
    """Write beside the place, and move there what is complete."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as raw:
            if path.suffix == ".gz":
                with (
                    # Without a name and a time in it, so that the same patterns are the same file.
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
