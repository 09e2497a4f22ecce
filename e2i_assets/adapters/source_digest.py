"""Digest of source files of this package, which identifies the code that computed a value."""

import hashlib
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


@cache
def source_digest(*parts: str) -> str:
    """Return 12 hexadecimal digits that change with the Python files of these parts of the package.

    Args:
        parts: Folders or files relative to the package, such as ``core/data``; without any, the whole package.

    Raises:
        FileNotFoundError: A part does not exist.
    """
    digest = hashlib.sha256()
    for part in parts or ("",):
        place = _PACKAGE / part
        files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
        for path in files:
            digest.update(f"{path.relative_to(_PACKAGE)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
