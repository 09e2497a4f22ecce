"""Migrates a database to the schema in `sql/`: each numbered file is applied once, in order, under a lock."""

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
_TABLE_EXISTS = sa.text("SELECT to_regclass('e2i.schema_migrations') IS NOT NULL")
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
    """The schema cannot be migrated and is unchanged."""


@dataclass(frozen=True, slots=True)
class Migration:
    """A file of `sql/`. Its checksum does not depend on the line endings of the checkout."""

    version: int
    name: str
    statements: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.statements.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """The result of `migrate`: names of applied files and of prepared owners, both empty if all was up to date."""

    applied: tuple[str, ...]
    prepared: tuple[str, ...]

    @property
    def changed(self) -> bool:
        return bool(self.applied or self.prepared)


def migrations_in(sql_folder: Path) -> list[Migration]:
    """Return the migrations of a folder in order.

    Raises:
        MigrationRefused: The folder has no migrations, a file is not named NNN_name.sql, or a number is used twice.
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

    It may be called at any time and by any number of processes; if all is up to date, it costs a few queries.

    Raises:
        DatabaseUnreachable: The connection failed.
        MigrationRefused: An applied file was changed later, or the database is newer than this program.
    """
    migrations = migrations_in(sql_folder)
    # The worker role may not change tables; the account behind it may, if it is the owner's.
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
    """Apply the missing migrations to our schema, in order, and return their names. The caller holds the lock.

    Raises:
        MigrationRefused: A migration failed and was rolled back; those before it are applied.
    """
    return tuple(migration.name for migration in _pending(database, migrations) if _apply(database, migration))


def _pending(database: Database, migrations: list[Migration]) -> list[Migration]:
    with database.connect() as connection:
        rows = connection.execute(_APPLIED).all() if connection.execute(_TABLE_EXISTS).scalar_one() else []
    require_known(((row.version, row.name, row.checksum) for row in rows), migrations, "database")
    done = {row.version for row in rows}
    return [migration for migration in migrations if migration.version not in done]


def require_known(
    applied: Iterable[tuple[int, str, str]], migrations: list[Migration], where: Literal["database", "backup"]
) -> None:
    """Check that the applied migrations are known to this program and unchanged.

    Args:
        applied: Version, name and checksum of each applied migration.
        migrations: The migrations of this program.
        where: What they were applied to, for the message.

    Raises:
        MigrationRefused: A migration has another name, is unknown to this program, or was changed later.
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
    """Apply a file and record it in one transaction."""
    try:
        with database.begin() as connection:
            # A plain driver call: SQLAlchemy must not interpret : and % in the SQL text.
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
            f"The tables must be migrated ({migration.name}), which this account may not do: "
            f"{str(error.orig).strip()}. Run `e2i db migrate` with an account that is a member of e2i_owner, or, "
            "if the schemas do not exist yet, with one that may create them."
        ) from None
    return True
