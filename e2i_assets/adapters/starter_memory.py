"""The starter memory that ships with the product: a file of patterns beside this module."""

import hashlib
from pathlib import Path

from e2i_assets.adapters.pattern_files import PatternFileUnusable, file_rows
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.stores.pattern_store import STARTER
from e2i_assets.adapters.stores.starter_store import StarterStore

SHIPPED = Path(__file__).with_name("starter_memory.jsonl.gz")


def load_starter(database: Database, path: Path | None = None, again: bool = False) -> int | None:
    """Put a starter memory into the memory unless it is there, or somebody took one out.

    Args:
        database: Whose memory.
        path: A file of patterns; default the one that ships.
        again: Load it in any case.

    Returns:
        How many patterns it has; None when nothing was loaded.

    Raises:
        PatternFileInvalid: With the mistakes of each line.
        PatternFileUnusable: The file is not there or cannot be read.
    """
    if path is None and not SHIPPED.is_file():
        raise PatternFileUnusable("this installation ships no starter memory: name a file that e2i memory export wrote")
    found = path or SHIPPED
    try:
        starter_hash = hashlib.sha256(found.read_bytes()).hexdigest()
    except OSError as error:
        raise PatternFileUnusable(f"{found} cannot be read: {error.strerror or error}") from error
    return StarterStore(database).load(starter_hash, lambda: file_rows(found, STARTER), again)
