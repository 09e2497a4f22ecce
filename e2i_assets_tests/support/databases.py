"""Databases of the tests on their one server: copies of a template, and shared originals that one worker creates."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from e2i_assets.adapters.postgres.database import Database


def administer(server: Database, statement: str) -> object:
    """Execute a statement outside of a transaction, and return its first value."""
    engine = sa.create_engine(server.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        result = connection.exec_driver_sql(statement)
        return result.scalar() if result.returns_rows else None


def named(server: Database, name: str) -> Database:
    """Return the database of this name on the server."""
    return Database(sa.make_url(server.url).set(database=name).render_as_string(hide_password=False))


@contextmanager
def temporary(server: Database, template: str | None) -> Iterator[Database]:
    """Create a database, as a copy of another one or empty, and drop it at the end of the block."""
    name = f"test_{uuid4().hex[:12]}"
    administer(server, f"CREATE DATABASE {name} {f'TEMPLATE {template}' if template else ''}")
    database = named(server, name)
    try:
        yield database
    finally:
        database.dispose()
        administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def made_once(server: Database, name: str, template: str | None, make: Callable[[Database], object]) -> str:
    """Return the name of a database that `make` has filled; the first worker creates it, and the others wait.

    It accepts no connections afterwards, because PostgreSQL cannot copy a database that is in use.
    """
    with server.advisory_lock(name):
        closed = administer(server, f"SELECT NOT datallowconn FROM pg_database WHERE datname = '{name}'")
        if closed is not True:
            administer(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            administer(server, f"CREATE DATABASE {name} {f'TEMPLATE {template}' if template else ''}")
            database = named(server, name)
            make(database)
            database.dispose()
            administer(server, f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
            # Optuna and MLflow keep their connections.
            administer(server, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    return name
