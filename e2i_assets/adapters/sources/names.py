"""Column names that an experiment file can contain: one level, composed letters (NFC), unique."""

import unicodedata
from collections.abc import Sequence
from typing import Any

import pandas as pd

from e2i_assets.adapters.sources.limits import refused


def header_names(names: Sequence[str], empty: Sequence[bool], where: str, path: str) -> list[str | None]:
    """Return the names of the columns of a CSV file.

    Args:
        names: The cells of the header.
        empty: Whether each column has no values.
        where: The key of the source, for the message.
        path: The path of the file, for the message.

    Returns:
        Names without surrounding spaces; None for a column with neither name nor values, ``Unnamed: 0`` and so on for a
        column with values but no name.

    Raises:
        DataInvalid: Two columns have the same name.
    """
    found: list[str | None] = []
    for position, name in enumerate(names):
        bare = unicodedata.normalize("NFC", name).strip()
        found.append(bare or (None if empty[position] else f"Unnamed: {position}"))
    _require_distinct([one for one in found if one is not None], where, path)
    return found


def with_plain_names(frame: pd.DataFrame, where: str, path: str) -> pd.DataFrame:
    """Return a table whose column names have one level: levels are joined with ``_``.

    Raises:
        DataInvalid: Two columns have the same name, or a name is blank.
    """
    names = [unicodedata.normalize("NFC", one) for one in _one_level(frame.columns)]
    if blank := [position for position, name in enumerate(names, 1) if not name.strip()]:
        raise refused(where, path, f"has a column without a name (number {blank[0]}): name it in the source")
    _require_distinct(names, where, path)
    return frame.set_axis(names, axis=1)


def _one_level(columns: "pd.Index[Any]") -> list[str]:
    if not isinstance(columns, pd.MultiIndex):
        return [str(name) for name in columns]
    # An outer level with the same value for all columns distinguishes nothing.
    first = 0
    while first < columns.nlevels - 1 and columns.get_level_values(first).nunique(dropna=False) == 1:
        first += 1
    parts = [name[first:] for name in columns]
    return ["_".join(str(part) for part in name if str(part).strip()) for name in parts]


def _require_distinct(names: Sequence[str], where: str, path: str) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise refused(where, path, f"has more than one column {', '.join(map(repr, twice))}: rename them")


def composed(column: Any) -> Any:
    """Return an Arrow column of texts with composed letters (NFC): one spelling of a word is one value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pc.all(pc.string_is_ascii(column)).as_py() is not False:
        return column
    # Arrow's own utf8_normalize decomposes the letters when NFC is requested (25.0.1).
    encoded = column.combine_chunks().dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    if all(unicodedata.is_normalized("NFC", one) for one in texts):
        return column
    known = pa.array([unicodedata.normalize("NFC", one) for one in texts], pa.string())
    return pa.chunked_array([known.take(encoded.indices)])


def with_composed_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the letters of its texts composed (NFC)."""
    changed = {}
    for name, column in frame.items():
        if column.dtype == object:
            known = {one: unicodedata.normalize("NFC", one) for one in _distinct(column) if not one.isascii()}
            replaced = {before: after for before, after in known.items() if before != after}
            if replaced:
                changed[name] = column.where(~column.isin(list(replaced)), column.map(replaced))
        elif isinstance(column.dtype, pd.CategoricalDtype) and column.cat.categories.dtype == object:
            changed[name] = column.astype(object)
    if not changed:
        return frame
    return frame.assign(**{str(name): column for name, column in changed.items()})


def _distinct(column: pd.Series) -> list[str]:
    if pd.api.types.infer_dtype(column, skipna=True) not in ("string", "mixed", "mixed-integer"):
        return []
    return [one for one in {cell for cell in column if isinstance(cell, str)}]
