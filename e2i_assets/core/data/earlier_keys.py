"""Roles that earlier releases stored under other keys than `keys.row_keys` gives the same rows today."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import pandas as pd

Place = TypeVar("Place")


def with_earlier_keys(
    known: Mapping[str, Place], entities: pd.Series, frame: pd.DataFrame, columns: Sequence[str]
) -> dict[str, Place]:
    """Return what is known, also under today's key of each entity that is only known under an earlier one.

    An earlier key was the text of a cell in the type of its column, joined by | without escaping: "7.0" for 7 in a
    column of doubles, and 7 for "007" in a CSV file.

    Args:
        known: By stored key.
        entities: Shape (rows,): today's keys, from `keys.row_keys`.
        frame: The rows.
        columns: Of the entity; empty where a row is known by its position.
    """
    found = dict(known)
    unknown = ~entities.isin(found)
    if not found or not len(columns) or not unknown.any():
        return found
    table, names = frame.loc[unknown, list(columns)], entities[unknown]
    for form in (_as_it_is, _as_numbers("float64"), _as_numbers("int64")):
        parts = [form(table[name]) for name in columns]
        earlier = parts[0].str.cat(parts[1:], sep="|") if len(parts) > 1 else parts[0]
        for name, old in zip(names, earlier, strict=True):
            if old in known:
                found.setdefault(name, known[old])
    return found


def _as_it_is(column: pd.Series) -> pd.Series:
    return column.astype(str)


def _as_numbers(kind: str) -> Callable[[pd.Series], pd.Series]:
    def texts(column: pd.Series) -> pd.Series:
        if pd.api.types.is_datetime64_any_dtype(column.dtype):
            return column.astype(str)
        numbers = pd.to_numeric(column, errors="coerce").astype("float64")
        if numbers.isna().any() or (kind == "int64" and (numbers.abs() >= 2**53).any()):
            return column.astype(str)
        return numbers.astype(kind).astype(str)

    return texts
