"""Predictions in a table of a user's PostgreSQL database: all rows in one transaction, each key once."""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from e2i_assets.adapters.postgres.address import without_secrets
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.errors import DATABASE_ERRORS
from e2i_assets.adapters.sources.query import named_database
from e2i_assets.core.errors import DataInvalid, E2iError, Violation
from e2i_assets.core.experiments.predict_section import PredictionTable

_NEW = "e2i_new_predictions"  # a temporary table, which ends with the connection
_MOST_SHOWN = 3


class TableNotWritten(E2iError):
    """The database rejects the predictions; nothing was written."""


@dataclass(frozen=True, slots=True)
class TableOfPredictions:
    """A table with the latest prediction of each key.

    Attributes:
        table: Its name, and the name of the variable with the address.
        keys: The columns whose values identify a row: its primary key.
        environment: Variables with the address.
    """

    table: PredictionTable
    keys: tuple[str, ...]
    environment: Mapping[str, str]

    @property
    def shown(self) -> str:
        """The place of the predictions, for people."""
        return f"table {self.table.name} in {self.table.url_env}"

    @contextmanager
    def writing(self) -> Iterator[Callable[[pd.DataFrame], None]]:
        """Yield a function that takes pieces, which are in the table after the block, all of them or none.

        The pieces wait in a temporary table, so the transaction does not last as long as the scoring. The table and
        columns that it lacks are created; rows of keys that it has are replaced. Writing the same rows again changes
        nothing but the time of the prediction.

        Raises:
            DataInvalid: Two rows have the same key, a row has none, or a key is not in the source.
            TableNotWritten: The database rejects the rows.
        """
        columns: dict[str, str] = {}
        with self._connected() as connection:

            def append(piece: pd.DataFrame) -> None:
                if not columns:
                    if missing := [one for one in self.keys if one not in piece.columns]:
                        rule = "identifies a row of predict.table, and the new rows do not have it"
                        raise DataInvalid("new rows", [Violation("columns.id", one, rule) for one in missing])
                    columns.update(_types(piece))
                    made = ", ".join(f"{_quoted(name)} {kind}" for name, kind in columns.items())
                    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {_NEW} ({made})")
                _copy(connection, piece)
                connection.commit()

            yield append
            self._require_unique(connection)
            self._merge(connection, columns)
            connection.commit()

    def content(self, predicted_at: datetime) -> str | None:
        """Return what identifies the rows of one scoring: their number, which changes when some are replaced."""
        rows = self.rows_of(predicted_at)
        return f"{rows} rows" if rows else None

    def rows_of(self, predicted_at: datetime) -> int:
        """Return the number of rows of one scoring that are in the table.

        Raises:
            TableNotWritten: The database rejects the query.
        """
        with self._connected() as connection:
            if connection.execute(sa.text("SELECT to_regclass(:name)"), {"name": self.table.name}).scalar() is None:
                return 0
            counted = sa.text(f"SELECT count(*) FROM {_quoted_name(self.table.name)} WHERE predicted_at = :at")
            return int(connection.execute(counted, {"at": predicted_at}).scalar_one())

    def _require_unique(self, connection: sa.Connection) -> None:
        keys = ", ".join(map(_quoted, self.keys))
        absent = " OR ".join(f"{_quoted(one)} IS NULL" for one in self.keys)
        found = connection.exec_driver_sql(
            f"SELECT {keys} FROM {_NEW} GROUP BY {keys} HAVING count(*) > 1 OR {absent} LIMIT {_MOST_SHOWN}"
        ).all()
        if found:
            shown = "; ".join(", ".join(map(str, row)) for row in found)
            rule = f"must identify a row of predict.table: more than one row, or a row without a value, has {shown}"
            raise DataInvalid("new rows", [Violation("columns.id", ", ".join(self.keys), rule)])

    def _merge(self, connection: sa.Connection, columns: Mapping[str, str]) -> None:
        name, keys = _quoted_name(self.table.name), ", ".join(map(_quoted, self.keys))
        made = ", ".join(f"{_quoted(one)} {kind}" for one, kind in columns.items())
        added = ", ".join(f"ADD COLUMN IF NOT EXISTS {_quoted(one)} {kind}" for one, kind in columns.items())
        listed = ", ".join(map(_quoted, columns))
        replaced = ", ".join(f"{_quoted(one)} = excluded.{_quoted(one)}" for one in columns if one not in self.keys)
        # Two runs that create the table at once would fail.
        connection.execute(
            sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": self.table.name}
        )
        exists = sa.text("SELECT to_regclass(:name) IS NOT NULL")
        if not connection.execute(exists, {"name": self.table.name}).scalar_one():
            connection.exec_driver_sql(f"CREATE TABLE {name} ({made}, PRIMARY KEY ({keys}))")
        elif _lacks(connection, name, columns):
            connection.exec_driver_sql(f"ALTER TABLE {name} {added}")
        connection.exec_driver_sql(
            f"INSERT INTO {name} ({listed}) SELECT {listed} FROM {_NEW} ON CONFLICT ({keys}) DO UPDATE SET {replaced}"
        )

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        database = named_database("predict.table.url_env", self.table.url_env, self.environment)
        engine = sa.create_engine(database.url, poolclass=NullPool, connect_args={"connect_timeout": 10})
        try:
            with engine.connect().execution_options(no_parameters=True) as connection:
                yield connection
        except DATABASE_ERRORS as error:
            # Not chained: the driver's message may quote the connection string.
            raise TableNotWritten(f"predict.table: {_reason(error, database)}") from None


def _copy(connection: sa.Connection, piece: pd.DataFrame) -> None:
    import pyarrow as pa
    from pyarrow import csv

    text = io.BytesIO()
    # Text is quoted and a missing value is not, so an empty text stays a text.
    options = csv.WriteOptions(include_header=False, quoting_style="all_valid")
    csv.write_csv(pa.Table.from_pandas(piece, preserve_index=False), text, options)
    text.seek(0)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        cursor.copy_expert(f"COPY {_NEW} FROM STDIN (FORMAT csv)", text)


def _types(piece: pd.DataFrame) -> dict[str, str]:
    kinds = {"f": "double precision", "i": "bigint", "u": "bigint", "M": "timestamptz"}
    return {str(name): kinds.get(getattr(kind, "kind", "O"), "text") for name, kind in piece.dtypes.items()}


def _lacks(connection: sa.Connection, name: str, columns: Mapping[str, str]) -> bool:
    """Return whether a table lacks a column: altering it needs its owner, which the account may not be."""
    found = connection.exec_driver_sql(f"SELECT * FROM {name} LIMIT 0").keys()
    return not set(columns) <= set(found)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted_name(table: str) -> str:
    return ".".join(map(_quoted, table.split(".")))


def _reason(error: Exception, database: Database) -> str:
    message = without_secrets(str(getattr(error, "orig", error)), database.url).strip()
    return f"the database at {database.redacted} refuses the predictions: {message}"
