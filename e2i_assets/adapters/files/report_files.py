"""Report files of studies and trainings: their pictures and the report, under one key per spec hash."""

from collections.abc import Mapping

from e2i_assets.adapters.stores.store import Store
from e2i_assets.core.errors import E2iError

REPORT = "report.html"
STUDY, MODEL = "study", "model"


class ReportMissing(E2iError):
    """The report does not exist."""


def report_key(experiment: str, identity: str) -> str:
    """Return the key in the store of the report of a training; its pictures are below it."""
    return f"reports/{experiment}/{identity[:12]}"


def store_pictures(store: Store, key: str, pictures: Mapping[str, bytes]) -> None:
    """Write pictures and delete the previous pictures that are not among them."""
    for old in _pictures(store, key):
        if old not in pictures:
            store.remove(f"{key}/{old}")
    for name, png in pictures.items():
        store.write(f"{key}/{name}", png)


def stored_pictures(store: Store, key: str) -> dict[str, bytes]:
    """Return the pictures below a key by file name; empty if there are none."""
    return {name: store.file(f"{key}/{name}").read_bytes() for name in _pictures(store, key)}


def _pictures(store: Store, key: str) -> list[str]:
    return [name for name in store.names(key) if name.endswith(".png")]
