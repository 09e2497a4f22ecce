"""Migrations: applied once, concurrently, after a change of a file, and on a database of a newer version."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.migrations import MigrationRefused, MigrationReport, migrate, migrations_in
from e2i_assets.adapters.postgres.schema_owners import OwnerNotPrepared, prepare_owners

SQL = Path(__file__).parents[2] / "sql"
MIGRATE = """
import sys
from pathlib import Path
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.migrations import migrate
report = migrate(Database(sys.stdin.readline()), Path(sys.argv[1]))
print(len(report.applied), len(report.prepared))
"""


def statement(database: Database, text: str) -> None:
    with database.begin() as connection:
        connection.execute(sa.text(text))


def test_migrating_again_changes_nothing_and_takes_no_time(database: Database) -> None:
    """A migration can run twice."""
    started = time.perf_counter()
    report = migrate(database, SQL)
    assert report == MigrationReport(applied=(), prepared=())
    assert not report.changed
    assert time.perf_counter() - started < 2  # half a second on an idle machine


@pytest.mark.processes
def test_two_processes_that_migrate_at_once_both_succeed_and_share_the_work(empty_database: Database) -> None:
    command = [sys.executable, "-c", MIGRATE, str(SQL)]
    both = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        assert process.stdin is not None
        process.stdin.write(empty_database.url + "\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=150) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    assert sorted(out.strip() for out, _ in ended) == ["0 0", f"{len(migrations_in(SQL))} 3"]


def test_an_applied_file_that_was_changed_is_refused(database: Database) -> None:
    statement(database, "UPDATE schema_migrations SET checksum = 'other' WHERE version = 3")
    with pytest.raises(MigrationRefused, match=r"sql/003_studies\.sql was changed after it was applied"):
        migrate(database, SQL)


def test_a_database_from_a_newer_program_is_refused(database: Database) -> None:
    statement(database, "INSERT INTO schema_migrations (version, name, checksum) VALUES (900, '900_future', 'x')")
    with pytest.raises(MigrationRefused, match=r"900_future, which this program does not know.*newer"):
        migrate(database, SQL)


def test_tables_of_a_newer_library_are_refused_in_its_own_words_without_the_password(database: Database) -> None:
    statement(database, "UPDATE optuna.alembic_version SET version_num = 'v99.from.the.future'")
    with pytest.raises(OwnerNotPrepared, match=r"(?s)tables of optuna could not.*v99.from.the.future") as raised:
        migrate(database, SQL)
    assert str(sa.make_url(database.url).password) not in str(raised.value)


def test_another_library_version_prepares_its_tables_again_and_keeps_what_is_in_them(database: Database) -> None:
    statement(database, "UPDATE schema_owners SET library_version = '0.1' WHERE owner = 'optuna'")
    statement(database, "INSERT INTO optuna.studies (study_name) VALUES ('kept')")
    assert prepare_owners(database) == ("optuna",)
    with database.connect() as connection:
        assert connection.execute(sa.text("SELECT study_name FROM optuna.studies")).scalars().all() == ["kept"]


def test_a_failing_file_leaves_nothing_of_itself(database: Database, tmp_path: Path) -> None:
    for path in SQL.glob("*.sql"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "990_broken.sql").write_text("CREATE TABLE e2i.half (x int); SELECT nonsense;")
    with pytest.raises(
        MigrationRefused, match=r"sql/990_broken\.sql could not be applied, and nothing of it was: .*nonsense"
    ):
        migrate(database, tmp_path)
    with database.connect() as connection:
        assert connection.execute(sa.text("SELECT to_regclass('e2i.half')")).scalar() is None


def test_line_endings_of_the_checkout_do_not_count_as_a_change(database: Database, tmp_path: Path) -> None:
    for path in SQL.glob("*.sql"):
        (tmp_path / path.name).write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert not migrate(database, tmp_path).changed


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        ([], "no migrations here"),
        (["first.sql"], "named with three digits"),
        (["001_a.sql", "001_b.sql"], "same number"),
    ],
)
def test_a_folder_that_is_no_folder_of_migrations_is_refused(tmp_path: Path, names: list[str], complaint: str) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(MigrationRefused, match=complaint):
        migrations_in(tmp_path)
