"""Reads the contents of a backup file through `pg_restore`."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from e2i_assets.core.errors import E2iError

# These are created by our own statements at the restore, as in a new database: an administrator may have created the
# schemas, and the index needs an extension that the other server may not have.
_CREATED_BY_RESTORE = re.compile(r"^\d+; \d+ \d+ (SCHEMA - |INDEX e2i ml_hpo_patterns_by_vector )")


class BackupUnreadable(E2iError):
    """The file is not a backup of this product, or is damaged."""


@dataclass(frozen=True, slots=True)
class BackupFile:
    """A backup file and the folder of the PostgreSQL programs that read it."""

    path: Path
    programs: Path

    def migrations(self) -> list[tuple[int, str, str]]:
        """Return version, name and checksum of the migrations of the database that was backed up.

        Raises:
            BackupUnreadable: The file is not a backup of a database of this product.
        """
        with self._output("--data-only", "--schema=e2i", "--table=schema_migrations") as output:
            rows = [line.decode().split("\t") for line in output if re.match(rb"\d+\t", line)]
        if not rows:
            raise BackupUnreadable(f"{self.path} has no database of this product: name a file of `e2i db backup`.")
        return [(int(version), name, checksum) for version, name, checksum, *_ in rows]

    @contextmanager
    def statements(self, section: str) -> Iterator[IO[bytes]]:
        """Open the statements for psql that restore a section (pre-data, data, post-data).

        Raises:
            BackupUnreadable: The file is damaged; raised at the end of the ``with`` block.
        """
        with tempfile.NamedTemporaryFile("w", suffix=".list") as chosen:
            with self._output("--list") as output:
                lines = output.read().decode().splitlines(keepends=True)
            chosen.writelines(line for line in lines if not _CREATED_BY_RESTORE.match(line))
            chosen.flush()
            options = ["--no-owner", "--no-privileges", f"--section={section}", f"--use-list={chosen.name}"]
            with self._output(*options) as output:
                yield output

    @contextmanager
    def _output(self, *options: str) -> Iterator[IO[bytes]]:
        """Open the output of pg_restore, and raise BackupUnreadable at the end if it failed."""
        to = [] if "--list" in options else ["--file=-"]
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                [self.programs / "pg_restore", *options, *to, self.path], stdout=subprocess.PIPE, stderr=errors
            )
            assert process.stdout is not None
            try:
                yield process.stdout
            except BaseException:
                process.kill()
                raise
            finally:
                process.stdout.close()
                status = process.wait()
            if status:
                errors.seek(0)
                message = errors.read().decode(errors="replace").strip()
                raise BackupUnreadable(f"{self.path} cannot be read as a backup:\n{message}")
