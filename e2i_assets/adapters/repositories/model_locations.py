"""Where models are, in the rows that name them. The program finds models by their keys; these are for people."""

from pathlib import Path

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database

_URIS = (("ml_training_runs", "model_uri"), ("ml_model_registry", "artifact_path"))
_LOCATIONS = (("ml_champion_decisions", "model_folder"),)
_MOVE = "UPDATE {0} SET {1} = :new || substr({1}, length(:old) + 1) WHERE substr({1}, 1, length(:old)) = :old"


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
    paths = {"old": f"{old}/", "new": f"{new}/"}
    uris = {"old": f"{uri_of(old)}/", "new": f"{uri_of(new)}/"}
    with database.begin() as connection:
        changes = [(one, uris) for one in _URIS] + [(one, paths) for one in _LOCATIONS]
        return sum(connection.execute(sa.text(_MOVE.format(*one)), places).rowcount for one, places in changes)
