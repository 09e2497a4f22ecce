"""Writes a table in pieces to a CSV or Parquet file, which appears when it is complete."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from e2i_assets.adapters.files.atomic_directory import replacing_file

FORMATS = (".csv", ".parquet")


@contextmanager
def table_writer(file: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Yield a function that appends a piece; all pieces have the columns and types of the first one.

    Args:
        file: The file with a suffix of `FORMATS`; replaced in one step at the end, and not at all after an error.
    """
    with replacing_file(file) as fresh:
        if file.suffix == ".csv":
            with fresh.open("w", encoding="utf-8", newline="") as text:
                yield lambda piece: piece.to_csv(text, index=False, header=text.tell() == 0)
            return
        writers: list[Any] = []
        try:
            yield lambda piece: _append(writers, fresh, piece)
        finally:
            for writer in writers:
                writer.close()


def _append(writers: list[Any], fresh: Path, piece: pd.DataFrame) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not writers:
        table = pa.Table.from_pandas(piece, preserve_index=False)
        # A column whose cells are all missing in the first piece is text, as only keys can be missing.
        fields = [pa.field(one.name, pa.string()) if pa.types.is_null(one.type) else one for one in table.schema]
        writers.append(pq.ParquetWriter(fresh, pa.schema(fields)))
    writers[0].write_table(pa.Table.from_pandas(piece, schema=writers[0].schema, preserve_index=False))
