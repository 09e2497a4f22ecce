"""Reads a CSV file as a table with pyarrow; rejects ambiguous files with the line, the cells and the key to set."""

import math
import re
import unicodedata
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from e2i_assets.adapters.sources import csv_shape
from e2i_assets.adapters.sources.csv_dialect import Dialect, dialect_of
from e2i_assets.adapters.sources.file_content import as_utf8, content_of
from e2i_assets.adapters.sources.limits import SourceLimits, refused
from e2i_assets.adapters.sources.names import composed, header_names
from e2i_assets.adapters.sources.text_columns import LONG_DIGITS, encoded, has_fractions, typed
from e2i_assets.core.data.closing_rows import ClosingRow, closing_rows
from e2i_assets.core.data.row_places import places_of, with_places
from e2i_assets.core.experiments.source_section import CsvFile

_BLOCK = 1_000_000
_LARGEST_BLOCK = 2**31 - 2
_SAMPLE = 200_000
_LINE_ENDS = re.compile(rb"[\r\n]+")
_WORTH_A_SAMPLE = 20_000


def csv_table(file: Path, asked: CsvFile, where: str, limits: SourceLimits) -> pd.DataFrame:
    """Return the rows of a CSV file.

    Args:
        file: The file.
        asked: The CSV settings of the experiment.
        where: The key of the source, for the message.
        limits: The size limits.

    Raises:
        DataInvalid: The file cannot be read in exactly one way, or exceeds the limits.
    """
    content = as_utf8(content_of(file, where, asked.path, limits), asked.encoding, where, asked.path)
    if not re.search(rb"\S", content):
        raise refused(where, asked.path, "is an empty file")
    require_no_zero_byte(content, 0, asked, where)
    dialect = dialect_of(content, asked, where)
    frame = rows_of(content, dialect, asked, where, with_categories=True)
    limits.require_rows(len(frame), where, asked.path)
    notes = [*_closing_notes(frame, asked, where)]
    if not content.endswith((b"\n", b"\r")):
        notes.append(f"{asked.path}: its last line has no line break at its end: make sure that the last row is whole")
    return with_places(frame, places_of(frame), notes)


def _closing_notes(frame: pd.DataFrame, asked: CsvFile, where: str) -> Iterator[str]:
    """Yield a note on last rows that may be no rows of the data.

    Raises:
        DataInvalid: They certainly are none.
    """
    found = () if asked.last_rows == "keep" else closing_rows(frame)
    places = places_of(frame)

    def shown(one: ClosingRow) -> str:
        return f"line {places.of(one.position)} ({one.cells}): {', and '.join(one.signs)}"

    if certain := [one for one in found if one.is_certain]:
        them, are = ("it", "it is one") if len(certain) == 1 else ("them", "they are rows")
        raise refused(
            where,
            asked.path,
            f"ends with what is no row of the data, such as a total or a remark: {'; '.join(map(shown, certain))}. "
            f"Remove {them} from the file, or, if {are}, write source.csv.last_rows: keep",
        )
    for one in found:
        yield (
            f"{asked.path}: one of the last rows may be a total or a remark, {shown(one)}; if it is, remove it from "
            f"the file, and otherwise write source.csv.last_rows: keep"
        )


def require_no_zero_byte(content: bytes, lines: int, asked: CsvFile, where: str) -> None:
    """Check that text has no zero byte.

    Args:
        content: The text in UTF-8.
        lines: The number of lines above it in its file.
        asked: The CSV settings of the experiment.
        where: The key of the source, for the message.

    Raises:
        DataInvalid: It has one.
    """
    if b"\0" in content:
        line = lines + content.count(b"\n", 0, content.find(b"\0")) + 1
        rule = f"is not CSV that we can read: line {line} has a zero byte; UTF-16 needs source.csv.encoding: utf-16-le"
        raise refused(where, asked.path, rule)


def rows_of(
    content: bytes,
    dialect: Dialect,
    asked: CsvFile,
    where: str,
    as_text: Collection[str] = (),
    with_categories: bool = False,
) -> pd.DataFrame:
    """Return the rows of CSV text with their lines.

    Args:
        content: A header and the rows below it, in UTF-8.
        dialect: How it is written.
        asked: The CSV settings of the experiment.
        where: The key of the source, for the message.
        as_text: Columns whose cells stay text.
        with_categories: Whether columns of few texts become categories: pieces of a file would have different ones.

    Raises:
        DataInvalid: A row cannot be read.
    """
    parsed = _parsed(content, dialect, asked, where, as_text)
    frame = _frame(parsed, asked, content.isascii(), as_text, with_categories)
    return with_places(frame, csv_shape.places(content, dialect, len(frame)))


def _parsed(content: bytes, dialect: Dialect, asked: CsvFile, where: str, as_text: Collection[str]) -> Any:
    """Return an Arrow table of texts and of numbers with fractions, with missing cells as null."""
    if not csv_shape.quotes_are_regular(content, dialect):
        _require_shape(content, dialect, asked, where)
    import pyarrow as pa

    try:
        table = _with_fractions(content, dialect, asked, as_text)
        try:
            table = table or _rows(content, dialect, _BLOCK)
        except pa.ArrowInvalid as error:
            if "straddl" not in str(error) or len(content) >= _LARGEST_BLOCK:
                raise
            table = _rows(content, dialect, len(content) + 1)  # a row is longer than a block
    except pa.ArrowInvalid as error:
        _require_shape(content, dialect, asked, where)
        raise refused(where, asked.path, f"is not CSV that we can read: {error}") from error
    empty = [column.null_count == len(column) for column in table.columns]
    names = header_names(dialect.names, empty, where, asked.path)
    kept = [position for position, name in enumerate(names) if name is not None]
    return table.select(kept).rename_columns([str(names[position]) for position in kept])


def _rows(content: bytes, dialect: Dialect, block: int, fractions: Collection[str] = (), end: int | None = None) -> Any:
    """Parse a file as texts, and some columns as floats; names are positions: those of the header may repeat."""
    import pyarrow as pa
    from pyarrow import csv

    names = [str(position) for position in range(len(dialect.names))]
    is_quoted = dialect.quote is not None and dialect.quote.encode() in content
    first = _LINE_ENDS.match(content, dialect.start)  # a blank line would count as the header that is skipped
    start = first.end() if first else dialect.start
    types = {name: pa.float64() if name in fractions else pa.string() for name in names}
    return csv.read_csv(
        pa.BufferReader(pa.py_buffer(content)[start:end]),
        read_options=csv.ReadOptions(column_names=names, block_size=block, skip_rows_after_names=1),
        parse_options=csv.ParseOptions(
            delimiter=dialect.delimiter, quote_char=dialect.quote or False, newlines_in_values=is_quoted
        ),
        convert_options=csv.ConvertOptions(
            column_types=types,
            null_values=[""],
            strings_can_be_null=True,
            check_utf8=False,
        ),
    )


def _with_fractions(content: bytes, dialect: Dialect, asked: CsvFile, as_text: Collection[str]) -> Any:
    """Parse a file with its columns of fractions as floats, which saves their texts; None if texts are needed.

    Floats have lost what `text_columns.typed` looks at: NaN as a word, and whole numbers beyond 64 bits.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if asked.decimal == "," or asked.thousands == "." or len(content) < _WORTH_A_SAMPLE:
        return None
    try:
        end = content.rfind(b"\n", dialect.start, dialect.start + _SAMPLE) + 1
        sample = _rows(content, dialect, _SAMPLE, end=end)
        names = (unicodedata.normalize("NFC", name).strip() for name in dialect.names)
        texts = {str(position) for position, name in enumerate(names) if name in as_text}
        fractions = [name for name in sample.column_names if name not in texts and has_fractions(sample[name])]
        table = _rows(content, dialect, _BLOCK, fractions)
    except pa.ArrowInvalid:
        return None
    for name in fractions:
        ends, total = pc.min_max(table[name]).as_py(), pc.sum(table[name]).as_py()
        if math.isnan(total) or not -LONG_DIGITS < ends["min"] <= ends["max"] < LONG_DIGITS:
            return None
    return table


def _require_shape(content: bytes, dialect: Dialect, asked: CsvFile, where: str) -> None:
    if mistake := csv_shape.first_mistake(content, dialect):
        raise refused(where, asked.path, mistake)


def _frame(table: Any, asked: CsvFile, is_ascii: bool, as_text: Collection[str], with_categories: bool) -> pd.DataFrame:
    """Return the table with typed columns and composed letters (NFC)."""
    import pyarrow as pa

    def settled(name: str, column: Any) -> Any:
        is_settled = name in as_text or column.type == pa.float64()
        found = column if is_settled else typed(column, asked.decimal, asked.thousands)
        if found.type != pa.string():
            return found
        found = found if is_ascii else composed(found)
        return encoded(found) if with_categories else found

    columns = [settled(name, column) for name, column in zip(table.column_names, table.columns, strict=True)]
    frame: pd.DataFrame = pa.table(columns, names=table.column_names).to_pandas(use_threads=False)
    return frame
