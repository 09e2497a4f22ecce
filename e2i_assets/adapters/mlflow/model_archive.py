"""The archive of a model: a reproducible skops archive, and the types that may be loaded from one."""

import importlib
import io
import json
import sys
import zipfile
from types import ModuleType
from typing import Any

import numpy as np

from e2i_assets.core.fitting.trusted_types import TRUSTED_TYPES

# More than any model of this product needs, less than the memory of a machine.
MOST_BYTES = 4_000_000_000
_SCHEMA = "schema.json"
# The earliest time that a zip archive can store: the archive must not depend on the time when it was written.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def unfolded_bytes(archive: bytes) -> int:
    """Return the uncompressed size of an archive in bytes, as declared; readers do not read more.

    Raises:
        zipfile.BadZipFile: It is not a zip archive.
    """
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        return sum(entry.file_size for entry in packed.infolist())


def skops_io() -> ModuleType:
    """Return `skops.io`, with only numbers, text and arrays trusted by default.

    By default skops trusts every estimator of scikit-learn and every function of scipy.special. It imports all modules
    of scikit-learn, and searches all modules of the process for each of 230 functions, to list them: 3.4 CPU seconds, a
    fifth of a small run. `TRUSTED_TYPES` lists each type that a model of this product contains.
    """
    if "skops.io" not in sys.modules:
        import scipy.special
        import sklearn.utils

        every = sklearn.utils.all_estimators
        sklearn.utils.all_estimators = list
        scipy.special.__dir__ = list  # what dir() returns; the functions stay
        try:
            importlib.import_module("skops.io")
        finally:
            sklearn.utils.all_estimators = every
            del scipy.special.__dir__
    return sys.modules["skops.io"]


def untrusted_types(archive: bytes) -> list[str]:
    """Return the types in a skops archive that are never loaded, without building any object."""
    return sorted(set(skops_io().get_untrusted_types(data=archive)) - set(TRUSTED_TYPES))


def canonical(archive: bytes) -> bytes:
    """Return a skops archive with the same content in a canonical form: equal models have equal bytes.

    skops numbers objects, and names array files, by memory address; the padding in the records of a tree is
    uninitialised memory, and the zip contains timestamps. Here, objects and files are numbered in document order, the
    padding is zero and the timestamps are constant. The archive is compressed: the schema of a forest is repetitive.
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
    """Assigns numbers to what skops identifies by memory address, in the order of appearance."""

    def __init__(self, names: set[str]) -> None:
        self._names = names
        self._ids: dict[int, int] = {}
        self.files: dict[str, str] = {}

    def renumbered(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self.renumbered(item) for item in node]
        if isinstance(node, dict):
            # Whether equal numbers and texts are one object is arbitrary, so their ids are dropped.
            plain = node.get("__loader__") in ("JsonNode", "TypeNode")
            return {key: self._value(key, value) for key, value in node.items() if not (plain and key == "__id__")}
        return node

    def _value(self, key: str, value: Any) -> Any:
        if key == "__id__" and isinstance(value, int):
            # Numbered from one: skops treats an id of zero as missing.
            return self._ids.setdefault(value, len(self._ids) + 1)
        if key == "file" and isinstance(value, str) and value in self._names:
            suffix = value.rpartition(".")[2]
            return self.files.setdefault(value, f"{len(self.files) + 1}.{suffix}")
        return self.renumbered(value)


def _without_gaps(name: str, content: bytes) -> bytes:
    """Return the file of an array with zeros in the padding of its records."""
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
