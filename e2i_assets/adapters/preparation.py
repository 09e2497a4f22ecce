"""What a database needs before anything can run on it: all tables, and the memory that an installation starts with."""

from pathlib import Path

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.migrations import MigrationReport, migrate
from e2i_assets.adapters.starter_memory import load_starter


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
