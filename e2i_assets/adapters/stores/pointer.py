"""The object that says which files of a value in object storage are the current ones."""

import time
from datetime import UTC, datetime
from pathlib import PurePosixPath

from pydantic import BaseModel, Field, field_validator

from e2i_assets.core.content_hash import content_hash

POINTER = "current.json"
_TIME = "%Y%m%dT%H%M%SZ"


class Pointer(BaseModel, frozen=True):
    """The files of the current value, with their SHA-256.

    Attributes:
        content: The folder of the files, below the key.
        written_at: Seconds since the epoch.
        files: The hash of each file by its path.
    """

    content: str = Field(pattern=r"^\d{8}T\d{6}Z-[0-9a-f]{16}$")
    written_at: float
    files: dict[str, str]

    @field_validator("files")
    @classmethod
    def _are_below(cls, files: dict[str, str]) -> dict[str, str]:
        """Refuse a path that would leave the folder: whoever can write the bucket need not be able to write here."""
        for name in files:
            if PurePosixPath(name).is_absolute() or {"", ".", ".."} & set(name.split("/")):
                raise ValueError(f"{name!r} is no path inside of the value")
        return files

    @classmethod
    def to(cls, files: dict[str, str]) -> "Pointer":
        """Return a pointer to files that are written now, by their hashes."""
        now = time.time()
        content = f"{datetime.fromtimestamp(now, UTC):{_TIME}}-{content_hash(files)[:16]}"
        return cls(content=content, written_at=now, files=files)


def age(content: str, now: float) -> float:
    """Return the seconds since files were written, by their folder; 0 for a folder that is not of this store."""
    try:
        return now - datetime.strptime(content.partition("-")[0], _TIME).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
