"""Columns with paths or addresses whose beginning changes, because what they name has moved."""

import sqlalchemy as sa


def replace_prefix(connection: sa.Connection, table: str, column: str, old: str, new: str) -> int:
    """Replace the beginning of all values that have it, and return how many were changed.

    Args:
        connection: A connection in a transaction.
        table, column: Names that are no input of users.
        old: The place as it was, without a slash at its end.
        new: The place as it is.
    """
    changed = f"UPDATE {table} SET {column} = :new || substr({column}, length(:old) + 1)"
    of_place = f"WHERE substr({column}, 1, length(:old)) = :old"
    return connection.execute(sa.text(f"{changed} {of_place}"), {"old": f"{old}/", "new": f"{new}/"}).rowcount
