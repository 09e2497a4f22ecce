"""Reading JSON files of the state folder, which may be damaged."""

import json
from pathlib import Path
from typing import Any


def json_of(path: Path) -> Any:
    """Return the parsed content of a JSON file.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is not text or not JSON, or is nested too deeply (Python's ``RecursionError``).
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deeply") from None
