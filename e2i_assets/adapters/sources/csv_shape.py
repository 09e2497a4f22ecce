"""The shape of a CSV file: row lengths, closed quotation marks, and the line of each row."""

import csv
import io
import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from e2i_assets.adapters.sources.csv_dialect import Dialect, row_reader, shown_names
from e2i_assets.core.data.row_places import RowPlaces
from e2i_assets.core.figures import shortened

_MOST = 3
_CELL = 40
_QUOTED_AT_ONCE = 20_000_000
_FEW_QUOTES = 10_000
_AT_ONCE = 2**20


def first_mistake(content: bytes, dialect: Dialect) -> str | None:
    """Return a message about the rows whose length differs from the header, with their lines; None if there are none.

    It reads row by row, which is much slower than the reader of the table: it is called only after that one fails.
    """
    text = io.StringIO(content[dialect.start :].decode("utf-8", "replace"), newline="")
    reader = row_reader(text, dialect.delimiter, dialect.quote, strict=True)
    wrong: list[tuple[int, list[str]]] = []
    count, began, last = 0, dialect.skipped + 1, 0
    width = len(dialect.names)
    try:
        for row in reader:
            if row:
                last = began
                if len(row) != width:
                    count += 1
                    wrong += [(began, row)] if count <= _MOST else []
            began = dialect.skipped + reader.line_num + 1
    except csv.Error as error:
        return _quoting(error, began, dialect)
    if not count:
        return None
    return _wrong_rows(wrong, count, last, width, dialect)


def _quoting(error: csv.Error, line: int, dialect: Dialect) -> str:
    if "field limit" in str(error):
        return f"is not CSV that we can read: {error} in the row of line {line}: is a quotation mark not closed?"
    if "unexpected end of data" in str(error):
        return (
            f"is not CSV that we can read: a quotation mark {dialect.quote} in the row of line {line} is never closed: "
            f"correct it, or, if {dialect.quote} is a character like any other, write source.csv.quote: none"
        )
    return (
        f"is not CSV that we can read: the row of line {line} has text behind a closing quotation mark ({error}): "
        f"double the mark inside a cell ({dialect.quote}{dialect.quote}), or, if it is a character like any other, "
        f"write source.csv.quote: none"
    )


def _wrong_rows(wrong: list[tuple[int, list[str]]], count: int, last: int, width: int, dialect: Dialect) -> str:
    shown = ", ".join(f"line {line} has {len(row)} ({_cells(row)})" for line, row in wrong)
    more = f", and {count - len(wrong):,} more" if count > len(wrong) else ""
    rule = (
        f"is not CSV that we can read: {count:,} row{'s do' if count > 1 else ' does'} not have the {width} cells of "
        f"the header ({shown_names(dialect)}): {shown}{more}"
    )
    longer = all(len(row) > width for _, row in wrong)
    if count == 1 and wrong[0][0] == last and len(wrong[0][1]) < width:
        why = "if it is a line of totals or a remark, remove it; otherwise the file ends in the middle of it: export "
        why += "it again"
        return f"{rule}. It is the last row: {why}"
    if longer:
        return (
            f"{rule}. Put quotation marks around a cell that holds the delimiter {dialect.delimiter!r}, or write "
            f"source.csv.delimiter if it is another one"
        )
    return (
        f"{rule}. Correct them, or write source.csv.delimiter, quote or skip_rows if the file is written in another way"
    )


def _cells(row: list[str]) -> str:
    cut = [shortened(one, _CELL) for one in row[:12]]
    return " | ".join(cut) + (" | ..." if len(row) > 12 else "")


def quotes_are_regular(content: bytes, dialect: Dialect) -> bool:
    """Return whether each quotation mark opens, closes or escapes one, as RFC 4180 requires.

    If not, the file may still be valid (``5" pipe``), which only reading row by row shows.
    """
    if dialect.quote is None or dialect.quote.encode() not in content:
        return True
    found = _quotes(content, dialect)
    if len(found) % 2:
        return False
    all_bytes = np.frombuffer(content, dtype=np.uint8)
    ends = np.frombuffer(dialect.delimiter.encode() + b"\r\n", dtype=np.uint8)
    opening, closing = found[::2], found[1::2]
    doubled = np.zeros(len(opening), dtype=bool)
    doubled[1:] = closing[:-1] + 1 == opening[1:]
    before = np.isin(all_bytes[np.maximum(opening - 1, 0)], ends) | (opening == dialect.start)
    after = np.isin(all_bytes[np.minimum(closing + 1, len(content) - 1)], ends) | (closing == len(content) - 1)
    return bool((before | doubled).all() and (after | np.append(doubled[1:], False)).all())


def _quotes(content: bytes, dialect: Dialect) -> NDArray[np.int64]:
    assert dialect.quote is not None
    mark = ord(dialect.quote)
    few = np.fromiter(itertools.islice(_found(content, mark, dialect.start), _FEW_QUOTES), np.int64)
    if len(few) < _FEW_QUOTES:  # a search for few marks is faster than a comparison of all bytes
        return few
    pieces = [
        np.flatnonzero(np.frombuffer(content, np.uint8, min(_QUOTED_AT_ONCE, len(content) - at), at) == mark) + at
        for at in range(dialect.start, len(content), _QUOTED_AT_ONCE)
    ]
    return np.concatenate(pieces) if pieces else np.empty(0, np.int64)


def _found(content: bytes, mark: int, start: int) -> Iterator[int]:
    at = content.find(mark, start)
    while at >= 0:
        yield at
        at = content.find(mark, at + 1)


def places(content: bytes, dialect: Dialect, rows: int) -> RowPlaces:
    """Return the line of each row below the header."""
    lines = _count(content, b"\n", dialect.start) or _count(content, b"\r", dialect.start)
    ends_open = not content.endswith((b"\n", b"\r"))
    if lines + ends_open == rows + 1:
        return RowPlaces("line", dialect.skipped + 2)
    starts = np.fromiter(_starts(content, dialect), np.int64)
    return RowPlaces("line", 0, starts[1:]) if len(starts) == rows + 1 else RowPlaces()


def _count(content: bytes, sign: bytes, start: int) -> int:
    """Count a sign as `bytes.count` does, at a third of its cost where it is frequent."""
    signs = np.frombuffer(content, np.uint8, offset=start)
    return sum(int(np.count_nonzero(signs[at : at + _AT_ONCE] == ord(sign))) for at in range(0, len(signs), _AT_ONCE))


def _starts(content: bytes, dialect: Dialect) -> Iterator[int]:
    """Yield the line at which each row begins: cells may contain line breaks, and blank lines are not rows."""
    line, inside, began = dialect.skipped + 1, False, True
    mark = (dialect.quote or "\0").encode()
    for text in content[dialect.start :].splitlines(keepends=True):
        if began and text.strip(b"\r\n"):
            yield line
        inside ^= bool(text.count(mark) % 2)
        began = not inside
        line += 1
