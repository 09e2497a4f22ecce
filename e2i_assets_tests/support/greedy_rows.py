"""Rows whose reading takes four gigabytes once, during a trial, to test the memory limit."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from e2i_assets.adapters.files.parquet_rows import StoredRows

GREED = 4_000_000_000


class GreedyRows(StoredRows):
    """Stored rows whose next reading takes much memory if the file `sign` exists; the file is then deleted.

    Args:
        path, features, target: See `StoredRows`.
        sign: The file.
    """

    def __init__(self, path: Path, features: Sequence[str], target: str, sign: Path) -> None:
        super().__init__(path, features, target)
        self._sign = sign

    def __reduce__(self) -> tuple[Any, ...]:
        return GreedyRows, (*super().__reduce__()[1][:3], self._sign)

    def pieces(self, names: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        taken = None
        if names is None and self._sign.exists():
            self._sign.unlink()
            taken = np.ones(GREED // 8)
        yield from super().pieces(names)
        del taken
