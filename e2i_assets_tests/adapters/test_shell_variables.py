"""The embedded server and its client programs in a shell that is configured for another PostgreSQL server."""

import ctypes
import subprocess
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import psutil
import psycopg2
import pytest
import sqlalchemy as sa

from e2i_assets.adapters.postgres import server
from e2i_assets.adapters.postgres.client_programs import client_environment, programs_for
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings

HOSTILE = {
    "PGHOST": "192.0.2.1",
    "PGHOSTADDR": "192.0.2.1",
    "PGPORT": "1",
    "PGDATABASE": "of_another",
    "PGUSER": "somebody",
    "PGPASSWORD": "of-another-server",
    "PGPASSFILE": "/nowhere/pgpass",
    "PGSERVICE": "another_server",
    "PGSERVICEFILE": "/nowhere/pg_service.conf",
    "PGSYSCONFDIR": "/nowhere",
    "PGOPTIONS": "-c no_such_setting=1",
    "PGSSLMODE": "require",
    "PGSSLNEGOTIATION": "direct",
    "PGSSLCERTMODE": "require",
    "PGSSLROOTCERT": "system",
    "PGSSLCERT": "/nowhere/client.crt",
    "PGSSLMINPROTOCOLVERSION": "TLSv1.3",
    "PGGSSENCMODE": "require",
    "PGREQUIREAUTH": "none",
    "PGREQUIREPEER": "nobody",
    "PGCHANNELBINDING": "require",
    "PGTARGETSESSIONATTRS": "standby",
    "PGLOADBALANCEHOSTS": "random",
    "PGCLIENTENCODING": "SQL_ASCII",
    "PGCONNECT_TIMEOUT": "soon",
    "PGMINPROTOCOLVERSION": "latest",
    "PGTZ": "America/New_York",
    "PGDATESTYLE": "German",
    "PGGEQO": "perhaps",
}
# A name that the server shows in its list of sessions, and settings of TLS and Kerberos, which are not used.
HARMLESS = {"PGAPPNAME", "PGSSLKEY", "PGSSLCRL", "PGSSLCRLDIR", "PGSSLSNI", "PGSSLCOMPRESSION"}
HARMLESS |= {"PGSSLMAXPROTOCOLVERSION", "PGKRBSRVNAME", "PGGSSLIB", "PGGSSDELEGATION"}


@pytest.fixture(scope="module")
def settings(server_folder: Path) -> Settings:
    return Settings(root=server_folder, state=server_folder)


@pytest.fixture(scope="module")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a server for this module, which one process keeps running."""
    folder = tmp_path_factory.mktemp("shell")
    yield folder
    server._hold(folder / "postgres").close()
    server._hold.cache_clear()


@pytest.mark.parametrize("variable", [*HOSTILE, "all"])
def test_the_embedded_server_and_its_client_programs_do_not_depend_on_the_shell(
    settings: Settings, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server._hold.cache_clear()
    for name, value in HOSTILE.items() if variable == "all" else [(variable, HOSTILE[variable])]:
        monkeypatch.setenv(name, value)
    database: Database = server.database(settings)
    database.require_reachable()
    session = "SELECT current_user || ' ' || current_database() || ' ' || current_setting('TimeZone') || ' ' || %s"
    # As Dagster and MLflow connect, which have the address only.
    plain = psycopg2.connect(sa.make_url(database.url).set(drivername="postgresql").render_as_string(False))
    cursor = plain.cursor()
    cursor.execute(session, ("größer",))
    assert cursor.fetchone() == ("e2i e2i UTC größer",)
    plain.close()
    programs = programs_for(18)
    psql = [programs / "psql", "-Atc", "SHOW server_version_num"]
    with client_environment(database) as environment:
        assert subprocess.run(psql, env=environment, stdout=subprocess.PIPE, check=True).stdout.startswith(b"18")
        subprocess.run([programs / "pg_dump", "--schema-only"], env=environment, capture_output=True, check=True)
    database.dispose()


class _Option(ctypes.Structure):
    """The C struct PQconninfoOption."""

    _fields_ = [
        *((name, ctypes.c_char_p) for name in ("keyword", "envvar", "compiled", "val", "label", "dispchar")),
        ("dispsize", ctypes.c_int),
    ]


def test_every_variable_that_the_client_library_lists_is_tried(settings: Settings) -> None:
    """A later libpq with one more variable fails here."""
    psycopg2.connect(server.database(settings).libpq_url).close()
    (path,) = {one.path for one in psutil.Process().memory_maps() if "libpq" in Path(one.path).name}
    defaults = ctypes.CDLL(path).PQconndefaults
    defaults.restype = ctypes.POINTER(_Option)
    listed = {one.envvar.decode() for one in takewhile(lambda one: one.keyword, defaults()) if one.envvar}
    assert "PGSSLMODE" in listed
    assert listed - HOSTILE.keys() - HARMLESS == set()
