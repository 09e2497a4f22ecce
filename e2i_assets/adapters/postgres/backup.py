"""Backup of the database to one file: a consistent snapshot of its four schemas, made by `pg_dump`."""

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from e2i_assets.adapters.postgres.address import without_secrets
from e2i_assets.adapters.postgres.client_programs import client_environment, programs_for, server_version
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.core.errors import E2iError

SCHEMAS = ("e2i", "dagster", "optuna", "mlflow")


SEAL = b"\ne2i sha256 "
_PIECE = 1 << 20


def is_sealed(source: Path) -> bool:
    """Return whether a file is a complete and unchanged backup. It is read in pieces, so its size does not matter."""
    digest = hashlib.sha256()
    with source.open("rb") as file:
        left = source.stat().st_size - len(SEAL) - 2 * digest.digest_size
        while left > 0 and (piece := file.read(min(left, _PIECE))):
            digest.update(piece)
            left -= len(piece)
        return left == 0 and file.read() == SEAL + digest.hexdigest().encode()


class BackupFailed(E2iError):
    """The backup failed and left no file, not even a partial one."""


def backup(database: Database, target: Path) -> int:
    """Write a consistent snapshot of the four schemas to a file that only its owner can read.

    The database may be in use meanwhile. The file appears only when it is complete. It is in the compressed custom
    format of `pg_dump`, without owners and privileges of the tables, which the restore sets.

    Args:
        database: A database of any version of this product.
        target: A file that does not exist yet.

    Returns:
        The size of the file in bytes.

    Raises:
        BackupFailed: The file exists, its folder is not writable, or `pg_dump` failed.
        PostgresUnavailable: No installed `pg_dump` is new enough for the server.
    """
    if target.exists():
        raise BackupFailed(f"{target} exists already, and a backup is never overwritten: name another file.")
    program = programs_for(server_version(database)) / "pg_dump"
    try:
        # It has mode 600 from the start, and is in the same folder, which makes the final link atomic.
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".partial")
    except OSError as error:
        raise BackupFailed(f"{target.parent} is not writable: {error.strerror}. Name another folder.") from error
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "w+b") as output:
            _dump(database, program, output.fileno())
            # pg_restore accepts a truncated file; it ignores what follows its archive, so a checksum is appended.
            output.seek(0)
            output.write(SEAL + hashlib.file_digest(output, "sha256").hexdigest().encode())
            output.flush()
            os.fsync(output.fileno())
        return _named(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _dump(database: Database, program: Path, output: int) -> None:
    schemas = [f"--schema={schema}" for schema in SCHEMAS]
    # The longest wait for a table that is being changed, for example by a migration.
    command: list[str | Path] = [
        program,
        "--format=custom",
        "--no-owner",
        "--no-privileges",
        "--lock-wait-timeout=60s",
        *schemas,
    ]
    with client_environment(database) as environment:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            check=False,
        )
    if ended.returncode:
        message = without_secrets(ended.stderr, database.url).strip()
        raise BackupFailed(f"pg_dump could not read {database.redacted}, and no file was written:\n{message}")


def _named(partial: Path, target: Path) -> int:
    try:
        # A link instead of a rename: it fails if another process has created the file in the meantime.
        os.link(partial, target)
    except FileExistsError:
        raise BackupFailed(f"{target} was created by another process in the meantime: name another file.") from None
    except OSError:  # a file system without links
        partial.rename(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return target.stat().st_size
