"""The stored split: its row in the registry, the assignments of the entities, and the rows of each split."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from e2i_assets.adapters.stores.store import StoredDamaged
from e2i_assets.core.data.dataset import Dataset
from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.core.data.splits import ROLES, Role, entity_keys
from e2i_assets.services.checks.check import NotEvaluated, ValueDamaged, stored
from e2i_assets.services.project import Project


@dataclass(frozen=True, slots=True)
class StoredRows:
    """The stored rows of all splits.

    Attributes:
        known: One line per stored row that is in the dataset: its ``role``, ``entity``, the role ``assigned`` to
            the entity (missing without an assignment) and, with a time column, its ``time``.
        foreign: Number of rows of each split that are not in the dataset.
        written: One line per stored row whose table has its entity: its ``role``, ``entity`` and the ``assigned`` role
            (missing without an assignment).
    """

    known: pd.DataFrame
    foreign: Mapping[str, int]
    written: pd.DataFrame


def matched_rows(project: Project, name: str) -> tuple[Dataset, StoredRows]:
    """Return the dataset, and the location of each of its rows in the stored split.

    Raises:
        NotEvaluated: The split has other rows than the dataset, or is not in the registry.
        ValueDamaged: The files differ from the format of `validation_splits`.
    """
    facts: SplitFacts = stored(project, SplitFacts, "validation_splits", name)
    data: Dataset = stored(project, Dataset, "dataset", name)
    if data.data_hash != facts.data_hash:
        raise NotEvaluated(
            f"the splits of {name} are of older rows than its dataset: materialise validation_splits again"
        )
    split = project.splits.registered(name, facts.split_hash)
    if split is None:
        raise NotEvaluated(
            f"the split {facts.split_hash[:12]} of {name} is not in ml_split_registry: materialise it again"
        )
    assigned = project.splits.assignments(split["id"])
    tables = {role: _table(project, name, role) for role in ROLES}
    try:
        return data, stored_rows(data, tables, assigned)
    except KeyError as error:
        raise ValueDamaged(
            "validation_splits", f"the stored rows of {name} lack columns of its dataset: {error}"
        ) from error


def _table(project: Project, name: str, role: Role) -> pd.DataFrame:
    try:
        return pd.read_parquet(project.asset_folder("validation_splits", name) / f"{role}.parquet")
    except (ValueError, OSError, StoredDamaged) as error:
        raise ValueDamaged("validation_splits", f"the {role} rows of {name} cannot be read: {error}") from error


def row_count(project: Project, name: str, role: Role) -> int:
    """Return the number of stored rows of a split, without reading them."""
    import pyarrow.parquet

    try:
        file = project.asset_folder("validation_splits", name) / f"{role}.parquet"
        return int(pyarrow.parquet.read_metadata(file).num_rows)
    except (ValueError, OSError, StoredDamaged) as error:
        raise ValueDamaged("validation_splits", f"the {role} rows of {name} cannot be read: {error}") from error


def stored_rows(data: Dataset, tables: Mapping[Role, pd.DataFrame], assigned: Mapping[str, Role]) -> StoredRows:
    """Match rows by content. Identical rows are first matched by the split that is assigned to their entity."""
    columns = [*data.features, data.target]
    entities = entity_keys(data.frame, data.group, data.ids)
    rows = pd.DataFrame({"content": _hashes(data.frame[columns]), "role": entities.map(assigned).fillna("")})
    rows["position"] = np.arange(len(rows))
    stored = pd.concat(
        [pd.DataFrame({"content": _hashes(table[columns]), "role": role}) for role, table in tables.items()],
        ignore_index=True,
    )
    for frame in (rows, stored):
        frame["nth"] = frame.groupby(["content", "role"]).cumcount()
    found = stored.merge(rows, on=["content", "role", "nth"], how="left")
    free = rows[~rows["position"].isin(found["position"])]
    likely = pd.concat([free, rows]).drop_duplicates("content").set_index("content")["position"]
    position = found["position"].fillna(found["content"].map(likely))
    foreign = found.loc[position.isna(), "role"].value_counts()
    at = position.dropna().astype(int)
    known = pd.DataFrame({"role": found.loc[at.index, "role"], "entity": entities.iloc[at].to_numpy()})
    known["assigned"] = known["entity"].map(assigned)
    if data.time is not None:
        known["time"] = data.frame[data.time].iloc[at].to_numpy()
    written = _written(data, tables)
    written["assigned"] = written["entity"].map(assigned)
    return StoredRows(known, {str(role): int(count) for role, count in foreign.items()}, written)


def _written(data: Dataset, tables: Mapping[Role, pd.DataFrame]) -> pd.DataFrame:
    """Return the entity of each stored row; empty if rows have neither group nor id."""
    columns = [data.group] if data.group else list(data.ids)
    lines = [
        pd.DataFrame({"role": role, "entity": entity_keys(table, data.group, data.ids)})
        for role, table in tables.items()
        if columns and set(columns) <= set(table.columns)
    ]
    return pd.concat(lines, ignore_index=True) if lines else pd.DataFrame({"role": [], "entity": []})


def _hashes(frame: pd.DataFrame) -> "pd.Series[int]":
    return pd.util.hash_pandas_object(frame, index=False).reset_index(drop=True)
