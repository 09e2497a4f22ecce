"""Dagster's storage on the project's database: opening it changes no table."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.defs.instance_storage import ProjectPostgresStorage
from e2i_assets.services.prepare import NotPrepared

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2I_HOME", str(ROOT))


def tables(database: Database) -> set[str]:
    with database.connect() as connection:
        return set(connection.execute(sa.text("SELECT schemaname || '.' || tablename FROM pg_tables")).scalars())


def test_opening_an_empty_database_fails_and_leaves_it_empty(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2I_DATABASE_URL", empty_database.url)
    before = tables(empty_database)
    with pytest.raises(NotPrepared, match=r"001_schemas.*run `e2i db migrate`"):
        ProjectPostgresStorage.from_config_value(None, {})
    assert tables(empty_database) == before


def test_opening_tables_of_another_library_version_fails(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2I_DATABASE_URL", database.url)
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE e2i.schema_owners SET library_version = '1' WHERE owner = 'dagster'")
    with pytest.raises(NotPrepared, match=r"\(dagster\): run `e2i db migrate`"):
        ProjectPostgresStorage.from_config_value(None, {})


def test_opening_a_prepared_database_loads_no_starter_memory(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2I_DATABASE_URL", database.url)
    storage = ProjectPostgresStorage.from_config_value(None, {})
    assert list(storage.run_storage.get_runs(limit=1)) == []
    with database.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM e2i.ml_hpo_patterns").scalar_one() == 0
