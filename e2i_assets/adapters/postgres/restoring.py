"""Restores a backup into a database: completely or not at all, with the row counts checked before the commit."""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import sqlalchemy as sa

from e2i_assets.adapters.postgres.address import without_secrets
from e2i_assets.adapters.postgres.backup import SCHEMAS, is_sealed
from e2i_assets.adapters.postgres.backup_file import BackupFile, BackupUnreadable
from e2i_assets.adapters.postgres.client_programs import client_environment, programs_for, server_version
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.migrations import migrations_in, require_known
from e2i_assets.core.errors import E2iError

_HELD = sa.text("""
    SELECT count(*) FROM pg_class
    WHERE relkind IN ('r', 'p') AND relnamespace::regnamespace::text = ANY(CAST(:schemas AS text[]))
""")
_MAKE = """DO $$ BEGIN IF to_regnamespace('{0}') IS NULL THEN CREATE SCHEMA {0}; END IF; END $$;
"""
_COUNT = """DO $$ BEGIN IF (SELECT count(*) FROM {table}) <> {rows} THEN
    RAISE EXCEPTION 'the table {table} has % rows, and the backup has {rows}', (SELECT count(*) FROM {table});
END IF; END $$;
"""
# A server older than 17 does not know this setting, which a newer pg_restore writes.
_NEW_SETTING = b"SET transaction_timeout = 0;\n"
_EMPTY = "DROP SCHEMA IF EXISTS {0} CASCADE;\n"
# The names of all objects in other schemas.
_OUTSIDE = """
    WITH others AS (
        SELECT oid FROM pg_namespace
        WHERE nspname NOT IN ('{ours}', 'pg_catalog', 'information_schema') AND nspname !~ '^pg_(toast|temp)'
    )
    SELECT format('column %s.%I', attrelid::regclass, attname) AS what
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE attnum > 0 AND NOT attisdropped AND relnamespace IN (SELECT oid FROM others)
    UNION ALL
    SELECT format('constraint %I of %s', conname, conrelid::regclass)
    FROM pg_constraint WHERE conrelid <> 0 AND connamespace IN (SELECT oid FROM others)
    UNION ALL
    SELECT format('default of %s, column %s', adrelid::regclass, adnum)
    FROM pg_attrdef JOIN pg_class ON pg_class.oid = adrelid WHERE relnamespace IN (SELECT oid FROM others)
    UNION ALL
    SELECT format('trigger %I of %s', tgname, tgrelid::regclass)
    FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
    WHERE NOT tgisinternal AND relnamespace IN (SELECT oid FROM others)
    UNION ALL
    SELECT format('function %s', oid::regprocedure) FROM pg_proc WHERE pronamespace IN (SELECT oid FROM others)
    UNION ALL
    SELECT format('type %s', oid::regtype) FROM pg_type WHERE typnamespace IN (SELECT oid FROM others)
"""
_REMEMBER = "CREATE TEMPORARY TABLE e2i_outside ON COMMIT DROP AS {outside};\n"
_STILL_THERE = """DO $$ DECLARE missing text; BEGIN
    SELECT string_agg(what, ', ' ORDER BY what) INTO missing
    FROM (SELECT what FROM pg_temp.e2i_outside EXCEPT ({outside})) AS lost;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'other schemas depend on the schemas to be dropped, and would lose: %', missing;
    END IF;
END $$;
"""


class RestoreFailed(E2iError):
    """The backup was not restored; the database is unchanged."""


def restore(database: Database, source: Path, sql_folder: Path, replace: bool) -> dict[str, int]:
    """Restore a backup in one transaction: after an error, or a kill, the database is unchanged.

    Before the commit, the rows of each table are counted against the file, and the server checks the foreign keys. The
    tables then have the version that made the backup; `migrate` upgrades them from there.

    Args:
        database: The target.
        source: A file that `backup` wrote.
        sql_folder: The migrations of this program.
        replace: Whether to drop the contents of the four schemas first.

    Returns:
        The number of rows of each table.

    Raises:
        RestoreFailed: The database is not empty and `replace` is not set, or it rejected the backup.
        BackupUnreadable: The file is not a backup of this product, or is damaged.
        MigrationRefused: The backup has a newer version than this program.
    """
    if not source.is_file():
        raise BackupUnreadable(f"{source} is not a file: name a file that `e2i db backup` wrote.")
    database.require_reachable()
    version = server_version(database)
    if not is_sealed(source):
        raise BackupUnreadable(f"{source} cannot be read as a backup: it is not one of this product, or damaged.")
    file = BackupFile(source.resolve(), programs_for(version))
    require_known(file.migrations(), migrations_in(sql_folder), "backup")
    with database.advisory_lock("e2i migrate"):
        _require_empty(database, replace)
        return _restored(database, file, replace, old=version < 17)


def _require_empty(database: Database, replace: bool) -> None:
    with database.connect() as connection:
        tables = connection.execute(_HELD, {"schemas": list(SCHEMAS)}).scalar_one()
    if tables and not replace:
        raise RestoreFailed(
            f"{database.redacted} is not empty: it has {tables} tables of this product. Name an empty database, or use "
            "--replace, which deletes their contents. Back it up first."
        )


def _restored(database: Database, file: BackupFile, replace: bool, old: bool) -> dict[str, int]:
    with tempfile.TemporaryFile() as errors, client_environment(database) as environment:
        psql = subprocess.Popen(
            [file.programs / "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment,
        )
        assert psql.stdin is not None
        counts: dict[str, int] = {}
        try:
            with suppress(BrokenPipeError):  # psql has stopped at an error, which it has reported
                psql.stdin.writelines(_script(file, replace, old, counts))
        except BaseException:
            psql.kill()  # without the COMMIT nothing has changed
            raise
        finally:
            with suppress(BrokenPipeError):
                psql.stdin.close()
            status = psql.wait()
        if status:
            errors.seek(0)
            message = without_secrets(errors.read().decode(errors="replace"), database.url).strip()
            busy = " The database is still in use: stop `e2i up` and all runs." if "lock timeout" in message else ""
            raise RestoreFailed(f"{database.redacted} rejected the backup, and is unchanged.{busy}\n{message}")
    return counts


def _script(file: BackupFile, replace: bool, old: bool, counts: dict[str, int]) -> Iterator[bytes]:
    """Yield the input of psql; `counts` is filled while the rows pass."""
    first = "BEGIN;\nSET LOCAL lock_timeout = '10s';\nSET LOCAL client_min_messages = warning;\n"
    yield (first + (emptied(SCHEMAS) if replace else "") + "".join(map(_MAKE.format, SCHEMAS))).encode()
    for section in ("pre-data", "data", "post-data"):
        with file.statements(section) as lines:
            counted = _counted(lines, counts) if section == "data" else lines
            yield from (line for line in counted if not (old and line == _NEW_SETTING))
        if section == "data":
            yield from _counting(counts)
    yield b"COMMIT;\n"


def _counted(lines: IO[bytes], counts: dict[str, int]) -> Iterator[bytes]:
    """Yield the same lines and count the rows; a row of COPY is always one line."""
    table = ""
    for line in lines:
        if table:
            if line == b"\\.\n":
                table = ""
            else:
                counts[table] += 1
        elif line.startswith(b"COPY ") and line.endswith(b" FROM stdin;\n"):
            table = line[5:].partition(b" (")[0].decode()
            counts[table] = 0
        yield line


def _counting(counts: Mapping[str, int]) -> Iterator[bytes]:
    for table, rows in counts.items():
        yield _COUNT.format(table=table, rows=rows).encode()


def emptied(schemas: Sequence[str]) -> str:
    """Return SQL that drops the schemas, or raises with the names of the objects that other schemas would lose.

    Run it in one transaction. CASCADE alone would drop a view, key or column of another schema without a message.
    """
    outside = _OUTSIDE.format(ours="', '".join(schemas))
    return "".join(
        [
            "SET LOCAL search_path = pg_catalog;\n",  # objects that ours shadow would change their names with the drop
            _REMEMBER.format(outside=outside),
            *map(_EMPTY.format, schemas),
            _STILL_THERE.format(outside=outside),
        ]
    )
