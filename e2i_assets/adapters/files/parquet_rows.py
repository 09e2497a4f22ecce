"""Rows of a Parquet file, read when they are asked for and not kept: a study needs its matrices, not their table."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from e2i_assets.core.fitting.rows import ROWS_AT_A_TIME


class StoredRows:
    """A `RowSource` on a file that stays open: should another take its place, the rows stay the ones of this one.

    Args:
        path: The Parquet file.
        features: Its columns that are learned from.
        target: Its column that is predicted.

    Raises:
        KeyError: The file lacks one of them.
    """

    def __init__(self, path: Path, features: Sequence[str], target: str) -> None:
        self._path = path
        self._file = pa.OSFile(str(path))
        self._features = list(features)
        self._target = target
        self._schema = pq.ParquetFile(self._file).schema_arrow
        if missing := sorted({*features, target} - set(self._schema.names)):
            raise KeyError(", ".join(missing))

    def content(self) -> bytes:
        """Return the file, byte for byte: what another machine needs to have the same rows."""
        self._file.seek(0)
        return bytes(self._file.read())

    def __reduce__(self) -> tuple[Any, ...]:
        """Hand the rows to a process of ours: through the open file, so that they are these rows there too."""
        opened = Path(f"/proc/{os.getpid()}/fd/{self._file.fileno()}")
        return StoredRows, (opened if opened.exists() else self._path, self._features, self._target)

    @property
    def can_be_read_again(self) -> bool:
        """They can."""
        return True

    @property
    def features(self) -> pd.DataFrame:
        """All rows in the columns of the features."""
        return self.columns(self._features)

    @property
    def target(self) -> pd.Series:
        """Shape (n,): labels, or the values of a regression."""
        return self.columns([self._target])[self._target]

    def blank(self) -> pd.DataFrame:
        """Return a table of no rows with the names and types of the features."""
        return _frame(self._schema.empty_table(), self._features).astype(self._types())

    def columns(self, names: Sequence[str]) -> pd.DataFrame:
        """Return all rows of some columns."""
        return _frame(pq.ParquetFile(self._file).read(columns=list(names)), names)

    def pieces(self, names: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """Return the features, or some of them, some rows at a time and in order."""
        wanted = self._features if names is None else list(names)
        types = {name: kind for name, kind in self._types().items() if name in wanted}
        stored = pq.ParquetFile(self._file, pre_buffer=False)
        for batch in stored.iter_batches(ROWS_AT_A_TIME, columns=wanted):
            yield _frame(pa.Table.from_batches([batch]), wanted).astype(types)
            # Arrow would keep what the piece stood in, beside the matrix that is made of the pieces.
            pa.default_memory_pool().release_unused()

    def _types(self) -> dict[str, str]:
        """Return the columns of truth values that have gaps: in a piece without a gap pandas would count with them."""
        named = [name for name in self._features if pa.types.is_boolean(self._schema.field(name).type)]
        with_gaps = self.columns(named).select_dtypes("object")
        return {str(name): "object" for name in with_gaps}


def _frame(table: pa.Table, names: Sequence[str]) -> pd.DataFrame:
    frame: pd.DataFrame = table.select(list(names)).to_pandas()
    return frame
