"""What each column of a table contains and what it is used for, without the values of single persons.

A profile is shown in Dagster, in the report and in MLflow. A column that is not a feature, target or time therefore
shows only the shape of a value (``p017`` as ``a999``) and no range, and any other column shows a value only if several
persons have it, and never an e-mail address or a telephone number.
"""

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from e2i_assets.core.data.column_types import is_number, plain
from e2i_assets.core.data.identifiers import contact_of
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.figures import shortened
from e2i_assets.core.fitting.date_parts import is_date

# This many rows, or groups where a group is declared, must have a value before a profile shows it.
SHOWN_FROM = 5
_SAMPLE = 10_000
_LONGEST = 24
_EXACT = 2.0**53


class ColumnProfile(BaseModel):
    """One column.

    Attributes:
        column: The name.
        type: ``whole number``, ``number``, ``date``, ``time``, ``text`` or ``empty``.
        missing: The number of rows without a value.
        distinct: The number of different values.
        range: The smallest and the largest number or date; empty for text and for columns that are not used.
        example: A value that at least `SHOWN_FROM` rows or groups have, else the shape of a value.
        use: What was done with the column: its role, or why it is left out.
    """

    model_config = ConfigDict(frozen=True)

    column: str
    type: str
    missing: int
    distinct: int
    range: str
    example: str
    use: str


def column_profiles(
    table: pd.DataFrame, used: Mapping[str, pd.Series], uses: Mapping[str, str], group: pd.Series | None
) -> tuple[ColumnProfile, ...]:
    """Return the profile of each column, in the order of the table; columns that were made from others come last.

    Args:
        table: The columns of the source.
        used: The features, the target and the time as the model gets them.
        uses: What is done with each column.
        group: The group of each row, None if no group is declared.
    """
    names = [*map(str, table.columns), *(name for name in used if name not in table.columns)]
    return tuple(
        profile_of(name, used[name] if name in used else table[name], uses.get(name, ""), group, name in used)
        for name in names
    )


def uses(features: Mapping[str, pd.Series], left_out: Mapping[str, str], experiment: Experiment) -> dict[str, str]:
    """Return what is done with each column: its role, ``feature`` with its kind, or why it is left out."""
    columns = experiment.columns
    found = {name: f"left out: {why}" for name, why in left_out.items()}
    found |= dict.fromkeys(columns.drop, "dropped by the experiment")
    for name, column in features.items():
        found[name] = f"feature ({'number' if is_number(column) else 'date' if is_date(column) else 'category'})"
    roles = {columns.time: "time", columns.group: "group", columns.weight: "weight", experiment.split.column: "split"}
    found |= {name: role for name, role in roles.items() if name}
    found |= {name: " and ".join(filter(None, (roles.get(name), "id"))) for name in columns.id}
    if experiment.target.bins:
        found[experiment.target.column] = f"cut into {experiment.target_name}"
    return {**found, experiment.target_name: "target"}


def with_encodings(profile: Iterable[ColumnProfile], encodings: Mapping[str, str]) -> tuple[ColumnProfile, ...]:
    """Add to the use of columns how a model reads them, such as ``feature (category): target-encoded``."""
    return tuple(
        one.model_copy(update={"use": f"{one.use}: {encodings[one.column]}"}) if one.column in encodings else one
        for one in profile
    )


def profile_of(
    name: str, cells: pd.Series, use: str = "", group: pd.Series | None = None, is_used: bool = False
) -> ColumnProfile:
    """Return the profile of one column.

    Args:
        name: The name of the column.
        cells: Shape (rows,).
        use: What is done with the column.
        group: Shape (rows,): who or what each row belongs to.
        is_used: Whether range and values may be shown.
    """
    values = cells if isinstance(cells.dtype, pd.CategoricalDtype) else plain(cells)
    present = values.dropna()
    kind = _type(present)
    return ColumnProfile(
        column=name,
        type=kind,
        missing=len(values) - len(present),
        distinct=int(present.nunique()),
        range=_range(present, kind) if is_used else "",
        example=_example(present, kind, group if is_used else None, is_used),
        use=use,
    )


def shape(text: str) -> str:
    """Return a text with ``9`` for each digit and ``a`` or ``A`` for each letter."""
    cut = shortened(text, _LONGEST)
    return "".join("9" if one.isdigit() else "A" if one.isupper() else "a" if one.isalpha() else one for one in cut)


def written(value: Any, kind: str) -> str:
    """Return a value as text: whole numbers and days without a fraction."""
    if kind == "whole number" and (isinstance(value, Integral) or abs(value) < _EXACT):
        return str(int(value))
    if kind in ("whole number", "number"):
        return f"{value:.6g}"
    return str(value).removesuffix(" 00:00:00") if kind == "date" else str(value)


def _type(present: pd.Series) -> str:
    if present.empty:
        return "empty"
    if is_date(present):
        return "date" if bool((present == present.dt.normalize()).all()) else "time"
    if not is_number(present):
        return "text"
    values = present.to_numpy()
    is_whole = values.dtype.kind == "i" or bool((np.isfinite(values) & (values == np.floor(values))).all())
    return "whole number" if is_whole else "number"


def _range(present: pd.Series, kind: str) -> str:
    if kind in ("text", "empty"):
        return ""
    return f"{written(present.min(), kind)} to {written(present.max(), kind)}"


def _example(present: pd.Series, kind: str, group: pd.Series | None, is_used: bool) -> str:
    if present.empty:
        return ""
    some = present.head(_SAMPLE)
    if is_used:
        pairs = pd.DataFrame({"value": some, "group": range(len(some)) if group is None else group[some.index]})
        counts = pairs.drop_duplicates()["value"].value_counts()
        if counts.iloc[0] >= SHOWN_FROM and contact_of(pd.Series([counts.index[0]])) is None:
            return written(counts.index[0], kind)[:_LONGEST]
    return shape(written(some.iloc[0], kind))
