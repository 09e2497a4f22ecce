"""The real PostgreSQL of the tests: one server for all workers, one migrated template, a copy for each test."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool
from trace_receiver import receiver  # noqa: F401  # a fixture for the tests of adapters and of the graph

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.embedded_postgres import EmbeddedPostgres, locked
from e2i_assets.adapters.postgres.migrations import migrate

# The suite uses every core already, and two studies can be compared only when their trials are drawn in turn.
os.environ["E2I_CORES"] = "1"
# Pictures are the largest part of a small run: a test that looks at one takes the fixture `pictures`.
os.environ["E2I_PICTURES"] = "off"

SQL = Path(__file__).parents[1] / "sql"
TEMPLATE = "e2i_template"
OUR_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'e2i' AND tablename NOT LIKE 'schema\\_%'"
# Nothing here has to survive a power cut.
SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "100"}


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies and trainings of this test draw their pictures. It comes before the fixture that makes the project."""
    monkeypatch.setenv("E2I_PICTURES", "on")


@pytest.fixture(scope="session")
def server(testrun_uid: str) -> Iterator[Database]:
    """The database through which the others are made and dropped; its server ends with the last worker."""
    # Not in pytest's own temporary folder: root's is closed to the account that the server runs as.
    folder = Path(tempfile.gettempdir()) / f"e2i-tests-{testrun_uid}"
    folder.mkdir(exist_ok=True)
    users = folder.with_suffix(".lock")
    with _held(users, "shared"), EmbeddedPostgres(folder / "postgres", SETTINGS).hold() as hold:
        yield Database(hold.url)
    with _held(users, "exclusive") as last:
        if last:
            _remove(folder)
            users.unlink()


@pytest.fixture(scope="session")
def template(server: Database) -> str:
    """The name of a migrated database that nobody can connect to, so that copying it is always possible."""
    with server.advisory_lock(TEMPLATE):
        ready = _execute(server, f"SELECT NOT datallowconn FROM pg_database WHERE datname = '{TEMPLATE}'")
        if ready is not True:
            if ready is None:
                _execute(server, f"CREATE DATABASE {TEMPLATE}")
            database = _named(server, TEMPLATE)
            migrate(database, SQL)
            database.dispose()
            _execute(server, f"ALTER DATABASE {TEMPLATE} WITH ALLOW_CONNECTIONS false")
    return TEMPLATE


@pytest.fixture
def database(server: Database, template: str) -> Iterator[Database]:
    """A migrated database of the test's own."""
    with _database(server, f"TEMPLATE {template}") as database:
        yield database


@pytest.fixture
def other_database(server: Database, template: str) -> Iterator[Database]:
    """A second migrated database, to compare with."""
    with _database(server, f"TEMPLATE {template}") as database:
        yield database


@pytest.fixture
def empty_database(server: Database) -> Iterator[Database]:
    """A database of the test's own without a single table."""
    with _database(server, "") as database:
        yield database


@pytest.fixture(scope="session")
def _tables(server: Database, template: str) -> Iterator[Database]:
    with _database(server, f"TEMPLATE {template}") as database:
        yield database


@pytest.fixture
def tables(_tables: Database) -> Database:
    """A migrated database with our tables empty, faster to have than one of one's own.

    For tests that use our schema alone: the tables of Optuna, MLflow and Dagster are not emptied.
    """
    with _tables.begin() as connection:
        names = connection.execute(sa.text(OUR_TABLES)).scalars().all()
        connection.exec_driver_sql(f"TRUNCATE {', '.join(names)}")
    return _tables


@contextmanager
def _database(server: Database, origin: str) -> Iterator[Database]:
    name = f"test_{uuid4().hex[:12]}"
    _execute(server, f"CREATE DATABASE {name} {origin}")
    database = _named(server, name)
    try:
        yield database
    finally:
        database.dispose()
        _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def _named(server: Database, name: str) -> Database:
    return Database(sa.make_url(server.url).set(database=name).render_as_string(hide_password=False))


def _execute(server: Database, statement: str) -> object:
    engine = sa.create_engine(server.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        result = connection.exec_driver_sql(statement)
        return result.scalar() if result.returns_rows else None


@contextmanager
def _held(path: Path, mode: Literal["shared", "exclusive"]) -> Iterator[bool]:
    """Hold a lock among the workers, if it is free."""
    descriptor = locked(path, mode, 0)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _remove(folder: Path) -> None:
    """Remove the folder of a server that is about to end."""
    deadline = time.monotonic() + 10
    while list(folder.glob("postgres/**/postmaster.pid")) and time.monotonic() < deadline:
        time.sleep(0.05)
    shutil.rmtree(folder)
