"""Fuzz targets for columns whose meaning is found by their cells: dates as text, and identifiers."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from e2i_assets.core.data.dataset import Dataset, dataset_of
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.fitting.date_parts import DateFeatures, is_date, with_date_parts


def _dataset(cells: list[Any], **columns: Any) -> Dataset:
    raw = {
        "name": "e", "owner": "team:t", "source": {"csv": "rows.csv"}, "target": "y", "columns": columns,
        "problem_type": "binary_classification", "algorithm": "XGBoost",
    }  # fmt: skip
    table = pd.DataFrame({"y": ["a", "b"] * len(cells), "k": np.arange(2 * len(cells)) % 3})[: len(cells)]
    return dataset_of(table.assign(at=pd.Series(cells)), experiment_from(raw, "e"))


DATES = st.tuples(
    st.sampled_from([(date(1970, 1, 1), date(2068, 12, 31)), (date(2026, 1, 1), date(2026, 12, 31))]).flatmap(
        lambda ends: st.lists(st.dates(*ends), min_size=20, max_size=60, unique=True)
    ),
    st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d %b %Y", "%d%b%Y", "%d/%m/%y", "%Y%m%d", "%Y/%m/%d"]),
    st.sampled_from(["", "", "unknown", "31.02.2026", "0", "2026-13-01"]),
    st.booleans(),
)  # fmt: skip


def dated(case: tuple[list[date], str, str, bool], folder: Path) -> None:
    """Dates in any form are read as exactly these dates, also by a served model, or refused; they are never text."""
    days, form, word, declared = case
    texts: list[Any] = [day.strftime(form) for day in days]
    numbers = form == "%Y%m%d"
    if word and not numbers:
        texts[len(texts) // 2] = word
    cells = [int(text) for text in texts] if numbers else texts
    made = _dataset(cells, dates={"at": form} if declared or numbers else [])
    assert word == "" or numbers
    assert "at" in made.features
    assert is_date(made.frame["at"])
    assert made.frame["at"].dt.date.tolist() == days
    features = DateFeatures(parts=["year", "month", "day"], first_day="2026-01-01", has_offset=False)
    known: DateFeatures = {**features, "form": made.date_forms["at"]} if "at" in made.date_forms else features
    for served in (texts, cells, [day.isoformat() for day in days]):
        parts = with_date_parts(pd.DataFrame({"at": pd.Series(served, dtype=object)}), {"at": known})
        assert parts.to_numpy().tolist() == [[day.year, day.month, day.day] for day in days]


IDENTIFIERS = st.tuples(
    st.integers(20, 200),
    st.integers(0, 10**12),
    st.sampled_from([1, 1, 2, 5, 10]),
    st.sampled_from(["{}", "{:012d}", "P{}", "x-{:05d}", "{}/26"]),
    st.integers(0, 99),
)


def identified(case: tuple[int, int, int, str, int], folder: Path) -> None:
    """A counter in any form and order is no feature unless declared; the same rows with fractions are one."""
    rows, first, step, form, seed = case
    numbers = np.random.default_rng(seed).permutation(rows) * step + first
    cells = numbers.tolist() if form == "{}" else [form.format(one) for one in numbers.tolist()]
    made = _dataset(cells)
    assert made.left_out["at"].startswith("an identifier: nearly every row has its own value"), cells[:3]
    # Digits of one length with leading zeros are codes.
    is_code = form == "{:012d}" and 0 <= numbers.min() < 10**11 and numbers.max() < 10**12
    is_number = form in ("{}", "{:012d}") and not is_code
    key = "numeric" if is_number else "categorical"
    assert f"write columns: {{{key}: [at]}}" in made.left_out["at"]
    if form == "{}":
        assert "at" in _dataset(cells, numeric=["at"]).features
        assert "at" in _dataset((numbers % 10**6 + 0.5).tolist()).features
