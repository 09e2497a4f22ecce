"""Content hashes of values and tables, and the canonical JSON that they are based on."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from pydantic import BaseModel

from e2i_assets.core.errors import E2iError

_AT_ONCE = 2**16


def canonical_json(value: object) -> str:
    """Write a value as JSON in exactly one way: sorted keys, no spaces, tuples as lists, models as mappings.

    Raises:
        E2iError: The value contains something that JSON cannot represent exactly, such as NaN, infinity or a set.
    """
    return json.dumps(_plain(value, "value"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def content_hash(value: object) -> str:
    """Return the SHA-256 of the canonical JSON of a value: 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def hash_with_later_keys(document: Mapping[str, object], *later: str) -> str:
    """Return the content hash of a mapping without the later keys that are null: documents from before have it too."""
    return content_hash({key: value for key, value in document.items() if key not in later or value is not None})


def frame_hash(frame: pd.DataFrame) -> str:
    """Return the SHA-256 of the column names, types and values of a table, in order, without the index.

    A category column is hashed by its values, not by the order or number of its categories, so the hash of a table does
    not change when it is written to Parquet and read again.
    """
    digest = hashlib.sha256(canonical_json({"rows": len(frame), "columns": len(frame.columns)}).encode())
    for position, name in enumerate(frame.columns):
        column = frame.iloc[:, position].reset_index(drop=True)
        digest.update(canonical_json([str(name), str(column.dtype)]).encode())
        for hashes in _row_hashes(column):
            digest.update(hashes)
    return digest.hexdigest()


def _row_hashes(column: pd.Series) -> Iterator[bytes]:
    """Yield the hashes of the rows, eight bytes each; numbers in pieces that fit into the cache of the processor."""
    if column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) not in ("string", "empty"):
        # Mixed objects (dates, decimals) are hashed by type and text: 1 is not "1".
        texts = [_typed_text(cell) for cell in column]
        column = pd.Series(texts, dtype=object).mask(column.isna())
    is_number = isinstance(column.dtype, np.dtype) and column.dtype != object
    at_once = _AT_ONCE if is_number else max(1, len(column))
    for start in range(0, len(column), at_once):
        hashes = pd.util.hash_pandas_object(column.iloc[start : start + at_once], index=False)
        yield hashes.to_numpy().astype("<u8", copy=False).tobytes()


def _typed_text(cell: object) -> str:
    return cell if isinstance(cell, str) else f"{type(cell).__name__}\0{cell}"


def _plain(value: object, where: str) -> object:
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(mode="json"), where)
    if isinstance(value, Mapping):
        if strange := [key for key in value if not isinstance(key, str)]:
            raise E2iError(f"{where} has a key that is not text: {strange[0]!r}")
        return {key: _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{position}]") for position, item in enumerate(value)]
    if isinstance(value, np.generic):
        return _plain(value.item(), where)
    if isinstance(value, float) and not math.isfinite(value):
        raise E2iError(f"{where} is {value}: only finite numbers can be hashed")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise E2iError(f"{where} is a {type(value).__name__}, which JSON cannot represent")
