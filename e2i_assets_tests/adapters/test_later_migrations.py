"""A later migration on a database of the baseline with rows in it: nothing is lost, and it is applied once."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from baseline_rows import ROWS
from table_contents import kept, rows

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.migrations import MigrationRefused, apply_pending, migrate, migrations_in

SQL = Path(__file__).parents[2] / "sql"
BASELINE = tuple(migration.name for migration in migrations_in(SQL))
LATER = """
ALTER TABLE e2i.ml_hpo_studies ADD COLUMN cost_seconds double precision NOT NULL DEFAULT 0;
UPDATE e2i.ml_hpo_studies SET cost_seconds = 7 WHERE status = 'completed';
CREATE TABLE e2i.ml_costs (study_id uuid PRIMARY KEY REFERENCES e2i.ml_hpo_studies (id) ON DELETE CASCADE);
INSERT INTO e2i.ml_costs SELECT id FROM e2i.ml_hpo_studies;
"""


@pytest.fixture
def filled(empty_database: Database) -> Database:
    """A database of the baseline with rows."""
    assert apply_pending(empty_database, migrations_in(SQL)) == BASELINE
    with empty_database.begin() as connection:
        for statement in ROWS:
            connection.exec_driver_sql(statement.replace("%", "%%"))
    return empty_database


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The migrations of a later version: the baseline and one more."""
    folder = tmp_path / "sql"
    shutil.copytree(SQL, folder)
    (folder / "990_costs.sql").write_text(LATER)
    return folder


def test_a_later_migration_keeps_each_row_and_is_applied_once(filled: Database, later: Path) -> None:
    before = rows(filled)
    assert len([table for table, found in before.items() if found]) > 18
    assert apply_pending(filled, migrations_in(later)) == ("990_costs",)
    after = rows(filled)
    assert {table for table, found in before.items() if not kept(found, after.get(table, []))} == set()
    assert {row["study_name"]: row["cost_seconds"] for row in after["ml_hpo_studies"]} == {"visits_1": 7, "visits_2": 0}
    assert len(after["ml_costs"]) == 2
    assert apply_pending(filled, migrations_in(later)) == ()
    assert rows(filled) == after


def test_two_at_once_apply_a_later_migration_once(filled: Database, later: Path) -> None:
    with ThreadPoolExecutor(2) as both:
        reports = list(both.map(lambda _: migrate(filled, later), range(2)))
    assert sorted(report.applied for report in reports) == [(), ("990_costs",)]
    assert len(rows(filled)["ml_costs"]) == 2


def test_a_later_migration_that_was_changed_after_it_was_applied_is_refused(filled: Database, later: Path) -> None:
    apply_pending(filled, migrations_in(later))
    before = rows(filled)
    (later / "990_costs.sql").write_text(LATER.replace("= 7", "= 8"))
    with pytest.raises(MigrationRefused, match=r"sql/990_costs\.sql was changed after it was applied to this database"):
        apply_pending(filled, migrations_in(later))
    assert rows(filled) == before


def test_an_earlier_version_does_not_touch_what_a_later_one_made(filled: Database, later: Path) -> None:
    apply_pending(filled, migrations_in(later))
    before = rows(filled)
    with pytest.raises(MigrationRefused, match="990_costs, which this program does not know: it was set up by a newer"):
        apply_pending(filled, migrations_in(SQL))
    assert rows(filled) == before


def test_a_later_migration_that_fails_on_the_data_changes_no_row_and_can_be_repeated(
    filled: Database, later: Path
) -> None:
    before = rows(filled)
    (later / "990_costs.sql").write_text(f"{LATER}\nSELECT 1 / count(*) FILTER (WHERE false) FROM e2i.ml_costs;")
    with pytest.raises(
        MigrationRefused, match=r"990_costs\.sql could not be applied, and nothing of it was: division by zero"
    ):
        apply_pending(filled, migrations_in(later))
    assert rows(filled) == before
    (later / "990_costs.sql").write_text(LATER)
    assert apply_pending(filled, migrations_in(later)) == ("990_costs",)


def test_a_baseline_that_breaks_off_is_continued_where_it_stopped(empty_database: Database, tmp_path: Path) -> None:
    shutil.copytree(SQL, tmp_path / "sql")
    broken = tmp_path / "sql" / f"{BASELINE[3]}.sql"
    broken.write_text(broken.read_text() + "SELECT 1/0;")
    with pytest.raises(MigrationRefused, match="division by zero"):
        apply_pending(empty_database, migrations_in(tmp_path / "sql"))
    assert set(rows(empty_database)) >= {"ml_experiments", "ml_hpo_studies"}
    assert "ml_hpo_patterns" not in rows(empty_database)
    assert apply_pending(empty_database, migrations_in(SQL)) == BASELINE[3:]
