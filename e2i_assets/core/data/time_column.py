"""The time column of a dataset: numbers, or instants in one order (see `instants`)."""

from collections.abc import Iterator

import pandas as pd

from e2i_assets.core.data.column_types import is_number, plain
from e2i_assets.core.data.instants import instants, without_offset
from e2i_assets.core.errors import Violation
from e2i_assets.core.fitting.date_parts import is_date

_EXAMPLES = 3


def times_of(column: pd.Series) -> pd.Series:
    """Return a column as int64, float64 or datetime64; a cell that is no time is missing."""
    found = plain(column)
    return found if is_number(found) or is_date(found) else instants(found)


def time_violations(name: str, column: pd.Series, times: pd.Series) -> Iterator[Violation]:
    """Find the cells of a time column that cannot be ordered.

    Args:
        name: Of the column.
        column: As it was read.
        times: From `times_of`.
    """
    lost = times.isna()
    unzoned = without_offset(column) & lost
    unzoned &= instants(column[unzoned]).notna().reindex(column.index, fill_value=False)
    if count := int(unzoned.sum()):
        shown = _examples(column[unzoned])
        rule = f"has no UTC offset in {count} rows ({shown}), but has one in others: write one in each cell"
        yield Violation("columns.time", name, rule)
    if count := int((lost & ~unzoned).sum()):
        shown = _examples(column[lost & ~unzoned & column.notna()])
        where = f"{count} rows{f' ({shown})' if shown else ''}"
        rule = (
            f"is missing or not a date in {where}: write a number or a date such as "
            "2026-01-31, from the year 1 to 9999, or give the form of all cells, such as columns: "
            f"{{dates: {{{name}: '%d/%m/%Y'}}}}; the column is then also a feature"
        )
        yield Violation("columns.time", name, rule)


def _examples(cells: pd.Series) -> str:
    return ", ".join(repr(str(cell)[:40]) for cell in cells.drop_duplicates().head(_EXAMPLES))
