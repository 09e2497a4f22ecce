"""The options that a CSV file needs and the reader does not guess: suggestions for a new experiment file.

The reader refuses a file that can be read in two ways. Here the more likely way is chosen, for a person to confirm.
"""

import io
import re
from collections import Counter
from itertools import islice
from pathlib import Path

from e2i_assets.adapters.sources.csv_dialect import DELIMITERS, row_reader
from e2i_assets.adapters.sources.file_content import SUGGESTED, as_utf8, content_of
from e2i_assets.adapters.sources.limits import SourceLimits
from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.experiments.source_section import CsvFile

_HEAD = 200_000
_ROWS = 300
# In a wrong single-byte encoding, symbols stand between the letters of a word, or most letters of a word are accented.
_SYMBOL_IN_WORD = re.compile(r"[A-Za-z][^\w\s\u2019\x00-\x7f][a-z]|[A-Za-z][¹²³ºª¼½¾][a-z]")
_WORD = re.compile(r"[^\W\d_]{4,}")


def suggested_options(file: Path, asked: CsvFile, where: str, limits: SourceLimits) -> CsvFile:
    """Return the options with the encoding, the delimiter and the lines above the header that the file suggests.

    Args:
        file: The file.
        asked: The known options, which are kept.
        where: The key of the source, for a message.
        limits: The size limits.

    Raises:
        DataInvalid: The file cannot be read, or no encoding fits.
    """
    content = content_of(file, where, asked.path, limits)
    try:
        text, encoding = as_utf8(content, asked.encoding, where, asked.path), None
    except DataInvalid:
        encoding = _encoding(content)
        if asked.encoding or encoding is None:
            raise
        text = as_utf8(content, encoding, where, asked.path)
    found = {"encoding": encoding, **_layout(text[:_HEAD].decode("utf-8", "ignore"), asked)}
    return asked.model_copy(update={name: value for name, value in found.items() if value is not None})


def _encoding(content: bytes) -> str | None:
    if content[:200].count(b"\0") > 20:
        return "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
    for encoding in SUGGESTED:
        try:
            text = content.decode(encoding)
        except UnicodeError:
            continue
        words = [word for word in _WORD.findall(text) if not word.isascii()]
        foreign = sum(sum(not one.isascii() for one in word) / len(word) for word in words) > 0.5 * len(words)
        # Only an encoding with another alphabet has words that are mostly beyond ASCII.
        if foreign == (encoding in ("cp1251", "shift_jis")) and not _SYMBOL_IN_WORD.search(text):
            return encoding
    return None


def _layout(head: str, asked: CsvFile) -> dict[str, object]:
    """Return delimiter and lines above the header if the first line is not the header; empty if it is.

    The rows of the table are those with the most frequent number of cells. The header is the first of them in which
    most cells are filled: Excel fills a title above it up with empty cells.
    """
    if asked.skip_rows is not None or head[:4].lower() == "sep=":
        return {}
    quote = {None: '"', "none": None}.get(asked.quote, asked.quote)
    ways = []
    for delimiter in [asked.delimiter] if asked.delimiter else DELIMITERS:
        reader = row_reader(io.StringIO(head, newline=""), delimiter, quote)
        rows, began = [], 0
        for row in islice(reader, _ROWS):
            if row:
                rows.append((began, row))
            began = reader.line_num
        widths = Counter(len(row) for _, row in rows if len(row) > 1)
        if widths:
            width, count = max(widths.items(), key=lambda one: (one[1], one[0]))
            ways.append((count, width, delimiter, rows))
    if not ways:
        return {}
    _, width, delimiter, rows = max(ways, key=lambda one: one[:2])
    filled = [(line, len(row), sum(bool(cell.strip()) for cell in row)) for line, row in rows]
    header = next((at for at, (_, cells, names) in enumerate(filled) if cells == width and names > width / 2), 0)
    # A line with nearly as many cells is a damaged header, not a title.
    if not header or any(names > width / 2 for _, _, names in filled[:header]):
        return {}
    return {"skip_rows": filled[header][0], "delimiter": delimiter}
