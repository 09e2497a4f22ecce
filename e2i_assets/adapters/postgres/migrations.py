"""Brings a database to the schema that `sql/` defines: each numbered file once, in order, under one lock."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.roles import grant_roles
from e2i_assets.adapters.postgres.schema_owners import prepare_owners
from e2i_assets.core.errors import E2iError

_FILE_NAME = re.compile(r"(\d{3})_([a-z0-9_]+)\.sql")
_INSUFFICIENT_PRIVILEGE = "42501"
_BOOK_EXISTS = sa.text("SELECT to_regclass('e2i.schema_migrations') IS NOT NULL")
_APPLIED = sa.text("SELECT version, name, checksum FROM e2i.schema_migrations")
_RECORD = sa.text("INSERT INTO e2i.schema_migrations (version, name, checksum) VALUES (:version, :name, :checksum)")
_OTHER_MIGRATIONS = (
    "The {where} was made by a development version whose migrations this program does not continue ({names}). "
)
_WHAT_TO_DO = {
    "database": "To keep a copy, run `e2i db backup FILE`; only that version can restore it. Then start with an empty "
    "database: remove the state folder (.e2i), or name another database in E2I_DATABASE_URL.",
    "backup": "Restore it with that version.",
}


class MigrationRefused(E2iError):
    """A schema that cannot be brought up to date, and is left as it is."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of `sql/`. Its checksum does not depend on the line endings of the checkout."""

    version: int
    name: str
    statements: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.statements.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What `migrate` did: names of applied files and of owners whose tables it prepared; both empty when up to date."""

    applied: tuple[str, ...]
    prepared: tuple[str, ...]

    @property
    def changed(self) -> bool:
        return bool(self.applied or self.prepared)


def migrations_in(sql_folder: Path) -> list[Migration]:
    """Return the migrations of a folder in their order.

    Raises:
        MigrationRefused: For a folder without any, a file that is not named NNN_name.sql, or a number used twice.
    """
    found: dict[int, Migration] = {}
    for path in sorted(sql_folder.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationRefused(f"{path}: a migration is named with three digits, like 007_more_tables.sql")
        migration = Migration(int(match[1]), path.stem, path.read_text(encoding="utf-8"))
        if migration.version in found:
            raise MigrationRefused(f"{path}: {found[migration.version].name}.sql has the same number; renumber one")
        found[migration.version] = migration
    if not found:
        raise MigrationRefused(f"{sql_folder}: no migrations here. Give the folder that holds 001_schemas.sql")
    return list(found.values())


def migrate(database: Database, sql_folder: Path) -> MigrationReport:
    """Bring the schema ``e2i`` and the tables of Dagster, Optuna and MLflow up to date.

    Safe to call at any time, from any number of processes; when nothing is to do it costs a few queries.

    Raises:
        DatabaseUnreachable: When no connection can be made.
        MigrationRefused: When an applied file was changed since, or the database is newer than this program.
    """
    migrations = migrations_in(sql_folder)
    # A worker may not change tables; the account behind it may, where it is the owner's.
    database = database.acting_as(None)
    database.require_reachable()
    with database.advisory_lock("e2i migrate"):
        report = MigrationReport(applied=apply_pending(database, migrations), prepared=prepare_owners(database))
        if report.changed:
            grant_roles(database)
        return report


def pending_migrations(database: Database, sql_folder: Path) -> list[str]:
    """Return the names of the migrations that the database does not have yet; see `migrate` for the errors."""
    return [migration.name for migration in _pending(database, migrations_in(sql_folder))]


def apply_pending(database: Database, migrations: list[Migration]) -> tuple[str, ...]:
    """Apply to our own schema what is missing there, in order, and return the names. The caller holds the lock.

    Raises:
        MigrationRefused: One could not be applied; those before it are, and nothing of it.
    """
    return tuple(migration.name for migration in _pending(database, migrations) if _apply(database, migration))


def _pending(database: Database, migrations: list[Migration]) -> list[Migration]:
    with database.connect() as connection:
        rows = connection.execute(_APPLIED).all() if connection.execute(_BOOK_EXISTS).scalar_one() else []
    require_known(((row.version, row.name, row.checksum) for row in rows), migrations, "database")
    done = {row.version for row in rows}
    return [migration for migration in migrations if migration.version not in done]


def require_known(
    applied: Iterable[tuple[int, str, str]], migrations: list[Migration], where: Literal["database", "backup"]
) -> None:
    """See that what was applied somewhere is what this program would apply.

    Args:
        applied: Version, name and checksum of each migration.
        migrations: Those of this program.
        where: What they were applied to, for the message.

    Raises:
        MigrationRefused: Its migrations have other names, one is unknown here, or one was changed since.
    """
    known = {migration.version: migration for migration in migrations}
    recorded = list(applied)
    if any(version in known and known[version].name != name for version, name, _ in recorded):
        names = ", ".join(name for _, name, _ in recorded)
        raise MigrationRefused(_OTHER_MIGRATIONS.format(where=where, names=names) + _WHAT_TO_DO[where])
    for version, name, checksum in recorded:
        if version not in known:
            raise MigrationRefused(
                f"The {where} has the migration {name}, which this program does not know: it was set up by a newer "
                f"version. Update this program, or give it another {where}."
            )
        if known[version].checksum != checksum:
            raise MigrationRefused(
                f"sql/{known[version].name}.sql was changed after it was applied to this {where}. Restore the file, "
                "and put the change into a new migration."
            )


def _apply(database: Database, migration: Migration) -> bool:
    """Run one file and record it, both or neither."""
    try:
        with database.begin() as connection:
            # A plain driver call: in SQL text, : and % are not ours to interpret.
            connection.execution_options(no_parameters=True).exec_driver_sql(migration.statements)
            connection.execution_options(no_parameters=False).execute(
                _RECORD, {"version": migration.version, "name": migration.name, "checksum": migration.checksum}
            )
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) != _INSUFFICIENT_PRIVILEGE:
            raise MigrationRefused(
                f"sql/{migration.name}.sql could not be applied, and nothing of it was: {str(error.orig).strip()}"
            ) from error
        raise MigrationRefused(
            f"The tables have to be brought up to date ({migration.name}), which this account may not do: "
            f"{str(error.orig).strip()}. Run `e2i db migrate` with an account that is a member of e2i_owner, or that "
            "may create schemas where there are none."
        ) from None
    return True
