"""The rows of two splits as one: those of the first, then those of the second, read on demand like their parts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from e2i_assets.core.fitting.rows import RowSource
from e2i_assets.core.metrics import Array


@dataclass(frozen=True, slots=True)
class JoinedRows:
    """A `RowSource` of two others with the same columns; no entity has rows in both.

    Attributes:
        first, second: The parts, in this order.
    """

    first: RowSource
    second: RowSource

    @property
    def can_be_read_again(self) -> bool:
        """Whether both parts can be read again."""
        return self.first.can_be_read_again and self.second.can_be_read_again

    @property
    def features(self) -> pd.DataFrame:
        """All rows of the feature columns."""
        return self.columns([str(name) for name in self.first.blank().columns])

    @property
    def target(self) -> pd.Series:
        """Shape (n,): labels, or the values of a regression."""
        found: pd.Series = pd.concat([self.first.target, self.second.target], ignore_index=True)
        return found

    @property
    def entities(self) -> Array | None:
        """Shape (n,): a code for the entity of each row; None if each row is an entity."""
        first, second = self.first.entities, self.second.entities
        if first is None or second is None:
            return None
        return np.concatenate([first, second + first.max(initial=-1) + 1])

    @property
    def weights(self) -> Array | None:
        """Shape (n,): sample weights; None weights all rows equally."""
        first, second = self.first.weights, self.second.weights
        return None if first is None or second is None else np.concatenate([first, second])

    def blank(self) -> pd.DataFrame:
        """Return an empty table with the names and types of the features."""
        return self.first.blank().astype(self._types())

    def columns(self, names: Sequence[str]) -> pd.DataFrame:
        """Return all rows of some features."""
        types = {name: dtype for name, dtype in self._types().items() if name in names}
        return pd.concat([part.columns(names).astype(types) for part in (self.first, self.second)], ignore_index=True)

    def pieces(self, names: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """Yield the features, or some of them, in batches of rows and in order."""
        types = {name: dtype for name, dtype in self._types().items() if names is None or name in names}
        for part in (self.first, self.second):
            for piece in part.pieces(names):
                yield piece.astype(types)

    def _types(self) -> dict[str, Any]:
        """Return the common type of each feature whose types differ, such as booleans with and without gaps."""
        pairs = zip(self.first.blank().dtypes.items(), self.second.blank().dtypes, strict=True)
        return {str(name): _common(one, other) for (name, one), other in pairs if one != other}


def _common(one: Any, other: Any) -> Any:
    if isinstance(one, pd.CategoricalDtype) and isinstance(other, pd.CategoricalDtype):
        return pd.CategoricalDtype(one.categories.append(other.categories.difference(one.categories, sort=False)))
    return np.dtype(object)
