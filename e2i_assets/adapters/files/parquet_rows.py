"""Rows of a Parquet file that are read on demand and not cached: a study needs its matrices, not the table."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from e2i_assets.core.data.splits import entity_codes
from e2i_assets.core.fitting.rows import ROWS_AT_A_TIME
from e2i_assets.core.metrics import Array


class StoredRows:
    """A `RowSource` on an open file: if the file is replaced, the rows stay those of the opened one.

    Args:
        path: The Parquet file.
        features: The feature columns.
        target: The target column.
        entity: The columns that identify the entity of a row; empty if each row is an entity.
        weight: The column with the sample weights, None without one.

    Raises:
        KeyError: The file lacks a column.
    """

    def __init__(
        self,
        path: Path,
        features: Sequence[str],
        target: str,
        entity: Sequence[str] = (),
        weight: str | None = None,
    ) -> None:
        self._path = path
        self._file = pa.OSFile(str(path))
        self._features = list(features)
        self._target = target
        self._entity = list(entity)
        self._weight = weight
        self._schema = pq.ParquetFile(self._file).schema_arrow
        if missing := sorted({*features, target, *entity, *filter(None, [weight])} - set(self._schema.names)):
            raise KeyError(", ".join(missing))

    def content(self) -> bytes:
        """Return the bytes of the file, which another machine needs to have the same rows."""
        self._file.seek(0)
        return bytes(self._file.read())

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the rows for another process of this product by the open file, so that it reads the same rows."""
        opened = Path(f"/proc/{os.getpid()}/fd/{self._file.fileno()}")
        path = opened if opened.exists() else self._path
        return StoredRows, (path, self._features, self._target, self._entity, self._weight)

    @property
    def can_be_read_again(self) -> bool:
        """Always true."""
        return True

    @property
    def features(self) -> pd.DataFrame:
        """All rows of the feature columns."""
        return self.columns(self._features)

    @property
    def target(self) -> pd.Series:
        """Shape (n,): labels, or the values of a regression."""
        return self.columns([self._target])[self._target]

    @property
    def entities(self) -> Array | None:
        """Shape (n,): a code for the entity of each row; None if each row is an entity."""
        return entity_codes(self.columns(self._entity), self._entity) if self._entity else None

    @property
    def weights(self) -> Array | None:
        """Shape (n,): sample weights; None weights all rows equally."""
        return None if self._weight is None else self.columns([self._weight])[self._weight].to_numpy(dtype=np.float64)

    def blank(self) -> pd.DataFrame:
        """Return an empty table with the names and types of the features."""
        return _frame(self._schema.empty_table(), self._features).astype(self._types())

    def columns(self, names: Sequence[str]) -> pd.DataFrame:
        """Return all rows of the named columns."""
        return _frame(pq.ParquetFile(self._file).read(columns=list(names)), names)

    def pieces(self, names: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """Yield the features, or the named ones, in chunks of rows and in order."""
        wanted = self._features if names is None else list(names)
        types = {name: kind for name, kind in self._types().items() if name in wanted}
        stored = pq.ParquetFile(self._file, pre_buffer=False)
        for batch in stored.iter_batches(ROWS_AT_A_TIME, columns=wanted):
            yield _frame(pa.Table.from_batches([batch]), wanted).astype(types)
            # Otherwise Arrow keeps the memory of the chunk, in addition to the matrix that is built from the chunks.
            pa.default_memory_pool().release_unused()

    def _types(self) -> dict[str, str]:
        """Return the boolean columns with missing cells as ``object``: pandas types a chunk without any as boolean."""
        named = [name for name in self._features if pa.types.is_boolean(self._schema.field(name).type)]
        with_gaps = self.columns(named).select_dtypes("object")
        return {str(name): "object" for name in with_gaps}


def _frame(table: pa.Table, names: Sequence[str]) -> pd.DataFrame:
    frame: pd.DataFrame = table.select(list(names)).to_pandas()
    return frame
