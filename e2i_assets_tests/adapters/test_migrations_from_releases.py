"""From every released version of our tables, with rows in them, to the newest: nothing is lost or changed.

There are no tags yet: each migration was the newest one of some release, so each is a place to come from.
"""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from released_rows import ROWS

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.migrations import MigrationRefused, apply_pending, migrations_in

SQL = Path(__file__).parents[2] / "sql"
RELEASES = [migration.version for migration in migrations_in(SQL)]
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'e2i' AND tablename <> 'schema_migrations' ORDER BY 1"
Contents = dict[str, list[dict[str, Any]]]


def released(database: Database, version: int, folder: Path) -> None:
    """Make the tables of a release, put rows into them, and leave its migrations in a folder."""
    folder.mkdir()
    for path in sorted(SQL.glob("*.sql")):
        if int(path.name[:3]) <= version:
            (folder / path.name).write_bytes(path.read_bytes())
            apply_pending(database, migrations_in(folder))
            with database.begin() as connection:
                for statement in ROWS.get(int(path.name[:3]), ()):
                    connection.exec_driver_sql(statement.replace("%", "%%"))


def rows(database: Database) -> Contents:
    with database.connect() as connection:
        tables = connection.exec_driver_sql(TABLES).scalars().all()
        each = "SELECT to_jsonb(one) FROM e2i.{} AS one"
        return {table: list(connection.execute(sa.text(each.format(table))).scalars()) for table in tables}


def kept(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> bool:
    """Every row is there, with every value that it had; columns may have come."""
    return len(before) == len(after) and all(any(row.items() <= other.items() for other in after) for row in before)


@pytest.mark.parametrize("version", RELEASES)
def test_what_a_release_kept_survives_the_way_to_the_newest(
    empty_database: Database, tmp_path: Path, version: int
) -> None:
    released(empty_database, version, tmp_path / "sql")
    before = rows(empty_database)
    assert sum(map(len, before.values())) > 0
    newest = migrations_in(SQL)
    assert len(apply_pending(empty_database, newest)) == len(newest) - len([one for one in RELEASES if one <= version])
    after = rows(empty_database)
    lost = {table for table, those in before.items() if not kept(those, after.get(table, []))}
    assert lost == set()
    assert apply_pending(empty_database, newest) == ()
    assert rows(empty_database) == after


def test_a_release_does_not_touch_what_a_newer_one_made(empty_database: Database, tmp_path: Path) -> None:
    """Somebody goes back to an older checkout."""
    released(empty_database, RELEASES[-2], tmp_path / "old")
    older = migrations_in(tmp_path / "old")
    apply_pending(empty_database, migrations_in(SQL))
    before = rows(empty_database)
    with pytest.raises(MigrationRefused, match="which this program does not know: it was set up by a newer version"):
        apply_pending(empty_database, older)
    assert rows(empty_database) == before


def test_a_way_that_breaks_off_in_the_middle_keeps_what_came_before_and_goes_on_from_there(
    empty_database: Database, tmp_path: Path
) -> None:
    released(empty_database, RELEASES[2], tmp_path / "sql")
    before = rows(empty_database)
    broken = tmp_path / "sql" / "004_memory.sql"
    whole = (SQL / "004_memory.sql").read_text()
    broken.write_text(f"{whole}\nUPDATE e2i.ml_hpo_studies SET error_message = 'x'; SELECT 1/0;")
    with pytest.raises(
        MigrationRefused, match=r"004_memory\.sql could not be applied, and nothing of it was: division by zero"
    ):
        apply_pending(empty_database, migrations_in(tmp_path / "sql"))
    assert rows(empty_database) == before
    assert apply_pending(empty_database, migrations_in(SQL))[0] == "004_memory"
