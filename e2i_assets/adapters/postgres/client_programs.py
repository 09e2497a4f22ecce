"""Finds PostgreSQL client programs that match the server, and keeps the password off their command lines."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa

from e2i_assets.adapters.postgres.address import DatabaseAddressInvalid
from e2i_assets.adapters.postgres.binaries import packaged_binaries
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.errors import PostgresUnavailable

_VERSION = sa.text("SELECT current_setting('server_version_num')::integer / 10000")


@contextmanager
def client_environment(database: Database) -> Iterator[dict[str, str]]:
    """Yield the environment in which PostgreSQL's programs connect to our schema of a database.

    The address, with all its connection parameters, is in a service file that only this account can read and that is
    deleted at the end. Command-line arguments would be visible to every user of the machine.

    Raises:
        DatabaseAddressInvalid: The address contains a line break, which a service file cannot represent.
    """
    parsed = sa.make_url(database.url_for("e2i"))
    named = {"host": parsed.host, "port": parsed.port, "user": parsed.username, "dbname": parsed.database}
    values = {name: str(value) for name, value in {**named, **parsed.query}.items() if value is not None}
    if any(mark in value for value in values.values() for mark in "\r\n"):
        raise DatabaseAddressInvalid("The database address contains a line break: remove it.")
    with tempfile.NamedTemporaryFile("w", prefix="e2i-", suffix=".conf", encoding="utf-8") as file:
        file.writelines(["[e2i]\n", *(f"{name}={value}\n" for name, value in values.items())])
        file.flush()
        # The password is passed separately: a service file loses trailing spaces.
        password = {} if parsed.password is None else {"PGPASSWORD": str(parsed.password)}
        yield {**os.environ, "PGSERVICEFILE": file.name, "PGSERVICE": "e2i", **password}


def server_version(database: Database) -> int:
    """Return the major version of the server, such as 18."""
    with database.connect() as connection:
        return int(connection.execute(_VERSION).scalar_one())


def programs_for(version: int, environment: Mapping[str, str] = os.environ) -> Path:
    """Return a folder with ``pg_dump``, ``pg_restore`` and ``psql`` that work with a server of a major version.

    The programs of the installation are preferred; those on the PATH are used if the server is newer, because
    ``pg_dump`` refuses a server that is newer than itself.

    Raises:
        PostgresUnavailable: There are no such programs, or they are older than the server.
    """
    found: dict[Path, int] = {}
    for folder in _folders(environment):
        found[folder] = _version_of(folder / "pg_dump")
        if found[folder] >= version:
            return folder
    here = ", ".join(f"{number} in {folder}" for folder, number in found.items())
    why = f"the pg_dump programs found are older: {here}" if here else "no pg_dump was found"
    raise PostgresUnavailable(
        f"The server is PostgreSQL {version}, and {why}.",
        f"Install the client programs of PostgreSQL {version} (postgresql-client-{version} on Debian and Ubuntu).",
    )


def _folders(environment: Mapping[str, str]) -> list[Path]:
    folders = []
    with suppress(PostgresUnavailable):  # the wheel does not exist for this platform: the programs on the PATH remain
        folders.append(packaged_binaries())
    if program := shutil.which("pg_dump", path=environment.get("PATH")):
        folders.append(Path(program).parent)
    return [folder for folder in folders if all((folder / name).exists() for name in ("pg_dump", "pg_restore", "psql"))]


def _version_of(program: Path) -> int:
    output = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"(\d+)", output)
    return int(match[1]) if match else 0
