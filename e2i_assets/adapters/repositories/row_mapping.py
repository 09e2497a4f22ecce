"""Conversion between frozen dataclasses and table rows: a field is a column of the same name."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa

_Row = TypeVar("_Row")


def document(value: Any) -> str:
    """Return the JSON text of a value, to be bound to a ``jsonb`` column.

    Raises:
        ValueError: The value contains NaN or infinity, which JSON does not support.
    """
    return json.dumps(value, allow_nan=False)


def finite_or_null(values: Mapping[Any, float | None]) -> dict[str, float | None]:
    """Return the values by text key, with None for numbers that are not finite."""
    return {str(key): value if value is not None and math.isfinite(value) else None for key, value in values.items()}


def columns(kind: type, table: str | None = None) -> str:
    """Return the column list of a dataclass for SELECT or INSERT."""
    return ", ".join(f"{table}.{field.name}" if table else field.name for field in fields(kind))


def placeholders(kind: type) -> str:
    """Return the bound parameters of a dataclass for VALUES."""
    return ", ".join(f":{field.name}" for field in fields(kind))


def replacements(kind: type, *excluded: str) -> str:
    """Return the assignments for ON CONFLICT DO UPDATE: every column except the excluded ones."""
    return ", ".join(f"{field.name} = excluded.{field.name}" for field in fields(kind) if field.name not in excluded)


def parameters(row: Any) -> dict[str, Any]:
    """Return the statement parameters of a dataclass instance."""
    return bound({field.name: getattr(row, field.name) for field in fields(row)})


def bound(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as statement parameters: mappings and sequences become JSON documents."""
    return {
        name: document(value) if isinstance(value, Mapping | list | tuple) else value for name, value in values.items()
    }


def one(kind: type[_Row], result: sa.CursorResult[Any]) -> _Row | None:
    """Return the only row of a result as `kind`, or None if there is no row."""
    found = result.mappings().one_or_none()
    return None if found is None else _built(kind, found)


def every(kind: type[_Row], result: sa.CursorResult[Any]) -> list[_Row]:
    """Return the rows of a result as `kind`."""
    return [_built(kind, found) for found in result.mappings()]


def _built(kind: type[_Row], found: Mapping[Any, Any]) -> _Row:
    # Ids are text above this layer: they are used in JSON, tags and Optuna's attributes.
    return kind(**{name: str(value) if isinstance(value, UUID) else value for name, value in found.items()})
