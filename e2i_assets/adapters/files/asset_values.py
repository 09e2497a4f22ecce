"""Files of the values that assets exchange: tables as Parquet, everything else as JSON, without pickle.

A value is a folder, written beside its place and moved there in one step: a killed process leaves the old value.
"""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel

from e2i_assets.adapters.files.atomic_directory import replacing
from e2i_assets.adapters.files.json_files import json_of
from e2i_assets.adapters.files.parquet_rows import StoredRows
from e2i_assets.core.data.column_profile import ColumnProfile
from e2i_assets.core.data.dataset import Dataset
from e2i_assets.core.data.split_tables import HoldoutRows, SearchRows, SplitFacts, SplitTables, TrainingRows
from e2i_assets.core.data.splits import SEARCHED
from e2i_assets.core.errors import E2iError
from e2i_assets.core.fitting.rows import ROWS_AT_A_TIME

VALUE = "value.json"


class AssetMissing(E2iError):
    """The value is read before it was written."""


class AssetDamaged(E2iError):
    """The files of the value were changed, or written by another version."""


def write(value: object, folder: Path) -> None:
    """Write a value and replace the previous one in one step.

    Raises:
        E2iError: There is no file format for this type.
    """
    with replacing(folder) as fresh:
        write_files(value, fresh)


def read(kind: type[Any], folder: Path) -> Any:
    """Read a value as ``kind``; a kind without access to some of the rows does not open their files.

    Raises:
        AssetMissing: The value does not exist.
        AssetDamaged: Its files do not have the format of this version.
        E2iError: There is no file format for this type.
    """
    if not folder.is_dir():
        raise AssetMissing(f"{folder.parent.name} of {folder.name} does not exist yet: materialise it first")
    try:
        if kind in _READERS:
            return _READERS[kind](folder)
        if issubclass(kind, BaseModel):
            return kind.model_validate_json((folder / VALUE).read_text(encoding="utf-8"))
    except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        reason = " ".join(str(error).split())[:300]
        raise AssetDamaged(
            f"the stored {folder.parent.name} of {folder.name} cannot be read, materialise it again: {reason}"
        ) from error
    raise E2iError(f"no file format for a {kind.__name__}")


def files_of(kind: type[Any]) -> Collection[str] | None:
    """Return the names of the files that `read` opens for a kind; None if it may open all."""
    if kind in _ROLES:
        return {VALUE, *(f"{role}.parquet" for role in _ROLES[kind])}
    return {VALUE} if issubclass(kind, BaseModel) else None


def write_files(value: object, folder: Path) -> None:
    """Write the files of a value into an empty folder.

    Raises:
        E2iError: There is no file format for this type.
    """
    if isinstance(value, BaseModel):
        (folder / VALUE).write_text(value.model_dump_json(indent=2), encoding="utf-8")
    elif isinstance(value, SplitTables):
        (folder / VALUE).write_text(value.facts.model_dump_json(indent=2), encoding="utf-8")
        for role, table in value.tables.items():
            table.to_parquet(folder / f"{role}.parquet", index=False, row_group_size=ROWS_AT_A_TIME)
    elif isinstance(value, Dataset):
        facts = {field.name: getattr(value, field.name) for field in fields(value) if field.name != "frame"}
        text = json.dumps(facts, indent=2, allow_nan=False, default=BaseModel.model_dump)
        (folder / VALUE).write_text(text, encoding="utf-8")
        value.frame.to_parquet(folder / "table.parquet", index=False)
    else:
        raise E2iError(f"no file format for a {type(value).__name__}")


def _facts(folder: Path) -> SplitFacts:
    return SplitFacts.model_validate_json((folder / VALUE).read_text(encoding="utf-8"))


def _table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / f"{name}.parquet")


def _rows(folder: Path, facts: SplitFacts, role: str) -> StoredRows:
    return StoredRows(folder / f"{role}.parquet", facts.features, facts.target, facts.entity, facts.weight)


def _search_rows(folder: Path) -> SearchRows:
    facts = _facts(folder)
    train, validation = (_rows(folder, facts, role) for role in SEARCHED)
    return SearchRows(facts, train, validation, _groups(facts, train, validation))


def _training_rows(folder: Path) -> TrainingRows:
    facts = _facts(folder)
    train, validation, test = (_rows(folder, facts, role) for role in _ROLES[TrainingRows])
    segments = test.columns(facts.segments) if facts.segments else None
    return TrainingRows(facts, train, validation, test, segments, _groups(facts, train, validation))


def _groups(facts: SplitFacts, *parts: StoredRows) -> pd.DataFrame | None:
    return facts.groups([part.columns(facts.entity) for part in parts])


def _holdout_rows(folder: Path) -> HoldoutRows:
    facts = _facts(folder)
    return HoldoutRows(facts, _rows(folder, facts, "holdout"))


def _dataset(folder: Path) -> Dataset:
    facts = json_of(folder / VALUE)
    sequences = {name: tuple(fact) for name, fact in facts.items() if isinstance(fact, list)}
    profile = tuple(map(ColumnProfile.model_validate, facts.get("profile", ())))
    made = Dataset(frame=_table(folder, "table"), **{**facts, **sequences, "profile": profile})
    named = {*made.features, made.target, made.group, made.time, made.split, made.weight, *made.ids, *made.segments}
    if missing := sorted(name for name in named if name is not None and name not in made.frame.columns):
        raise ValueError(f"its table has no column {', '.join(missing)}")
    return made


# The splits that a kind has access to.
_ROLES: dict[type[Any], Sequence[str]] = {
    SearchRows: SEARCHED,
    TrainingRows: (*SEARCHED, "test"),
    HoldoutRows: ("holdout",),
}
_READERS: dict[type[Any], Callable[[Path], Any]] = {
    SplitFacts: _facts,
    SearchRows: _search_rows,
    TrainingRows: _training_rows,
    HoldoutRows: _holdout_rows,
    Dataset: _dataset,
}
