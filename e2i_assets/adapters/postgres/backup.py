"""A backup of the database in one file: everything that its four schemas hold at one moment, by `pg_dump`."""

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
    """Return whether a file is what `backup` wrote, to its last byte. It is read in pieces, whatever its size."""
    digest = hashlib.sha256()
    with source.open("rb") as file:
        left = source.stat().st_size - len(SEAL) - 2 * digest.digest_size
        while left > 0 and (piece := file.read(min(left, _PIECE))):
            digest.update(piece)
            left -= len(piece)
        return left == 0 and file.read() == SEAL + digest.hexdigest().encode()


class BackupFailed(E2iError):
    """A backup that was not made; there is no file then, and not half of one."""


def backup(database: Database, target: Path) -> int:
    """Write what the four schemas hold, as of one moment, to a file that only its owner can read.

    Everything may go on working meanwhile. The file is there when it is whole, and never before. It is `pg_dump`'s
    custom format, compressed. Who owns the tables and who may use them is decided where it is restored.

    Args:
        database: Of any version of this product.
        target: A file that is not there yet.

    Returns:
        Its size in bytes.

    Raises:
        BackupFailed: The file exists, its folder cannot be written to, or `pg_dump` failed.
        PostgresUnavailable: There is no `pg_dump` that is new enough for the server.
    """
    if target.exists():
        raise BackupFailed(f"{target} is there already, and a backup is never overwritten: name another file.")
    program = programs_for(server_version(database)) / "pg_dump"
    try:
        # Of mode 600 from its first byte, and in the same folder, so that it can take its name in one step.
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".partial")
    except OSError as error:
        raise BackupFailed(f"{target.parent} cannot be written to: {error.strerror}. Name another place.") from error
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "w+b") as output:
            _dump(database, program, output.fileno())
            # pg_restore takes a file that was cut short for a whole one; what stands behind the end it does not read.
            output.seek(0)
            output.write(SEAL + hashlib.file_digest(output, "sha256").hexdigest().encode())
            output.flush()
            os.fsync(output.fileno())
        return _named(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _dump(database: Database, program: Path, output: int) -> None:
    schemas = [f"--schema={schema}" for schema in SCHEMAS]
    # Waits at most so long for a table that somebody is changing: a migration, for instance.
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
        said = without_secrets(ended.stderr, database.url).strip()
        raise BackupFailed(f"pg_dump could not read {database.redacted}, and no file was written:\n{said}")


def _named(partial: Path, target: Path) -> int:
    try:
        # A link, and not a rename: it fails when somebody else has made that file in the meantime.
        os.link(partial, target)
    except FileExistsError:
        raise BackupFailed(f"{target} was made by somebody else in the meantime: name another file.") from None
    except OSError:  # a file system without links
        partial.rename(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return target.stat().st_size
