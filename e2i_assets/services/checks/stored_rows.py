"""Which row of the dataset each stored row of a split is, though the stored rows carry no key."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from e2i_assets.core.data.dataset import Dataset
from e2i_assets.core.data.splits import Role, entity_keys


@dataclass(frozen=True, slots=True)
class StoredRows:
    """The stored rows of all roles.

    Attributes:
        known: A line for each row that is one of the dataset: its ``role``, ``entity``, the role ``assigned`` to the
            entity (missing without one) and, with a time column, its ``time``.
        foreign: By role, how many rows are none of the dataset's.
    """

    known: pd.DataFrame
    foreign: Mapping[str, int]


def stored_rows(data: Dataset, tables: Mapping[Role, pd.DataFrame], assigned: Mapping[str, Role]) -> StoredRows:
    """Recognise rows by their content; of rows that are alike, first by the role that their entity was assigned."""
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
    return StoredRows(known, {str(role): int(count) for role, count in foreign.items()})


def _hashes(frame: pd.DataFrame) -> "pd.Series[int]":
    return pd.util.hash_pandas_object(frame, index=False).reset_index(drop=True)
