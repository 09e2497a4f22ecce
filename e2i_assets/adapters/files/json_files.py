"""JSON files in the state folder, whatever has become of them."""

import json
from pathlib import Path
from typing import Any


def json_of(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no JSON, no text, or nested deeper than Python reads, which is no ``ValueError`` to Python.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deeply") from None
