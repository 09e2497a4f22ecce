"""The rows by split: one class per consumer, each with only the rows that this consumer may use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict

from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.data.splits import Role, entity_codes
from e2i_assets.core.data.target_column import without_target
from e2i_assets.core.fitting.fit_context import Rows
from e2i_assets.core.fitting.rows import RowSource
from e2i_assets.core.metrics import ProblemType


class SplitFacts(BaseModel):
    """The facts about a split that are stored besides its rows.

    Attributes:
        split_hash: The hash of the assignment of these rows.
        search_hash: The hash of the train and validation rows alone, which are all that a search uses.
        counts: The number of rows of each split.
        searched_classes: The number of train and validation rows of each class, in the order of ``classes``; empty for
            a regression, and in facts of earlier releases.
        searched_groups: With ``entity``: the number of its values that have train and validation rows of each class, or
            one number for a regression; empty without, and in facts of earlier releases.
        foldable: Whether the train and validation rows can be divided into the folds of the experiment, and are few
            enough for a mean of fold models by default; false in facts of earlier releases.
        left_out: The number of rows in no split.
        why_left_out: The number of rows in no split, by reason.
        classes: Labels in the order of their codes, the positive one last; empty for a regression.
        ordered: Whether the classes have an order, which their codes follow.
        entity: Columns of the stored tables, not features, that identify the entity of a row.
        weight: Column of the stored tables with the sample weights, None without one.
        segments: Columns of the stored tables, features or not, whose values define the segments of the evaluation.
        rows_without_target: The number of source rows that are in no table because their target is missing.
        notes: Notes for the user on how the rows were read.
    """

    model_config = ConfigDict(frozen=True)

    experiment: str
    problem_type: ProblemType
    target: str
    features: tuple[str, ...]
    classes: tuple[Any, ...]
    data_hash: str
    split_hash: str
    search_hash: str
    strategy: str
    seed: int
    counts: dict[Role, int]
    left_out: int
    entity: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    why_left_out: dict[str, int] = {}
    ordered: bool = False
    weight: str | None = None
    rows_without_target: int = 0
    notes: tuple[str, ...] = ()
    searched_classes: tuple[int, ...] = ()
    searched_groups: tuple[int, ...] = ()
    foldable: bool = False

    @property
    def pointed_out(self) -> tuple[str, ...]:
        """The notes for the user: the number of rows without a target, and the notes from reading the rows."""
        present = sum(self.counts.values()) + self.left_out
        return (*without_target(self.rows_without_target, present, self.target), *self.notes)

    @property
    def task(self) -> Task:
        """The prediction task."""
        return Task(self.problem_type, len(self.classes))

    def rows(self, table: pd.DataFrame) -> Rows:
        """Split a table into features and target."""
        return Rows(table[list(self.features)], table[self.target], entity_codes(table, self.entity))

    def groups(self, tables: Sequence[pd.DataFrame]) -> pd.DataFrame | None:
        """Return the concatenated entity columns of the tables; None if each row is an entity."""
        return pd.concat([table[list(self.entity)] for table in tables], ignore_index=True) if self.entity else None


@dataclass(frozen=True, slots=True)
class SplitTables:
    """The rows of all splits; they are written together, but never read together."""

    facts: SplitFacts
    tables: Mapping[Role, pd.DataFrame]


@dataclass(frozen=True, slots=True)
class SearchRows:
    """The rows for a search: no test and no holdout rows.

    Attributes:
        facts: The facts about the split.
        train, validation: The rows.
        groups: Shape (train + validation rows, entity columns): the entity of each row, train rows first; None if each
            row is an entity. It keeps the rows of an entity in one fold, and is never a feature.
    """

    facts: SplitFacts
    train: RowSource
    validation: RowSource
    groups: pd.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """The rows for the final training, with the test rows for its evaluation, but no holdout rows.

    Attributes:
        facts: The facts about the split.
        train, validation, test: The rows.
        segments: Shape (test rows, columns): the segment columns, None without any.
        groups: As in `SearchRows`.
    """

    facts: SplitFacts
    train: RowSource
    validation: RowSource
    test: RowSource
    segments: pd.DataFrame | None = None
    groups: pd.DataFrame | None = None

    @property
    def searched(self) -> SearchRows:
        """The rows of the search."""
        return SearchRows(self.facts, self.train, self.validation, self.groups)


@dataclass(frozen=True, slots=True)
class HoldoutRows:
    """The holdout rows, which only a user opens with an explicit command; no asset and no check reads them."""

    facts: SplitFacts
    holdout: RowSource
