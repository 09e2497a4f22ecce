"""Where the rows of a table stand in their source, so that a message can name the line of a cell."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_PLACES = "e2i_places"
_NOTES = "e2i_notes"
_MOST = 3


@dataclass(frozen=True, slots=True, eq=False)
class RowPlaces:
    """The place of each row.

    Attributes:
        word: What a place is called: ``line`` of a file, or ``row`` of a table.
        first: Place of the first row, where each row takes one line.
        lines: Place of each row, where some rows take several lines; None otherwise.
    """

    word: str = "row"
    first: int = 1
    lines: NDArray[np.int64] | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> "RowPlaces":
        """Return itself: pandas copies what is attached to a table at each step, and nothing changes it."""
        return self

    def of(self, position: int) -> int:
        """Return the place of the row at a position, counted from 0."""
        return self.first + position if self.lines is None else int(self.lines[position])

    def shown(self, positions: Iterable[int]) -> str:
        """Return the first places in words, such as ``lines 5, 17, 90, ...``."""
        found = [int(one) for one in positions]
        some = ", ".join(str(self.of(one)) for one in found[:_MOST]) + (", ..." if len(found) > _MOST else "")
        return f"{self.word}{'s' if len(found) > 1 else ''} {some}"


def with_places(table: pd.DataFrame, places: RowPlaces, notes: Iterable[str] = ()) -> pd.DataFrame:
    """Attach the places of the rows, and what a person should know of the reading, to a table; return it."""
    table.attrs[_PLACES] = places
    table.attrs[_NOTES] = tuple(notes)
    return table


def places_of(table: pd.DataFrame) -> RowPlaces:
    """Return the places of the rows of a table; rows counted from 1 where its reader attached none."""
    found = table.attrs.get(_PLACES)
    return found if isinstance(found, RowPlaces) else RowPlaces()


def notes_of(table: pd.DataFrame) -> tuple[str, ...]:
    """Return what the reader of a table noted."""
    return tuple(table.attrs.get(_NOTES, ()))
