"""A copy of a finished project is a project by itself: a test that changes it changes no other test's."""

from originals import Original

from e2i_assets.services.project import Project

TABLES = (
    "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('e2i', 'mlflow', 'optuna', 'dagster')"
)


def test_a_copy_names_no_file_of_its_original(plain: Original, finished: Project) -> None:
    there = str(plain.root)
    files = [path for path in finished.settings.state.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert [path for path in files if there.encode() in path.read_bytes()] == []
    with finished.database.connect() as connection:
        tables = connection.exec_driver_sql(TABLES).scalars().all()
        assert "mlflow.runs" in tables
        found = [
            (table, row)
            for table in tables
            for row in connection.exec_driver_sql(f"SELECT CAST(one AS text) FROM {table} AS one").scalars()
            if there in row
        ]
    assert found == []
