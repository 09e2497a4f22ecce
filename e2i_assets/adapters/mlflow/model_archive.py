"""The bytes of a model: an archive of skops, made reproducible, and what is loaded from one."""

import importlib
import io
import json
import sys
import zipfile
from types import ModuleType
from typing import Any

import numpy as np

from e2i_assets.core.fitting.fitted_model import TRUSTED_TYPES

# More than any model of ours has, less than a machine.
MOST_BYTES = 4_000_000_000
_SCHEMA = "schema.json"
# The earliest moment a zip archive can hold: the archive of a model does not tell when it was written.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def unfolded_bytes(archive: bytes) -> int:
    """Return how many bytes an archive says that its files have, of which no reader takes more.

    Raises:
        zipfile.BadZipFile: It is no archive.
    """
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        return sum(entry.file_size for entry in packed.infolist())


def skops_io() -> ModuleType:
    """Return `skops.io`, which here trusts no type but numbers, text and arrays by itself.

    By default it trusts every estimator of scikit-learn, and imports each module of scikit-learn to list them: 1.6 CPU
    seconds, a fifth of a small run. Our list of trusted types names each type that a model of ours holds.
    """
    if "skops.io" not in sys.modules:
        import sklearn.utils

        every = sklearn.utils.all_estimators
        sklearn.utils.all_estimators = list
        try:
            importlib.import_module("skops.io")
        finally:
            sklearn.utils.all_estimators = every
    return sys.modules["skops.io"]


def untrusted_types(archive: bytes) -> list[str]:
    """Return the types in a skops archive that are never loaded; nothing is built to find out."""
    return sorted(set(skops_io().get_untrusted_types(data=archive)) - set(TRUSTED_TYPES))


def canonical(archive: bytes) -> bytes:
    """Return a skops archive with the same content, such that equal models have equal bytes.

    skops numbers objects, and names the files of arrays, by memory address, the records of a tree end in whatever the
    memory held before, and the zip holds the time of day. Here both are numbered in the order of the document, the gaps
    are zero, and time stands still. Compressed, since the schema of a forest is mostly repetition.
    """
    with zipfile.ZipFile(io.BytesIO(archive)) as source:
        contents = {name: source.read(name) for name in source.namelist()}
    numbering = _Numbering(set(contents) - {_SCHEMA})
    schema = numbering.renumbered(json.loads(contents[_SCHEMA]))
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, new_name in numbering.files.items():
            packed.writestr(_entry(new_name), _without_gaps(name, contents[name]))
        packed.writestr(_entry(_SCHEMA), json.dumps(schema, separators=(",", ":")))
    return target.getvalue()


class _Numbering:
    """Numbers for what skops identifies by address, given in the order of appearance."""

    def __init__(self, names: set[str]) -> None:
        self._names = names
        self._ids: dict[int, int] = {}
        self.files: dict[str, str] = {}

    def renumbered(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self.renumbered(item) for item in node]
        if isinstance(node, dict):
            # Which equal numbers and texts happen to be one object is chance.
            plain = node.get("__loader__") in ("JsonNode", "TypeNode")
            return {key: self._value(key, value) for key, value in node.items() if not (plain and key == "__id__")}
        return node

    def _value(self, key: str, value: Any) -> Any:
        if key == "__id__" and isinstance(value, int):
            # From one: skops takes an id of zero for none.
            return self._ids.setdefault(value, len(self._ids) + 1)
        if key == "file" and isinstance(value, str) and value in self._names:
            suffix = value.rpartition(".")[2]
            return self.files.setdefault(value, f"{len(self.files) + 1}.{suffix}")
        return self.renumbered(value)


def _without_gaps(name: str, content: bytes) -> bytes:
    """The file of an array with zeros between the fields of its records."""
    if not name.endswith(".npy"):
        return content
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.dtype.names is None:
        return content
    clean = np.zeros(array.shape, array.dtype)
    for field in array.dtype.names:
        clean[field] = array[field]
    target = io.BytesIO()
    np.save(target, clean, allow_pickle=False)
    return target.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=_EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
