"""Rows to learn from or to judge on, whether they stand in memory or are read piece by piece."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import pandas as pd

ROWS_AT_A_TIME = 16_384


class RowSource(Protocol):
    """What rows are prepared from; `Rows` in `bench` holds a table, others may read one when they are asked."""

    @property
    def can_be_read_again(self) -> bool:
        """Whether the rows are kept elsewhere, so that what was made of them may be dropped and made again."""

    @property
    def features(self) -> pd.DataFrame:
        """All rows in the columns of the features."""

    @property
    def target(self) -> pd.Series:
        """Shape (n,): labels, or the values of a regression."""

    def blank(self) -> pd.DataFrame:
        """Return a table of no rows with the names and types of the features."""

    def columns(self, names: Sequence[str]) -> pd.DataFrame:
        """Return all rows of some features."""

    def pieces(self, names: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """Return the features, or some of them, some rows at a time and in order."""


def pieces(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Part a table into pieces of `ROWS_AT_A_TIME`; a table of no rows is one piece."""
    for start in range(0, max(len(frame), 1), ROWS_AT_A_TIME):
        yield frame.iloc[start : start + ROWS_AT_A_TIME]
