"""Where models are, in the rows that name them. The program finds models by their keys; these are for people."""

from pathlib import Path

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.prefixes import replace_prefix

_URIS = (("ml_training_runs", "model_uri"), ("ml_model_registry", "artifact_path"))
_LOCATIONS = (("ml_champion_decisions", "model_folder"),)


def uri_of(location: str) -> str:
    """Return a location of a store as an address: a path becomes file:///..."""
    return location if "://" in location else Path(location).as_uri()


def move(database: Database, old: str, new: str) -> int:
    """Replace the beginning of all locations, in one transaction, and return how many rows were changed.

    Args:
        database: The database of the project.
        old: The location of the old state: a path or an address.
        new: The location of the new one.
    """
    changes = [(one, uri_of(old), uri_of(new)) for one in _URIS] + [(one, old, new) for one in _LOCATIONS]
    with database.begin() as connection:
        return sum(replace_prefix(connection, *one, before, after) for one, before, after in changes)
