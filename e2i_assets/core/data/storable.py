"""Checks for data that cannot be stored exactly: keys that a float column rounds, and texts PostgreSQL cannot store.

They run before anything is written. Keys of groups and ids need no rule for texts: see `keys.row_keys`.
"""

from collections.abc import Collection, Iterator

import pandas as pd

from e2i_assets.core.data.keys import rounded
from e2i_assets.core.errors import Violation
from e2i_assets.core.experiments.experiment import Experiment

_ROUNDED = (
    "contains {count} numbers that a floating-point column rounds, so different numbers become equal: store the "
    "column as integers, decimals or text"
)


def unstorable(table: pd.DataFrame, experiment: Experiment, features: Collection[str]) -> Iterator[Violation]:
    """Find names that are rounded, and column names, classes, segments and cells that cannot be stored.

    Args:
        table: Rows that have a target, as they were read.
        experiment: Says which columns hold names.
        features: The names of the features, and of the columns that are none because of their cells.
    """
    for where, name in _names(experiment):
        if name in table.columns and (count := rounded(table[name])):
            yield Violation(where, name, _ROUNDED.format(count=count))
    for name in (*features, experiment.target_name):
        if why := _unusual(name):
            yield Violation("columns", name, f"has a name with {why}: rename the column")
    yield from _texts("target", experiment.target_name, table[experiment.target.column])
    for name in features:
        yield from _texts("columns", name, table[name])
    for where, names in _kept_beside(experiment).items():
        for name in names:
            yield from _texts(where, name, table[name], zero_bytes=where != "segments")


def _names(experiment: Experiment) -> Iterator[tuple[str, str]]:
    columns = experiment.columns
    if columns.group:
        yield "columns.group", columns.group
    for where, names in (("columns.id", columns.id), ("columns.categorical", columns.categorical)):
        yield from ((where, name) for name in names)
    if experiment.problem_type != "regression" and not experiment.target.bins:
        yield "target", experiment.target.column


def _kept_beside(experiment: Experiment) -> dict[str, tuple[str, ...]]:
    columns = experiment.columns
    group = (columns.group,) if columns.group else ()
    return {"columns.group": group, "columns.id": tuple(columns.id), "segments": tuple(experiment.segments)}


def _texts(where: str, name: str, column: pd.Series, zero_bytes: bool = False) -> Iterator[Violation]:
    """Find a text that UTF-8 cannot say, or that has a zero byte, unless that is allowed.

    The cells are those of the source, compared by Python: for pandas a text ends at its first zero byte, so the
    distinct values and the categories that it finds do not include ``a\\0b`` beside ``a``.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.cat.categories.to_series()
    if column.dtype != object and not isinstance(column.dtype, pd.StringDtype):
        return
    for cell in dict.fromkeys(cell for cell in column.tolist() if isinstance(cell, str)):
        why = _unusual(cell)
        if why and not (zero_bytes and why == _ZERO):
            yield Violation(where, name, f"contains {cell[:40]!a}, a text with {why}: replace it in the source")
            return


_ZERO = "a zero byte"


def _unusual(text: str) -> str | None:
    if text.isascii():
        return _ZERO if "\0" in text else None
    try:
        text.encode()
    except UnicodeEncodeError:
        return "half a character (a lone surrogate)"
    return _ZERO if "\0" in text else None
