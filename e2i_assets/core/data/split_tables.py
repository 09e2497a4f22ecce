"""The rows by role, as values that hold no more than their receiver may see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict

from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.data.splits import Role
from e2i_assets.core.data.target_column import without_target
from e2i_assets.core.fitting.fit_context import Rows
from e2i_assets.core.fitting.rows import RowSource
from e2i_assets.core.metrics import ProblemType


class SplitFacts(BaseModel):
    """What is known of a split besides its rows.

    Attributes:
        split_hash: Identity of the assignment of these rows.
        search_hash: Identity of the train and validation rows alone: what a search can know.
        counts: Rows of each role.
        left_out: Rows without a role.
        why_left_out: How many of them for which reason.
        classes: Labels in the order of their codes, the positive one last; empty for a regression.
        entity: Columns of the stored tables, none of them features, that say which rows must not be torn apart.
        segments: Columns of the stored tables, features or not, by whose values the model is judged.
        rows_without_target: Rows of the source that are in no table, because they have no target.
        notes: What a person should know of how the rows were read.
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
    rows_without_target: int = 0
    notes: tuple[str, ...] = ()

    @property
    def pointed_out(self) -> tuple[str, ...]:
        """What a person should know of the rows: those without a target, and what was noted while reading."""
        kept = sum(self.counts.values()) + self.left_out
        return (*without_target(self.rows_without_target, kept, self.target), *self.notes)

    @property
    def task(self) -> Task:
        """What is predicted."""
        return Task(self.problem_type, len(self.classes))

    def rows(self, table: pd.DataFrame) -> Rows:
        """Part a table into features and target."""
        return Rows(table[list(self.features)], table[self.target])

    def groups(self, tables: Sequence[pd.DataFrame]) -> pd.DataFrame | None:
        """Return the entity's columns of the tables, one after the other; None where each row stands alone."""
        return pd.concat([table[list(self.entity)] for table in tables], ignore_index=True) if self.entity else None


@dataclass(frozen=True, slots=True)
class SplitTables:
    """All roles: what is written once, and read by nobody as a whole."""

    facts: SplitFacts
    tables: Mapping[Role, pd.DataFrame]


@dataclass(frozen=True, slots=True)
class SearchRows:
    """What a search may see: there is no test and no holdout row in it.

    Attributes:
        facts: What is known of the split.
        train, validation: The rows.
        groups: Shape (train + validation rows, columns of the entity): what each row belongs to, train first; None
            where each stands alone. A search keeps rows together by it, and never learns from it.
    """

    facts: SplitFacts
    train: RowSource
    validation: RowSource
    groups: pd.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """What the final training may see: test rows to be judged on, and still no holdout.

    Attributes:
        facts: What is known of the split.
        train, validation, test: The rows.
        segments: Shape (test rows, columns): by whose values the model is judged, None for the whole alone.
    """

    facts: SplitFacts
    train: RowSource
    validation: RowSource
    test: RowSource
    segments: pd.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class HoldoutRows:
    """The rows that only a person opens, deliberately: no asset and no check asks for them."""

    facts: SplitFacts
    holdout: RowSource
