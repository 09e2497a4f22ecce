"""The contents of a database by table: the number of rows, and a hash that does not depend on their order."""

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database

TABLES = """
    SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
    WHERE schemaname IN ('e2i', 'dagster', 'optuna', 'mlflow') ORDER BY 1
"""


def contents(database: Database, *left_out: str) -> dict[str, tuple[int, str]]:
    """Return rows and hash of each table of the four schemas; equal contents give equal values in any database."""
    found = {}
    with database.connect() as connection:
        for table in connection.execute(sa.text(TABLES)).scalars():
            if table not in left_out:
                each = "md5(one::text)"
                whole = f"coalesce(md5(string_agg({each}, '' ORDER BY {each})), '')"
                count, digest = connection.exec_driver_sql(f"SELECT count(*), {whole} FROM {table} AS one").one()
                found[table] = (count, digest)
    return found
