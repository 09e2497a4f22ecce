"""The contents of a database by table: the rows, or their number and a hash that does not depend on their order."""

from typing import Any

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


def rows(database: Database, schema: str = "e2i") -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each table of a schema, without our list of migrations."""
    named = "SELECT tablename FROM pg_tables WHERE schemaname = :schema AND tablename <> 'schema_migrations' ORDER BY 1"
    each = "SELECT to_jsonb(one) - 'updated_at' FROM {}.{} AS one"  # a trigger sets it at each update
    with database.connect() as connection:
        tables = connection.execute(sa.text(named), {"schema": schema}).scalars().all()
        return {table: list(connection.execute(sa.text(each.format(schema, table))).scalars()) for table in tables}


def kept(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> bool:
    """Return whether each row still has each of its values; a later migration may add columns."""
    return len(before) == len(after) and all(any(row.items() <= other.items() for other in after) for row in before)
