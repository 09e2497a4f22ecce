"""Prepares a database: creates or updates all tables, and loads the starter memory."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.migrations import MigrationReport, migrate, pending_migrations
from e2i_assets.adapters.postgres.restoring import restore
from e2i_assets.adapters.postgres.roles import as_worker, grant_roles
from e2i_assets.adapters.postgres.schema_owners import outdated_owners
from e2i_assets.adapters.postgres.server import database as database_of
from e2i_assets.adapters.repositories.patterns import PatternRepository
from e2i_assets.adapters.settings import Settings
from e2i_assets.core.errors import E2iError
from e2i_assets.services.memory_files.starter_memory import load_starter
from e2i_assets.services.project import Project, opened


class NotPrepared(E2iError):
    """The tables of the database are missing or outdated."""


def require_prepared(database: Database, sql_folder: Path) -> None:
    """Check that all tables are up to date. Changes nothing and waits for no lock.

    Raises:
        DatabaseUnreachable: No connection can be made.
        NotPrepared: A table is missing or outdated.
        MigrationRefused: An applied file has been changed, or the database is newer than this program.
    """
    database = database.acting_as(None)
    database.require_reachable()
    missing = pending_migrations(database, sql_folder)
    if missing or (missing := list(outdated_owners(database))):
        raise NotPrepared(
            f"The tables in {database.redacted} are not up to date ({', '.join(missing)}): run `e2i db migrate`"
        )


def prepare(database: Database, sql_folder: Path) -> MigrationReport:
    """Update all tables, and load the starter memory unless the user removed it.

    Safe to call at any time from any number of processes. If nothing is to do, it costs a few queries.

    Raises:
        DatabaseUnreachable: No connection can be made.
        MigrationRefused: An applied file has been changed, or the database is newer than this program.
    """
    report = migrate(database, sql_folder)
    load_starter(database)
    return report


def prepared_project(
    settings: Settings, doing: Callable[[str], AbstractContextManager[object]] = nullcontext
) -> tuple[Project, MigrationReport]:
    """Open a project with a running database and tables that are up to date.

    From here on, the process has the rights of a worker, if the database has the roles. Child processes get
    `Settings.child_environment`.

    Args:
        settings: The settings of the project.
        doing: Called with the description of each step; the step runs inside the context that it returns.

    Raises:
        DatabaseUnreachable: No connection can be made.
        PostgresUnavailable: The embedded server cannot be started.
        MigrationRefused: An applied file has been changed, or the database is newer than this program.
    """
    with doing("Starting PostgreSQL ..."):
        database = database_of(settings)
        database.require_reachable()
    with doing("Preparing the tables (half a minute the first time) ..."):
        report = prepare(database, settings.sql)
    return opened(settings, as_worker(database)), report


def restored(
    database: Database, source: Path, sql_folder: Path, replace: bool
) -> tuple[dict[str, int], MigrationReport]:
    """Restore a backup into the database and update it, like `restore` followed by `prepare`.

    Returns:
        The number of restored rows of each table, and the migrations that updated it.

    Raises:
        E2iError: Nothing was restored; or the update after the restore failed, which `e2i db migrate` repeats.
    """
    database = database.acting_as(None)
    rows = restore(database, source, sql_folder, replace)
    report = prepare(database, sql_folder)
    grant_roles(database)
    PatternRepository(database).build_index()
    return rows, report
