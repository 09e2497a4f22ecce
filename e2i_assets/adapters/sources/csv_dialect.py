"""The dialect of a CSV file: its delimiter, its quotation mark, and the position of its header."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from e2i_assets.adapters.sources.limits import refused
from e2i_assets.core.experiments.source_section import CsvFile

DELIMITERS = ",;\t|"
_HEAD = 400_000
_ROWS = 300
_QUOTES = {None: '"', "none": None}


@dataclass(frozen=True, slots=True)
class Dialect:
    """The dialect of a CSV file.

    Attributes:
        delimiter: The character between two cells.
        quote: The quotation mark, None if cells are not quoted.
        start: Byte offset of the header.
        skipped: Number of lines above the header.
        names: The cells of the header.
    """

    delimiter: str
    quote: str | None
    start: int
    skipped: int
    names: tuple[str, ...]


def dialect_of(content: bytes, asked: CsvFile, where: str) -> Dialect:
    """Return the dialect of a file; the settings of the experiment take precedence over detection.

    Args:
        content: The file in UTF-8.
        asked: The CSV settings of the experiment.
        where: The key of the source, for the message.

    Raises:
        DataInvalid: The file can be read in two ways or in none; the message names the key that resolves it.
    """
    start, skipped = _after_lines(content, asked.skip_rows or 0)
    announced = _announced(content, start) if asked.skip_rows is None else None
    if announced:
        start, skipped = _after_lines(content, 1)
    quote = _QUOTES.get(asked.quote, asked.quote)
    head = _head(content[start : start + _HEAD])
    given = asked.delimiter or announced
    delimiter = given or _delimiter(head, quote, asked, where)
    names = tuple(next(_rows(head, delimiter, quote), []))
    if len(names) < 2:
        raise refused(where, asked.path, _no_columns(head, names, given, quote))
    if quote == '"' and asked.quote is None and all(len(one) > 1 and one[0] == one[-1] == "'" for one in names):
        raise refused(
            where, asked.path, f'has names in single quotation marks ({names[0]}): write source.csv.quote: "\'"'
        )
    return Dialect(delimiter, quote, start, skipped, names)


def _after_lines(content: bytes, lines: int) -> tuple[int, int]:
    start = 0
    for _ in range(lines):
        ends = [found for found in (content.find(b"\n", start), content.find(b"\r", start)) if found >= 0]
        if not ends:
            return len(content), lines
        start = min(ends) + (2 if content[min(ends) : min(ends) + 2] == b"\r\n" else 1)
    return start, lines


def _announced(content: bytes, start: int) -> str | None:
    """Return the delimiter in a first line such as ``sep=;``, which Excel writes and reads, or None."""
    first = content[start : start + 16].splitlines()[:1]
    line = first[0].strip(b'"').decode("ascii", "replace") if first else ""
    return line[4] if len(line) == 5 and line[:4].lower() == "sep=" else None


def _head(content: bytes) -> str:
    """Return the first rows as text, without the last one, which may be incomplete, unless it is the only one."""
    text = content.decode("utf-8", "ignore")
    if len(content) < _HEAD:
        return text
    return text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text


def row_reader(text: io.StringIO, delimiter: str, quote: str | None, strict: bool = False) -> Any:
    """Return a reader from the csv module, which knows the line number of the current row."""
    if quote is None:
        return csv.reader(text, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=strict)
    return csv.reader(text, delimiter=delimiter, quotechar=quote, strict=strict)


def _rows(head: str, delimiter: str, quote: str | None) -> Iterator[list[str]]:
    reader = row_reader(io.StringIO(head, newline=""), delimiter, quote)
    try:
        yield from filter(None, reader)
    except csv.Error:  # a field of more than 131,072 characters: the rows read so far are used
        return


def _delimiter(head: str, quote: str | None, asked: CsvFile, where: str) -> str:
    """Return the only delimiter with equal row lengths, otherwise the one with the most cells in the header."""
    widths = {one: [len(row) for row in islice(_rows(head, one, quote), _ROWS)] for one in DELIMITERS}
    even = {one: found[0] for one, found in widths.items() if found and found[0] > 1 and len(set(found)) == 1}
    most = max(even.values(), default=0)
    winners = [one for one, count in even.items() if count == most]
    # With a wrong delimiter, a quoted name is split into pieces that contain one quotation mark each.
    whole = [one for one in winners if not any((quote or "\0") in name for name in next(_rows(head, one, quote)))]
    winners = whole or winners
    if len(winners) > 1:
        ways = " or ".join(f"{one!r} (columns {_shown(next(_rows(head, one, quote)))})" for one in winners)
        raise refused(where, asked.path, f"can be parted in two ways: write source.csv.delimiter as {ways}")
    if winners:
        return winners[0]
    return max(DELIMITERS, key=lambda one: widths[one][0] if widths[one] else 0)


def _no_columns(head: str, names: tuple[str, ...], given: str | None, quote: str | None) -> str:
    if not names:
        return "is not CSV that we can read: field larger than field limit (131,072 characters) in its first line"
    first = _shown(names)
    if given:
        return f"is not CSV that we can read: its first line has no two columns parted by {given!r}: it has {first}"
    for skipped, row in enumerate(islice(head.splitlines(), 1, 20), 1):
        count, best = max((len(next(_rows(row, one, quote), [])), one) for one in DELIMITERS)
        if count > 1:
            below = _shown(next(_rows(row, best, quote)))
            return f"has {first} above its columns ({below}): write source.csv.skip_rows: {skipped}"
    return (
        f"is not CSV that we can read: its first line has no two columns parted by a comma, semicolon, tab or |: "
        f"it has {first}; if another character parts them, write source.csv.delimiter"
    )


def _shown(names: "list[str] | tuple[str, ...]") -> str:
    cut = [one if len(one) <= 40 else f"{one[:37]}..." for one in names[:8]]
    return ", ".join(cut) + (f", ... ({len(names)} in all)" if len(names) > 8 else "")


def shown_names(dialect: Dialect) -> str:
    """Return the column names of the header, for a message."""
    return _shown(dialect.names)
