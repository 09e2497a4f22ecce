"""Fuzz targets for values that must not be rounded: keys in all types, instants in all forms, and the scale of numbers."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import fuzz_values as values
import numpy as np
import pandas as pd
from hypothesis import strategies as st

from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.data.instants import instants
from e2i_assets.core.data.keys import LONGEST_KEY, exact, row_keys, without_zero_bytes
from e2i_assets.core.data.split_targets import target_violations
from e2i_assets.core.data.splits import assign, entity_keys
from e2i_assets.core.data.time_column import time_violations, times_of
from e2i_assets.core.fitting.fit_context import Rows, fit_context, merged

_WHOLE = st.integers(-(10**40), 10**40)
_CELLS = st.one_of(
    values.texts,
    _WHOLE,
    _WHOLE.map(Decimal),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30),
    st.floats(allow_nan=False),
    st.booleans(),
    st.dates(),
    st.datetimes(timezones=st.none() | st.timezones()),
)
KEYS = st.tuples(st.lists(_CELLS | st.none(), min_size=1, max_size=8), st.lists(st.integers(0, 2**53 - 1), min_size=1))


def keyed(case: tuple[list[Any], list[int]], folder: Path) -> None:
    """PostgreSQL accepts every key, different texts have different keys, and an integer has one key in every type."""
    cells, numbers = case
    column = without_zero_bytes(exact(pd.Series(cells, dtype=object)))
    found = row_keys(column.to_frame("a"), ["a"])
    assert all("\0" not in one and len(one.encode()) <= LONGEST_KEY for one in found)
    texts = [one for one in cells if isinstance(one, str)]
    alone = row_keys(pd.DataFrame({"a": pd.Series(texts, dtype=object)}), ["a"])
    assert alone.nunique() == len(set(texts))
    forms = [numbers, [float(one) for one in numbers], [Decimal(one) for one in numbers], [str(one) for one in numbers]]
    assert len({tuple(row_keys(exact(pd.Series(form)).to_frame("a"), ["a"])) for form in forms}) == 1
    pairs = pd.DataFrame({"a": found, "b": found[::-1].to_numpy()})
    assert row_keys(pairs, ["a", "b"]).nunique() == len(pairs.drop_duplicates())


TIMES = st.lists(
    st.one_of(
        st.datetimes(timezones=st.timezones()),
        st.datetimes(timezones=st.timezones()).map(datetime.isoformat),
        st.datetimes(),
        st.sampled_from(
            ["infinity", "-infinity", "9999-12-31", "0044-03-15 BC", "2026-02-30", "24:00", "20260131T00Z"]
        ),
        values.texts,
        st.none(),
    ),
    min_size=1,
    max_size=8,
)


def timed(cells: list[Any], folder: Path) -> None:
    """Each cell is an instant in the correct order, or is named in the error."""
    column = pd.Series(cells, dtype=object)
    times = times_of(column)
    lost = times.isna()
    assert bool(list(time_violations("at", column, times))) == bool(lost.any())
    zoned = [at for at, cell in enumerate(cells) if isinstance(cell, datetime) and cell.tzinfo and not lost[at]]
    if pd.api.types.is_datetime64_any_dtype(times.dtype) and times.dt.tz is not None:
        shifted = [(cells[at], times[at]) for at in zoned]
        assert all((one[0] < other[0]) == (one[1] < other[1]) for one in shifted for other in shifted)
        assert instants(times.dt.tz_convert("Asia/Tokyo")).equals(times)


NAMES = [name for name in registry.installed() if "regression" in registry.algorithm(name).problem_types]
SCALES = st.tuples(st.sampled_from(NAMES), st.integers(-120, 120), st.integers(-140, 250), st.integers(-3, 9))


def scaled(case: tuple[str, int, int, int], folder: Path) -> None:
    """A model of scaled rows is as good as a model of unscaled rows."""
    name, of_target, of_feature, away = case
    draws = np.random.default_rng(0)
    x = pd.DataFrame(draws.normal(size=(160, 2)), columns=["a", "b"])
    y = 2 * x["a"] + np.abs(x["b"])
    errors = []
    for features, target in ((x, y), (x * 10.0**of_feature, (y + 10.0**away) * 10.0**of_target)):
        algorithm = registry.algorithm(name)
        rows = Rows(features[:120], target[:120]), Rows(features[120:], target[120:])
        prepared = fit_context(algorithm, Task("regression"), *rows, ())
        few = {"n_estimators": 20} if "n_estimators" in algorithm.default_values else {}
        fit = prepared.fit(merged(algorithm.default_values, few, algorithm.fixed_values))
        difference = (prepared.on_validation(fit).labels - prepared.y_validation) / target.std()
        errors.append(float(np.sqrt(np.mean(difference**2))))
    assert abs(errors[0] - errors[1]) < 0.1, errors


SPLITS = st.tuples(
    st.lists(st.sampled_from(["a", "b", "c"]) | st.floats(-1e9, 1e9), min_size=1, max_size=120),
    st.booleans(),
    st.booleans(),
)


def judged(case: tuple[list[Any], bool, bool], folder: Path) -> None:
    """Any target of a split is accepted if each split has two classes or values, else rejected with a message."""
    cells, by_time, classes = case
    target = pd.Series([str(one) if classes else float(len(str(one))) for one in cells])
    frame = pd.DataFrame({"at": np.arange(len(target))})
    split = assign(
        entity_keys(frame, None, []), "time" if by_time else "random", 1, times=frame["at"] if by_time else None
    )
    labels = tuple(sorted(set(target))) if classes else ()
    found = list(target_violations(split, target, labels, ["roc_auc"]))
    "\n".join(map(str, found)).encode("utf-8", "backslashreplace")
    for role in ("train", "validation", "test"):
        values_of = target[split.roles == role]
        assert values_of.empty or values_of.nunique() > 1 or role in {one.where for one in found}
