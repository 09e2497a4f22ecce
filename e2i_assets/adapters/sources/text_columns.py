"""Typing of text columns: the simplest type that preserves every cell: integers, floats, booleans, or text."""

from typing import Any

_EXACT = 2**53
# Whole numbers below it fit into 64 bits.
LONG_DIGITS = 1e18
_FIRST = 10_000
_REPEATED = 10


def typed(column: Any, decimal: str | None, thousands: str | None) -> Any:
    """Return an Arrow column of texts as int64, float64, bool or text.

    A column becomes numbers only if each cell is a number. Other conversions depend on the experiment, which defines
    classes, codes and keys (`core.data.settled_columns`). For that, digits that a number would lose stay text: leading
    zeros, and whole numbers beyond 64 bits, or beyond 53 bits in columns with missing cells.

    Args:
        column: Chunked, with missing cells as null.
        decimal: The declared decimal separator.
        thousands: The declared thousands separator; if it is a dot, a dot is not a decimal separator.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.null_count == len(column):
        return column
    whole = _cast(column, pa.int64())
    if whole is not None:
        return column if _loses_digits(column, whole) else whole
    number = _cast(column, pa.float64()) if decimal != "," and thousands != "." else None
    if number is not None:
        return column if _has_long_digits(column) or pc.any(pc.is_nan(number)).as_py() else number
    if column.num_chunks and (bare := _without_space(column)) is not None:
        return typed(bare, decimal, thousands)
    return _truths(column)


def has_fractions(column: Any) -> bool:
    """Return whether each cell of an Arrow column of texts is a number, and one has a decimal point."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return _cast(column, pa.float64()) is not None and pc.any(pc.match_substring(column, ".")).as_py() is True


def encoded(column: Any) -> Any:
    """Return an Arrow column of texts as a dictionary if its first cells repeat few texts, or else as it is.

    Everything that follows then looks at each text once, and not at an object of Python for each cell.
    """
    import pyarrow.compute as pc

    first = column.slice(0, _FIRST)
    distinct = pc.count_distinct(first).as_py()
    return column.dictionary_encode().unify_dictionaries() if 0 < distinct <= len(first) / _REPEATED else column


def _cast(column: Any, kind: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return pc.cast(column, kind)
    except pa.ArrowInvalid:
        return None


def _loses_digits(texts: Any, whole: Any) -> bool:
    import pyarrow.compute as pc

    span = pc.min_max(whole).as_py()
    for sign in ("0", "-0") if span["min"] <= 0 else ("0",):  # Arrow takes -0x1F as a number, too
        zero = pc.starts_with(texts, sign)
        if pc.any(pc.and_(zero, pc.greater(pc.binary_length(texts), len(sign)))).as_py():
            return True
    if not whole.null_count:
        return False
    return bool(max(abs(span["min"]), abs(span["max"])) > _EXACT)


def _has_long_digits(texts: Any) -> bool:
    """Return whether a cell is a whole number that does not fit into 64 bits."""
    import pyarrow.compute as pc

    longest = pc.max(pc.binary_length(texts)).as_py()
    return longest > 18 and bool(pc.any(pc.match_substring_regex(texts, "^[+-]?[0-9]{19,}$")).as_py())


def _without_space(column: Any) -> Any:
    """Return the column without spaces around its cells, or None if the first cells have no such spaces."""
    import pyarrow.compute as pc

    first = column.drop_null().slice(0, 1000)
    bare = pc.utf8_trim_whitespace(first)
    if bare.equals(first) or not pc.all(pc.match_substring_regex(bare, r"^[+-]?[0-9.]")).as_py():
        return None
    return pc.utf8_trim_whitespace(column)


def _truths(column: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.drop_null().slice(0, 1)[0].as_py() not in ("True", "False", "TRUE", "FALSE", "true", "false"):
        return column
    found = set(pc.unique(column).to_pylist()) - {None}
    if any(found <= pair for pair in ({"True", "False"}, {"TRUE", "FALSE"}, {"true", "false"})):
        return pc.cast(column, pa.bool_())
    return column
