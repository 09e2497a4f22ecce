"""Columns of text as the plainest type that keeps every cell: whole numbers, numbers, truth values, or the text."""

from typing import Any

_EXACT = 2**53


def typed(column: Any, decimal: str | None, thousands: str | None) -> Any:
    """Return an Arrow column of texts as int64, float64, bool or text.

    A column becomes numbers only where each cell is one; what else is to be a number is settled with the experiment at
    hand (`core.data.settled_columns`), which knows what is a class, a code or a key. For that, digits that a number
    would not keep stay text: leading zeros, and whole numbers beyond 64 bits, or beyond 53 where cells are missing.

    Args:
        column: Chunked, missing cells as nulls.
        decimal: The declared decimal sign.
        thousands: The declared sign between groups: with it a dot may be none of a decimal.
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
    """Return whether a cell is a whole number that 64 bits do not hold."""
    import pyarrow.compute as pc

    longest = pc.max(pc.binary_length(texts)).as_py()
    return longest > 18 and bool(pc.any(pc.match_substring_regex(texts, "^[+-]?[0-9]{19,}$")).as_py())


def _without_space(column: Any) -> Any:
    """Return the column without space around its cells, None where that leaves the first cells as they are."""
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
