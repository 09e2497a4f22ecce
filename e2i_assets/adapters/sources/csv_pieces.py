"""Reads a CSV file in pieces of whole rows, each parsed like a file of its own: memory does not grow with the file."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from e2i_assets.adapters.sources.csv_dialect import Dialect, dialect_of
from e2i_assets.adapters.sources.csv_table import require_no_zero_byte, rows_of
from e2i_assets.adapters.sources.file_content import utf8_blocks
from e2i_assets.adapters.sources.limits import SourceLimits, refused
from e2i_assets.core.experiments.source_section import CsvFile

# More than the dialect needs, and small beside a model.
BYTES_AT_A_TIME = 8_000_000


def csv_pieces(
    file: Path,
    asked: CsvFile,
    where: str,
    limits: SourceLimits,
    as_text: Collection[str],
    size: int = BYTES_AT_A_TIME,
) -> Iterator[pd.DataFrame]:
    """Yield the rows of a CSV file in pieces, each with the lines of its rows.

    A column that is not in ``as_text`` has the type of its cells in the piece.

    Args:
        file: The file.
        asked: The CSV settings of the experiment.
        where: The key of the source, for the message.
        limits: The size limits.
        as_text: Columns whose cells stay text.
        size: Bytes of a piece, at least one row.

    Raises:
        DataInvalid: The file cannot be read in exactly one way, or exceeds the limits.
    """
    found, rest, lines, rows = None, b"", 0, 0
    for block in utf8_blocks(file, asked.encoding, where, asked.path, limits, size):
        rest += block
        found = found or _header(rest, asked, where)
        end = _last_row_end(rest, found.quote)
        if not end or (not lines and end <= found.end):
            continue
        piece, rest = rest[:end], rest[end:]
        frame = _rows(piece, found, lines, asked, where, as_text)
        rows += len(frame)
        limits.require_rows(rows, where, asked.path)
        yield frame
        lines += _breaks(piece)
    if found is not None and rest.strip():
        yield _rows(rest, found, lines, asked, where, as_text)


@dataclass(frozen=True, slots=True)
class _Header:
    """How the file is written, the text of its header, and where that ends."""

    dialect: Dialect
    text: bytes
    end: int

    @property
    def quote(self) -> bytes | None:
        return self.dialect.quote.encode() if self.dialect.quote else None


def _header(content: bytes, asked: CsvFile, where: str) -> _Header:
    if not re.search(rb"\S", content):
        raise refused(where, asked.path, "is an empty file")
    require_no_zero_byte(content, 0, asked, where)
    dialect = dialect_of(content, asked, where)
    quote = dialect.quote.encode() if dialect.quote else b"\0"
    end = dialect.start
    while end < len(content):
        found = re.compile(rb"\r\n|\n|\r").search(content, end)
        end = found.end() if found else len(content)
        text = content[dialect.start : end]
        if text.strip() and text.count(quote) % 2 == 0:
            break
    return _Header(dialect, content[dialect.start : end], end)


def _rows(
    piece: bytes, header: _Header, lines: int, asked: CsvFile, where: str, as_text: Collection[str]
) -> pd.DataFrame:
    """Return the rows of a piece: the first one has the header, the others get it again."""
    require_no_zero_byte(piece, lines, asked, where)
    if not lines:
        return rows_of(piece, header.dialect, asked, where, as_text)
    text = header.text if header.text.endswith((b"\n", b"\r")) else header.text + b"\n"
    below = replace(header.dialect, start=0, skipped=lines - _breaks(text))
    return rows_of(text + piece, below, asked, where, as_text)


def _last_row_end(content: bytes, quote: bytes | None) -> int:
    """Return the end of the last whole row, 0 without one: a line break between quotation marks ends no row."""
    mark = b"\n" if b"\n" in content else b"\r"
    marks = content.count(quote) if quote else 0
    end = len(content)
    # The last byte may be the first half of a line break.
    at = content.rfind(mark, 0, end if mark == b"\n" else end - 1)
    while at >= 0:
        marks -= content.count(quote, at, end) if quote else 0
        if marks % 2 == 0:
            return at + 1
        end, at = at, content.rfind(mark, 0, at)
    return 0


def _breaks(content: bytes) -> int:
    return content.count(b"\n") or content.count(b"\r")
