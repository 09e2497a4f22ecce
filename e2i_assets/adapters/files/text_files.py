"""Reading text files that users write: experiments, schemas, quality reports."""

from pathlib import Path

from e2i_assets.core.errors import E2iError

_MAX_BYTES = 4_000_000


class FileUnreadable(E2iError):
    """The file is not text, is too long, or cannot be read."""


def text_of(path: Path) -> str:
    """Return the text of a file, with or without a byte order mark.

    Raises:
        FileUnreadable: The file is too long, is not UTF-8 text, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise FileUnreadable(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > _MAX_BYTES:
        raise FileUnreadable(f"{path} has more than {_MAX_BYTES:,} bytes, the limit for files written by users")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileUnreadable(f"{path}: byte {error.start} is not text in UTF-8: save it as UTF-8") from error
