"""The real PostgreSQL of the tests: one server for all workers, one migrated template, a copy for each test."""

import gc
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
import sqlalchemy as sa
from databases import made_once, temporary
from finished_project import made
from originals import Original, original
from trace_receiver import receiver  # noqa: F401  # a fixture for the tests of adapters and of the graph

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.embedded_postgres import EmbeddedPostgres, locked
from e2i_assets.adapters.postgres.migrations import migrate
from e2i_assets.adapters.repositories.pattern_writes import StarterPatternRepository

# The libraries leave a million objects, which a full collection walks again and again: a thirtieth of the suite.
gc.set_threshold(100_000, 50, 1000)
# The suite uses every core already, and two studies are comparable only if their trials are sampled in sequence.
os.environ["E2I_CORES"] = "1"
# Pictures are the largest part of a small run: a test of a picture takes the fixture `pictures`.
os.environ["E2I_PICTURES"] = "off"

# What a shell starts in the background ignores SIGINT. Dagster gives SIGTERM the handler of SIGINT, and the programs
# that a test starts would then ignore both.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SQL = Path(__file__).parents[1] / "sql"
OUR_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'e2i' AND tablename NOT LIKE 'schema\\_%'"
# Nothing here has to survive a power cut.
SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "100"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the slowest tests first: at the end, they would occupy one worker while the others are idle."""
    slow = ("ui", "processes")
    items.sort(key=lambda item: next((at for at, name in enumerate(slow) if item.get_closest_marker(name)), len(slow)))


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enable the pictures of studies and trainings. Request it before the fixture that makes the project."""
    monkeypatch.setenv("E2I_PICTURES", "on")


@pytest.fixture(scope="session")
def shared_folder(testrun_uid: str) -> Iterator[Path]:
    """A folder of all workers, which the last one removes."""
    # Not in pytest's temporary folder: that of root is closed to the account of the server.
    folder = Path(tempfile.gettempdir()) / f"e2i-tests-{testrun_uid}"
    folder.mkdir(exist_ok=True)
    users = folder.with_suffix(".lock")
    with _held(users, "shared"):
        yield folder
    with _held(users, "exclusive") as last:
        if last:
            _remove(folder)
            users.unlink()


@pytest.fixture(scope="session")
def server(shared_folder: Path) -> Iterator[Database]:
    """The database through which the others are made and dropped; its server ends with the last worker."""
    with EmbeddedPostgres(shared_folder / "postgres", SETTINGS).hold() as hold:
        yield Database(hold.url)


@pytest.fixture(scope="session")
def template(server: Database) -> str:
    """The name of a migrated database, in which a user has removed the starter memory.

    Every command loads it into a database that has none: two CPU seconds of nearly every test.
    """

    def made(database: Database) -> None:
        migrate(database, SQL)
        StarterPatternRepository(database).remove()

    return made_once(server, "e2i_template", None, made)


@pytest.fixture
def database(server: Database, template: str) -> Iterator[Database]:
    """A migrated database for one test."""
    with temporary(server, template) as database:
        yield database


@pytest.fixture
def other_database(server: Database, template: str) -> Iterator[Database]:
    """A second migrated database, to compare with."""
    with temporary(server, template) as database:
        yield database


@pytest.fixture
def empty_database(server: Database) -> Iterator[Database]:
    """A database for one test without a single table."""
    with temporary(server, None) as database:
        yield database


@pytest.fixture(scope="session")
def plain(server: Database, template: str, shared_folder: Path) -> Original:
    """A project with the finished experiment `plain`."""
    return original(server, template, shared_folder, "e2i_plain", made)


@pytest.fixture(scope="session")
def _tables(server: Database, template: str) -> Iterator[Database]:
    with temporary(server, template) as database:
        yield database


@pytest.fixture
def tables(_tables: Database) -> Database:
    """A migrated database with our tables empty: cheaper than a database for one test.

    For tests that use our schema alone: the tables of Optuna, MLflow and Dagster are not emptied.
    """
    with _tables.begin() as connection:
        names = connection.execute(sa.text(OUR_TABLES)).scalars().all()
        connection.exec_driver_sql(f"TRUNCATE {', '.join(names)}")
    return _tables


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
