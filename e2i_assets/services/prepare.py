"""Prepares a database: creates or updates all tables, and loads the starter memory."""

from pathlib import Path

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.migrations import MigrationReport, migrate, pending_migrations
from e2i_assets.adapters.postgres.restoring import restore
from e2i_assets.adapters.postgres.roles import grant_roles
from e2i_assets.adapters.postgres.schema_owners import outdated_owners
from e2i_assets.adapters.repositories.patterns import PatternRepository
from e2i_assets.core.errors import E2iError
from e2i_assets.services.memory_files.starter_memory import load_starter


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
