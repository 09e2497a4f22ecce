"""Times are ordered as instants and have the same content on every read; an invalid cell is named."""

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from e2i_assets.core.data.dataset import Dataset, dataset_of
from e2i_assets.core.data.split_rules import violations
from e2i_assets.core.data.splits import assign, entity_keys
from e2i_assets.core.data.time_windows import kept
from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.experiments.file import experiment_from

ROWS = 400
# The hour before daylight saving time starts in Berlin, every three minutes, and the hour before it ends.
SPRING, AUTUMN = "2026-03-28T21:00Z", "2026-10-24T21:00Z"


def moments(start: str = SPRING) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.date_range(start, periods=ROWS, freq="3min"))


def made(times: Any) -> Dataset:
    draws = np.random.default_rng(0)
    frame = pd.DataFrame({"age": draws.normal(50, 9, ROWS), "order": np.arange(ROWS) * 1.0, "at": times})
    frame["cost"] = frame["age"] + draws.normal(0, 9, ROWS)
    raw = {
        "name": "times", "owner": "team:tests", "source": {"csv": "a.csv"}, "target": "cost", "algorithm": "Ridge",
        "problem_type": "regression", "columns": {"time": "at", "numeric": ["order"]},
    }  # fmt: skip
    return dataset_of(frame.sample(frac=1, random_state=1).reset_index(drop=True), experiment_from(raw, "x"))


def in_order(data: Dataset) -> bool:
    """Return whether sorting by time gives the order of the instants, and a split by time keeps it."""
    ordered = data.frame.sort_values("at", kind="stable")["order"].is_monotonic_increasing
    split = assign(entity_keys(data.frame, None, []), "time", 1, times=data.frame["at"])
    assert violations(split, data.frame["at"]) == []
    assert split.windows is not None
    again = kept(split.windows.as_document(), 0)
    assert np.array_equal(again.places(data.frame["at"]), split.windows.places(data.frame["at"]))
    first = data.frame["order"].groupby(split.roles).agg(["min", "max"]).loc[["train", "validation", "test", "holdout"]]
    return bool(ordered and (first["max"].iloc[:-1].to_numpy() < first["min"].iloc[1:].to_numpy()).all())


def offsets(times: pd.DatetimeIndex) -> list[str]:
    return [one.isoformat() for one in times.tz_convert("Europe/Berlin")]


FORMS = {
    "text with offsets": offsets,
    "text in UTC": lambda times: [one.strftime("%Y-%m-%d %H:%M:%SZ") for one in times],
    "text with the offset of another zone": lambda times: [one.isoformat() for one in times.tz_convert("Asia/Kolkata")],
    "a column with a zone": lambda times: times.tz_convert("Europe/Berlin"),
    "a column with another zone": lambda times: times.tz_convert("America/New_York"),
    "cells of a server with summer time": lambda times: [
        one.to_pydatetime() for one in times.tz_convert("Europe/Berlin")
    ],
    "cells with fixed offsets": lambda times: [
        one.to_pydatetime().astimezone(datetime.timezone(one.utcoffset() or datetime.timedelta()))
        for one in times.tz_convert("Europe/Berlin")
    ],
}


@pytest.mark.parametrize("start", [SPRING, AUTUMN])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_same_instants_have_the_same_order_and_hash_in_every_form(form: Any, start: str) -> None:
    cells = pd.Series(list(form(moments(start))), dtype=object) if form is not FORMS["a column with a zone"] else None
    data = made(form(moments(start)) if cells is None else cells)
    assert in_order(data)
    assert data.data_hash == made(offsets(moments(start))).data_hash


@pytest.mark.parametrize(
    "cells",
    [
        [f"{9999 - row}-12-31" for row in range(ROWS)][::-1],
        [datetime.date(9999 - row, 12, 31) for row in range(ROWS)][::-1],
        [datetime.datetime(9999 - row, 12, 31, tzinfo=datetime.UTC) for row in range(ROWS)][::-1],
        [f"{1 + row:04d}-01-01T00:00:00" for row in range(ROWS)],
        [*(f"2026-01-01T00:00:00.{row:06d}" for row in range(ROWS - 1)), "9999-12-31T23:59:59.999999"],
        1_700_000_000_000_000_000 + np.arange(ROWS),
    ],
)
def test_all_calendar_years_and_nanoseconds_are_valid_times(cells: Any) -> None:
    assert in_order(made(cells))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("infinity", "is missing or not a date in 1 rows ('infinity')"),
        ("-infinity", "('-infinity')"),
        ("0044-03-15 BC", "('0044-03-15 BC')"),
        ("2026-02-30T00:00:00Z", "('2026-02-30T00:00:00Z')"),
        ("+12026-01-01T00:00:00Z", "('+12026-01-01T00:00:00Z')"),
        (None, "is missing or not a date in 1 rows: write"),
        ("2026-03-29T02:30:00", "has no UTC offset in 1 rows ('2026-03-29T02:30:00'), but has one in others"),
    ],
)
def test_a_cell_that_is_not_an_instant_is_named(cell: str | None, message: str) -> None:
    cells: list[str | None] = [*offsets(moments())]
    cells[7] = cell
    with pytest.raises(DataInvalid) as caught:
        made(cells)
    assert message in str(caught.value)


def test_times_without_a_zone_stay_unchanged() -> None:
    data = made([one.strftime("%Y-%m-%d %H:%M") for one in moments()])
    assert str(data.frame["at"].dtype) == "datetime64[ns]"
    assert in_order(data)
