"""Features that contain the target of another row, such as the previous or next outcome of the same patient.

Rows are compared in the order of group and time, or of the table without both. Renamed, scaled or relabelled copies are
detected too, because only the relation between the values and the target matters.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from e2i_assets.core.data.column_types import is_number
from e2i_assets.core.data.dataset import Dataset
from e2i_assets.core.errors import Violation
from e2i_assets.core.fitting.date_parts import is_date
from e2i_assets.core.metrics import Array

SHIFTS = (1, 2, 3, 7, 12)
# The maximum share of rows in which a copy may differ, for example first rows, which have no row before and are filled.
WRONG = 0.01
MINIMUM_ROWS = 100
# The number of rows of the sample that is tested before all rows.
_SAMPLE = 2000
_MANY_VALUES = 10
_ROWS_PER_VALUE = 20
_BETTER_THAN_CHANCE = 0.1


def violations(data: Dataset, accepted: Mapping[str, str]) -> Iterator[Violation]:
    """Find features that contain the target of an earlier or later row, with the share of rows and examples.

    Args:
        data: The typed table.
        accepted: The names of accepted features, each with the reason.
    """
    frame = _in_order(data)
    codes, distinct = pd.factorize(frame[data.target])
    classes = bool(data.classes) or len(distinct) <= _MANY_VALUES
    target = codes if classes else frame[data.target].to_numpy()
    # A date contains no target, and in rows that are ordered by time it rises with every trend of the target.
    tested = [name for name in data.features if name not in accepted and not is_date(frame[name])]
    columns = {name: _numbers(frame[name]) for name in tested}
    for shift in [step for size in SHIFTS for step in (size, -size)]:
        rows, partners = _pairs(frame, data.group, shift)
        if len(rows) < MINIMUM_ROWS:
            continue
        sample = slice(None, None, max(len(rows) // _SAMPLE, 1))
        for name in list(columns):
            for part in (sample, slice(None)):
                there, back = rows[part], partners[part]
                wrong = _wrong(columns[name][there], target[back], classes)
                if wrong is None or wrong > WRONG:
                    break
            else:
                del columns[name]
                yield Violation("columns", name, _sentence(data, frame[name], rows, partners, shift, wrong))


def _in_order(data: Dataset) -> pd.DataFrame:
    by = [name for name in (data.group, data.time) if name]
    return data.frame.sort_values(by, kind="stable") if by else data.frame


def _pairs(frame: pd.DataFrame, group: str | None, shift: int) -> tuple[Array, Array]:
    """Return the positions of rows, and of the rows whose target they may contain: ``shift`` rows earlier."""
    here = np.arange(max(shift, 0), len(frame) + min(shift, 0))
    there = here - shift
    if group:
        keys = pd.factorize(frame[group])[0]
        same = keys[here] == keys[there]
        here, there = here[same], there[same]
    return here, there


def _numbers(column: pd.Series) -> Array:
    if is_number(column):
        numbers: Array = column.to_numpy(dtype=np.float64)
        return numbers
    codes: Array = np.where(column.isna(), np.nan, pd.factorize(column)[0].astype(np.float64))
    return codes


def _wrong(column: Array, target: Array, classes: bool) -> float | None:
    """Return the share of rows that contradict a copy, or None if there are too few values."""
    present = ~np.isnan(column)
    if present.sum() < MINIMUM_ROWS or present.mean() < 0.5:
        return None
    column, target = column[present], target[present]
    return _wrong_classes(column, target) if classes else _wrong_order(column, target.astype(np.float64))


def _wrong_classes(column: Array, target: Array) -> float | None:
    """Return the share of rows that are not in the most frequent class of their value."""
    values, codes = np.unique(column, return_inverse=True)
    if not 2 <= len(values) <= len(column) / _ROWS_PER_VALUE:
        return None
    table = np.zeros((len(values), int(target.max()) + 1))
    np.add.at(table, (codes, target), 1)
    wrong = 1 - table.max(axis=1).sum() / len(column)
    always = 1 - table.sum(axis=0).max() / len(column)
    # If one class has nearly all rows, every column agrees with the target in nearly all rows.
    return float(wrong) if wrong <= _BETTER_THAN_CHANCE * always else None


def _wrong_order(column: Array, target: Array) -> float | None:
    """Return the share of steps, in the order of the target, at which the column contradicts a monotonic relation."""
    if len(np.unique(column[: 50 * _MANY_VALUES])) <= _MANY_VALUES:
        return None
    order = np.argsort(target, kind="stable")
    steps, ties = np.diff(column[order]), np.diff(target[order]) == 0
    against = [(steps < 0) | (ties & (steps != 0)), (steps > 0) | (ties & (steps != 0))]
    return min(float(one.mean()) for one in against)


def _sentence(data: Dataset, column: pd.Series, rows: Array, partners: Array, shift: int, wrong: float | None) -> str:
    target = data.frame[data.target].loc[column.index]
    shown = zip(rows[:3], partners[:3], strict=True)
    pairs = ", ".join(f"{_short(column.iloc[at])} beside {_short(target.iloc[back])}" for at, back in shown)
    where = " and ".join(filter(None, (data.group, data.time))) or "position in the table"
    which = f"{abs(shift)} {'row' if abs(shift) == 1 else 'rows'} {'before' if shift > 0 else 'after'}"
    agree = f"in {1 - (wrong or 0):.1%} of {len(rows)} rows, for example {pairs}"
    return (
        f"matches the target {which} it, ordered by {where} ({agree}): drop it under columns.drop, "
        "or give under leakage.accepted the reason why it is known in time"
    )


def _short(cell: object) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)
