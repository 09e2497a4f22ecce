"""What a database needs before anything can run on it: all tables, and the memory that an installation starts with."""

from pathlib import Path

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.migrations import MigrationReport, migrate, pending_migrations
from e2i_assets.adapters.postgres.restoring import restore
from e2i_assets.adapters.postgres.roles import grant_roles
from e2i_assets.adapters.postgres.schema_owners import outdated_owners
from e2i_assets.core.errors import E2iError
from e2i_assets.services.memory_files.starter_memory import load_starter

_INDEX = sa.text("SELECT e2i.index_hpo_patterns()")


class NotPrepared(E2iError):
    """A database whose tables are missing or out of date."""


def require_prepared(database: Database, sql_folder: Path) -> None:
    """Check that `prepare` has nothing to do for the tables. It changes nothing and waits for no lock.

    Raises:
        DatabaseUnreachable: When no connection can be made.
        NotPrepared: A table is missing or out of date.
        MigrationRefused: When an applied file was changed since, or the database is newer than this program.
    """
    database = database.acting_as(None)
    database.require_reachable()
    missing = pending_migrations(database, sql_folder)
    if missing or (missing := list(outdated_owners(database))):
        raise NotPrepared(
            f"The tables in {database.redacted} are not up to date ({', '.join(missing)}): run `e2i db migrate`"
        )


def prepare(database: Database, sql_folder: Path) -> MigrationReport:
    """Bring all tables up to date, and put the starter memory in unless somebody took it out.

    Safe to call at any time, from any number of processes; when nothing is to do it costs a few queries.

    Raises:
        DatabaseUnreachable: When no connection can be made.
        MigrationRefused: When an applied file was changed since, or the database is newer than this program.
    """
    report = migrate(database, sql_folder)
    load_starter(database)
    return report


def restored(
    database: Database, source: Path, sql_folder: Path, replace: bool
) -> tuple[dict[str, int], MigrationReport]:
    """Put a backup into the database and bring it up to date, as `restore` and `prepare` do.

    Returns:
        The rows of each table that came from the backup, and what brought it up to date.

    Raises:
        E2iError: Nothing was restored; or it was, and could not be brought up to date, which `e2i db migrate` repeats.
    """
    database = database.acting_as(None)
    rows = restore(database, source, sql_folder, replace)
    report = prepare(database, sql_folder)
    grant_roles(database)
    with database.begin() as connection:
        connection.execute(_INDEX)
    return rows, report
