"""Artifact files of an MLflow run, under exactly their names: documents, tables, pictures, pages."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from e2i_assets.adapters.mlflow.tracked_run import MODEL_FOLDER, TrackedRun, TrackingRefused


def files(run: TrackedRun) -> dict[str, bytes]:
    """Return all files of a run as bytes, by name.

    Raises:
        TrackingRefused: A document is not valid JSON, or contains a number that is not finite.
    """
    documents = {**run.documents, **{name: _table(rows) for name, rows in run.tables.items()}}
    return {**{name: _json(name, document) for name, document in documents.items()}, **run.figures}


def require_file_names(names: Iterable[str]) -> None:
    """Check that each name is a path below the artifact root and outside the model folder.

    Raises:
        TrackingRefused: Some names are invalid; the message lists them.
    """
    paths = {name: PurePosixPath(name) for name in names}
    invalid = [
        name
        for name, path in paths.items()
        if path.is_absolute() or ".." in path.parts or path.parts[:1] in ((), (MODEL_FOLDER,))
    ]
    if invalid:
        raise TrackingRefused(f"not a name for an artifact: {', '.join(map(repr, invalid))}; give a file name")


def _table(rows: Sequence[Mapping[str, object]]) -> dict[str, Any]:
    """Return a table in MLflow's format: the column names, and a list of values per row."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return {"columns": columns, "data": [[row.get(name) for name in columns] for row in rows]}


def _json(name: str, document: Any) -> bytes:
    try:
        return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise TrackingRefused(f"{name} cannot be written as JSON: {error}") from error
