"""The interface of rows for fitting and evaluation, in memory or read in batches."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import pandas as pd

from e2i_assets.core.metrics import Array

ROWS_AT_A_TIME = 16_384


class RowSource(Protocol):
    """A source of rows; `fit_context.Rows` has a table in memory, other implementations read one on demand."""

    @property
    def can_be_read_again(self) -> bool:
        """Whether the rows can be read again, so that data derived from them can be dropped and recomputed."""

    @property
    def features(self) -> pd.DataFrame:
        """All rows of the feature columns."""

    @property
    def target(self) -> pd.Series:
        """Shape (n,): labels, or the values of a regression."""

    @property
    def entities(self) -> Array | None:
        """Shape (n,): a code for the entity of each row, such as a person; None if each row is an entity."""

    @property
    def weights(self) -> Array | None:
        """Shape (n,): sample weights; None weights all rows equally."""

    def blank(self) -> pd.DataFrame:
        """Return an empty table with the names and types of the features."""

    def columns(self, names: Sequence[str]) -> pd.DataFrame:
        """Return all rows of some features."""

    def pieces(self, names: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """Yield the features, or some of them, in batches of rows and in order."""


def pieces(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield a table in batches of `ROWS_AT_A_TIME` rows; an empty table is one batch."""
    for start in range(0, max(len(frame), 1), ROWS_AT_A_TIME):
        yield frame.iloc[start : start + ROWS_AT_A_TIME]
