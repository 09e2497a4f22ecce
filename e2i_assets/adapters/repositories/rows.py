"""Between frozen dataclasses and the rows of our tables: a field is a column of the same name."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa

_Row = TypeVar("_Row")


def document(value: Any) -> str:
    """Return the text of a JSON document, to be bound to a ``jsonb`` column.

    Raises:
        ValueError: For NaN and infinities, which JSON does not have.
    """
    return json.dumps(value, allow_nan=False)


def finite_or_null(values: Mapping[Any, float | None]) -> dict[str, float | None]:
    """Return numbers by text key, with null for what was reported but is no finite number."""
    return {str(key): value if value is not None and math.isfinite(value) else None for key, value in values.items()}


def columns(kind: type, table: str | None = None) -> str:
    """Return the columns of a dataclass for a SELECT or an INSERT."""
    return ", ".join(f"{table}.{field.name}" if table else field.name for field in fields(kind))


def placeholders(kind: type) -> str:
    """Return the bound parameters of a dataclass for VALUES."""
    return ", ".join(f":{field.name}" for field in fields(kind))


def replacements(kind: type, *kept: str) -> str:
    """Return what ON CONFLICT DO UPDATE sets: every column but the kept ones."""
    return ", ".join(f"{field.name} = excluded.{field.name}" for field in fields(kind) if field.name not in kept)


def parameters(row: Any) -> dict[str, Any]:
    """Return what is bound for a dataclass."""
    return bound({field.name: getattr(row, field.name) for field in fields(row)})


def bound(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as they are bound: mappings and sequences become documents."""
    return {
        name: document(value) if isinstance(value, Mapping | list | tuple) else value for name, value in values.items()
    }


def one(kind: type[_Row], result: sa.CursorResult[Any]) -> _Row | None:
    """Return the only row of a result as `kind`, or None."""
    found = result.mappings().one_or_none()
    return None if found is None else _built(kind, found)


def every(kind: type[_Row], result: sa.CursorResult[Any]) -> list[_Row]:
    """Return the rows of a result as `kind`."""
    return [_built(kind, found) for found in result.mappings()]


def _built(kind: type[_Row], found: Mapping[Any, Any]) -> _Row:
    # Ids are text above this layer: they travel in JSON, in tags and in Optuna's attributes.
    return kind(**{name: str(value) if isinstance(value, UUID) else value for name, value in found.items()})
