"""What a file that `backup` wrote holds, as `pg_restore` tells it."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from e2i_assets.core.errors import E2iError

# Made where it is restored, by the same statements that a new database gets: schemas may be there already, made by an
# administrator, and the index asks for an extension that the other server may not have.
_MADE_THERE = re.compile(r"^\d+; \d+ \d+ (SCHEMA - |INDEX e2i ml_hpo_patterns_by_vector )")


class BackupUnreadable(E2iError):
    """A file that is no backup of ours, or is damaged."""


@dataclass(frozen=True, slots=True)
class BackupFile:
    """A backup, and the folder of the programs that read it."""

    path: Path
    programs: Path

    def migrations(self) -> list[tuple[int, str, str]]:
        """Return version, name and checksum of the migrations that the backed up database had.

        Raises:
            BackupUnreadable: The file is no backup of a database of this product.
        """
        with self._output("--data-only", "--schema=e2i", "--table=schema_migrations") as output:
            rows = [line.decode().split("\t") for line in output if re.match(rb"\d+\t", line)]
        if not rows:
            raise BackupUnreadable(f"{self.path} holds no database of this product: name a file of `e2i db backup`.")
        return [(int(version), name, checksum) for version, name, checksum, *_ in rows]

    @contextmanager
    def statements(self, section: str) -> Iterator[IO[bytes]]:
        """Open what restores a section (pre-data, data, post-data), as psql takes it.

        Raises:
            BackupUnreadable: On leaving, when the file turned out to be damaged.
        """
        with tempfile.NamedTemporaryFile("w", suffix=".list") as chosen:
            with self._output("--list") as output:
                lines = output.read().decode().splitlines(keepends=True)
            chosen.writelines(line for line in lines if not _MADE_THERE.match(line))
            chosen.flush()
            options = ["--no-owner", "--no-privileges", f"--section={section}", f"--use-list={chosen.name}"]
            with self._output(*options) as output:
                yield output

    @contextmanager
    def _output(self, *options: str) -> Iterator[IO[bytes]]:
        """What pg_restore writes; it has to come to a good end."""
        to = [] if "--list" in options else ["--file=-"]
        with tempfile.TemporaryFile() as complaints:
            reading = subprocess.Popen(
                [self.programs / "pg_restore", *options, *to, self.path], stdout=subprocess.PIPE, stderr=complaints
            )
            assert reading.stdout is not None
            try:
                yield reading.stdout
            except BaseException:
                reading.kill()
                raise
            finally:
                reading.stdout.close()
                status = reading.wait()
            if status:
                complaints.seek(0)
                said = complaints.read().decode(errors="replace").strip()
                raise BackupUnreadable(f"{self.path} cannot be read as a backup:\n{said}")
