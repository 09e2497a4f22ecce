"""PostgreSQL's own programs, as we run them: new enough for the server, and with no password in their arguments."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa

from e2i_assets.adapters.postgres.address import DatabaseAddressInvalid
from e2i_assets.adapters.postgres.binaries import packaged_binaries
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.errors import PostgresUnavailable

# How the programs are told what an address may say after its question mark.
_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "options": "PGOPTIONS",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "application_name": "PGAPPNAME",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "hostaddr": "PGHOSTADDR",
    "passfile": "PGPASSFILE",
    "require_auth": "PGREQUIREAUTH",
    "channel_binding": "PGCHANNELBINDING",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "sslcertmode": "PGSSLCERTMODE",
    "sslcrl": "PGSSLCRL",
    "sslcrldir": "PGSSLCRLDIR",
    "sslsni": "PGSSLSNI",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "requirepeer": "PGREQUIREPEER",
    "gssencmode": "PGGSSENCMODE",
    "krbsrvname": "PGKRBSRVNAME",
    "client_encoding": "PGCLIENTENCODING",
    "load_balance_hosts": "PGLOADBALANCEHOSTS",
}
# There is no variable for these, and a command that ends soon is none the worse without them.
_PATIENCE = {
    *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"),
    "fallback_application_name",
}
_VERSION = sa.text("SELECT current_setting('server_version_num')::integer / 10000")


def libpq_environment(database: Database) -> dict[str, str]:
    """Return the address, in our schema, as the variables that PostgreSQL's programs read.

    Arguments, unlike these, are visible to everybody on the machine.

    Raises:
        DatabaseAddressInvalid: The address demands what there is no variable for: the programs would leave it out.
    """
    parsed = sa.make_url(database.url_for("e2i"))
    if unknown := sorted(parsed.query.keys() - _VARIABLES.keys() - _PATIENCE):
        raise DatabaseAddressInvalid(
            f"PostgreSQL's own programs cannot be told {', '.join(unknown)} of the database address: leave it out for "
            "this command, or set it for them in a service file (PGSERVICE)."
        )
    values = {
        "PGHOST": parsed.host,
        "PGPORT": parsed.port,
        "PGUSER": parsed.username,
        "PGPASSWORD": parsed.password,
        "PGDATABASE": parsed.database,
        **{_VARIABLES[key]: value for key, value in parsed.query.items() if key in _VARIABLES},
    }
    return {name: str(value) for name, value in values.items() if value is not None}


def server_version(database: Database) -> int:
    """Return the major version of the server, such as 18."""
    with database.connect() as connection:
        return int(connection.execute(_VERSION).scalar_one())


def programs_for(version: int, environment: Mapping[str, str] = os.environ) -> Path:
    """Return a folder with ``pg_dump``, ``pg_restore`` and ``psql`` that work with a server of a major version.

    Those that come with the installation are taken, and those of the machine when the server is newer: ``pg_dump``
    refuses a server that is newer than itself.

    Raises:
        PostgresUnavailable: All that are here are older than the server.
    """
    found: dict[Path, int] = {}
    for folder in _folders(environment):
        found[folder] = _version_of(folder / "pg_dump")
        if found[folder] >= version:
            return folder
    here = ", ".join(f"{number} in {folder}" for folder, number in found.items()) or "none"
    raise PostgresUnavailable(
        f"The server is PostgreSQL {version}, and the pg_dump programs here are older than it: {here}.",
        f"Install the client programs of PostgreSQL {version} (postgresql-client-{version} on Debian and Ubuntu).",
    )


def _folders(environment: Mapping[str, str]) -> list[Path]:
    folders = []
    with suppress(PostgresUnavailable):  # not on this platform: those of the machine are as good
        folders.append(packaged_binaries())
    if program := shutil.which("pg_dump", path=environment.get("PATH")):
        folders.append(Path(program).parent)
    return [folder for folder in folders if all((folder / name).exists() for name in ("pg_dump", "pg_restore", "psql"))]


def _version_of(program: Path) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"(\d+)", said)
    return int(match[1]) if match else 0
