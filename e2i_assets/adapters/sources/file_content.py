"""Content of a CSV file as UTF-8: decompressed, decoded, without a byte order mark, and not while it is written."""

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from e2i_assets.adapters.sources.limits import SourceLimits, refused
from e2i_assets.core.errors import DataInvalid

# Longest first: the byte order mark of UTF-32 starts with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_PACKED: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gz"), (b"BZh", "bz2"), (b"\xfd7zXZ\x00", "xz"), (b"\x28\xb5\x2f\xfd", "zst"), (b"PK\x03\x04", "zip"),
)  # fmt: skip
_OTHERS = (
    (b"PAR1", "a Parquet file: write parquet: instead of csv:"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook (xls): save the sheet as CSV"),
    (b"%PDF", "a PDF document"), (b"SQLite format 3\0", "an SQLite database"),
    (b"ARROW1", "an Arrow file: write it as Parquet"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it"), (b"\x1f\x9d", "a compressed file (Z): unpack it"),
)  # fmt: skip
_UNPACKING_ERRORS = (
    OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, ValueError, NotImplementedError,
)  # fmt: skip
SUGGESTED = ("cp1252", "cp1250", "cp1251", "shift_jis")


def stamp(file: Path) -> tuple[int, int, int]:
    """Return file attributes that change with every write to the file."""
    found = file.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def require_unchanged(file: Path, before: tuple[int, int, int], where: str, name: str) -> None:
    """Check that a file has not been written to since its stamp was taken.

    Raises:
        DataInvalid: The file was changed or deleted.
    """
    try:
        unchanged = stamp(file) == before
    except OSError:
        unchanged = False
    if not unchanged:
        raise refused(where, name, "was written to while it was read: run again when it is complete")


def content_of(file: Path, where: str, name: str, limits: SourceLimits) -> bytes:
    """Return the decompressed bytes of a file.

    Raises:
        DataInvalid: The file is too large, damaged, an archive of several files, changed while it was read, or no text.
    """
    before = stamp(file)
    limits.require_size(before[1], where, name)
    content = file.read_bytes()
    if before[1] != len(content):
        raise refused(where, name, "was written to while it was read: run again when it is complete")
    require_unchanged(file, before, where, name)
    if not content:
        raise refused(where, name, "is an empty file")
    kind = _packing(content, where, name)
    return content if kind is None else _unpacked(content, kind, where, name, limits)


def blocks(file: Path, where: str, name: str, limits: SourceLimits, size: int) -> Iterator[bytes]:
    """Yield the decompressed bytes of a file in blocks of this size, the last one shorter.

    Raises:
        DataInvalid: As `content_of`, as soon as it is found.
    """
    before, total = stamp(file), 0
    limits.require_size(before[1], where, name)
    with file.open("rb") as raw:
        kind = _packing(raw.read(64), where, name)
        raw.seek(0)
        try:
            with _opened(raw, kind, where, name) if kind else raw as stream:
                while block := stream.read(size):
                    total += len(block)
                    limits.require_size(total, where, name)
                    yield block
        except _UNPACKING_ERRORS as error:
            raise _not_unpacked(error, str(kind), where, name) from error
    require_unchanged(file, before, where, name)
    if not total:
        raise refused(where, name, "is an empty file")


def _packing(content: bytes, where: str, name: str) -> str | None:
    """Return the kind of compression of a file that begins with these bytes, None without one."""
    for mark, what in _OTHERS:
        if content.startswith(mark):
            raise refused(where, name, f"is not CSV, but {what}")
    return next((kind for mark, kind in _PACKED if content.startswith(mark)), None)


def _unpacked(content: bytes, kind: str, where: str, name: str, limits: SourceLimits) -> bytes:
    try:
        with _opened(io.BytesIO(content), kind, where, name) as stream:
            found: bytes = stream.read(limits.bytes + 1)
    except _UNPACKING_ERRORS as error:
        raise _not_unpacked(error, kind, where, name) from error
    limits.require_size(len(found), where, name)
    if not found:
        raise refused(where, name, "is an empty file")
    return found


def _not_unpacked(error: Exception, kind: str, where: str, name: str) -> DataInvalid:
    return refused(where, name, f"cannot be unpacked ({kind}: {' '.join(str(error).split())}): copy it again")


def _opened(raw: IO[bytes], kind: str, where: str, name: str) -> IO[bytes] | Any:
    if kind == "zip":
        archive = zipfile.ZipFile(raw)
        members = [one for one in archive.infolist() if not one.is_dir() and not one.filename.startswith("__MACOSX/")]
        if any(one.filename in ("[Content_Types].xml", "mimetype") for one in members):
            raise refused(where, name, "is not CSV, but a document such as an Excel workbook: save the sheet as CSV")
        if len(members) != 1:
            some = ", ".join(one.filename for one in members[:3])
            raise refused(where, name, f"is an archive of {len(members)} files ({some}): pack the one to be read alone")
        return archive.open(members[0])
    if kind == "zst":
        import pyarrow as pa

        return pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")
    openers: dict[str, Callable[[IO[bytes]], Any]] = {"gz": _gzip, "bz2": bz2.open, "xz": lzma.open}
    return openers[kind](raw)


def _gzip(raw: IO[bytes]) -> gzip.GzipFile:
    return gzip.GzipFile(fileobj=raw)


def as_utf8(content: bytes, encoding: str | None, where: str, name: str) -> bytes:
    """Return the bytes of a text in UTF-8, without a byte order mark.

    Args:
        content: The bytes of the file.
        encoding: The declared encoding; None selects UTF-8, or the encoding of the byte order mark.
        where: The key of the source, for the message.
        name: The name of the file, for the message.

    Raises:
        DataInvalid: The bytes are not valid text in this encoding.
    """
    marked, chosen = _encoding(content, encoding)
    if chosen == "utf-8-sig":
        content, chosen = content.removeprefix(codecs.BOM_UTF8), "utf-8"
    is_utf8 = codecs.lookup(chosen).name == "utf-8"
    if is_utf8 and content.isascii():
        return content
    try:
        text = content.decode(chosen)
    except UnicodeError as error:
        raise refused(where, name, _not_decoded(content, chosen, error, marked)) from error
    return content if is_utf8 else text.removeprefix("\ufeff").encode()


def _encoding(content: bytes, encoding: str | None) -> tuple[str | None, str]:
    """Return the encoding of the byte order mark, None without one, and the encoding of the text."""
    marked = next((found for mark, found in _MARKS if content.startswith(mark)), None)
    if encoding and codecs.lookup(encoding).name == "utf-8" and marked == "utf-8-sig":
        return marked, marked
    return marked, encoding or marked or "utf-8"


def utf8_blocks(
    file: Path, encoding: str | None, where: str, name: str, limits: SourceLimits, size: int
) -> Iterator[bytes]:
    """Yield the text of a file in UTF-8, without a byte order mark, in blocks of about this size.

    Raises:
        DataInvalid: As `content_of` and `as_utf8`, as soon as it is found.
    """
    decoder = None
    for block in blocks(file, where, name, limits, size):
        is_first = decoder is None
        decoder = decoder or codecs.getincrementaldecoder(_encoding(block, encoding)[1])()
        try:
            text = decoder.decode(block)
        except UnicodeError:
            as_utf8(content_of(file, where, name, limits), encoding, where, name)  # its message names the line
            raise
        yield (text.removeprefix("\ufeff") if is_first else text).encode()
    if decoder is not None and decoder.getstate()[0]:  # the last character is incomplete
        as_utf8(content_of(file, where, name, limits), encoding, where, name)


def _not_decoded(content: bytes, encoding: str, error: UnicodeError, marked: str | None) -> str:
    start = error.start if isinstance(error, UnicodeDecodeError) else 0
    if content[:200].count(b"\0") > 20 and marked is None:
        return (
            f"is not text in {encoding}: it looks like UTF-16 without its mark, so write source.csv.encoding: utf-16-le"
        )
    line = content.count(b"\n", 0, start) + 1
    part = content[max(0, content.rfind(b"\n", 0, start) + 1, start - 15) : start + 15].partition(b"\n")[0]
    readings = []
    for other in SUGGESTED:
        try:
            readings.append(f"{other} ({part.decode(other).strip()!r})")
        except UnicodeError:
            continue
    ways = f"write source.csv.encoding, such as {', '.join(readings)}" if readings else "write source.csv.encoding"
    return f"is not text in {encoding} (byte {start}, line {line}): {ways}"
