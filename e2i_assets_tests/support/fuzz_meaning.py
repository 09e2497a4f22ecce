"""Fuzz targets for rows that must be read as they are meant, or refused: each case knows what its file means."""

import bz2
import csv
import gzip
import io
import lzma
import unicodedata
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import fuzz_values as values
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from e2i_assets.adapters.sources import datasets
from e2i_assets.core.data.dataset import dataset_of
from e2i_assets.core.data.missing_words import WORDS
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.experiments.source_section import Source

Draw = Callable[..., Any]
_DELIMITERS = [",", ";", "\t", "|"]
_WORD = st.text("abcdefgh0123456789", min_size=1, max_size=6)


def _experiment(source: dict[str, Any], **changes: Any) -> Experiment:
    raw = {
        "name": "e", "owner": "team:t", "source": source, "target": "y",
        "problem_type": "binary_classification", "algorithm": "XGBoost", **changes,
    }  # fmt: skip
    return experiment_from(raw, "e")


def _read(content: bytes, folder: Path, **keys: Any) -> pd.DataFrame:
    (folder / "rows.csv").write_bytes(content)
    return datasets.load(_experiment({"csv": {"path": "rows.csv", **keys}}).source, folder, {})


def _text(rows: list[list[str]], delimiter: str = ",", ending: str = "\n", quoting: Any = csv.QUOTE_MINIMAL) -> str:
    made = io.StringIO()
    csv.writer(made, delimiter=delimiter, lineterminator=ending, quoting=quoting).writerows(rows)
    return made.getvalue()


# 1. Row shape: one row has another length than the header, or a quotation mark that is not closed.
@st.composite
def misshapen(draw: Draw) -> tuple[list[list[str]], str, str, int]:
    width = draw(st.integers(2, 5))
    rows = [[f"n{place}" for place in range(width)]]
    rows += draw(st.lists(st.lists(_WORD, min_size=width, max_size=width), min_size=1, max_size=40))
    how = draw(st.sampled_from(["nothing", "longer", "shorter", "open quote", "cut"]))
    return rows, draw(st.sampled_from(_DELIMITERS)), how, draw(st.integers(1, len(rows) - 1))


def shaped(case: tuple[list[list[str]], str, str, int], folder: Path) -> None:
    """A file with a row of another length is refused, and one without has all its cells in place."""
    rows, delimiter, how, place = case
    changed = [list(row) for row in rows]
    if how == "longer":
        changed[place].insert(place % (len(rows[0]) + 1), "more")
    elif how == "shorter":
        changed[place].pop()
    elif how == "open quote":
        changed[place][0] = '"' + changed[place][0]
    lines = [delimiter.join(row) for row in changed]
    if how == "cut":
        lines = [*lines[:-1], lines[-1][: lines[-1].rfind(delimiter)]]
    content = ("\n".join(lines) + "\n").encode()
    try:
        found = _read(content, folder)
    except E2iError:
        assert how != "nothing", content
        raise
    assert how == "nothing", content
    assert list(found.columns) == rows[0]
    for position, name in enumerate(rows[0]):
        assert _same(found[name], [row[position] for row in rows[1:]]), name


def _same(column: pd.Series, cells: list[str]) -> bool:
    """Return whether a column has these texts, or the numbers that they are."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.tolist() == [float(cell) for cell in cells]
    return [str(cell) for cell in column] == cells


# 2. Dialect: texts with any character, written by the csv module in some dialect, with or without the keys for it.
@st.composite
def dialects(draw: Draw) -> tuple[list[list[str]], bytes, dict[str, Any]]:
    width = draw(st.integers(2, 4))
    character = st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"])
    cell = st.text(st.sampled_from(",;\t|\"' \näß€.x") | character, max_size=8).map(lambda text: f"k{text}k")
    name = draw(st.sampled_from([st.text("abcdef", min_size=1, max_size=4), cell]))
    rows = [draw(st.lists(name, min_size=width, max_size=width, unique=True))]
    rows += draw(st.lists(st.lists(cell, min_size=width, max_size=width), min_size=1, max_size=12))
    delimiter, ending = draw(st.sampled_from(_DELIMITERS)), draw(st.sampled_from(["\n", "\r\n"]))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
    text = _text(rows, delimiter, ending, quoting)
    keys: dict[str, Any] = {"delimiter": delimiter} if draw(st.booleans()) else {}
    above = draw(st.sampled_from(["", "", f"sep={delimiter}{ending}", f"A title{ending}{ending}"]))
    if above.startswith("A"):
        keys["skip_rows"] = 2
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"]))
    if encoding == "cp1252":
        keys["encoding"] = "cp1252"
    try:
        content = (above + text).encode(encoding)
    except UnicodeEncodeError:
        content = (above + text).encode()
        keys.pop("encoding", None)
    packed = draw(st.sampled_from([bytes, bytes, gzip.compress, bz2.compress, lzma.compress]))
    return rows, packed(content), keys


def undone(case: tuple[list[list[str]], bytes, dict[str, Any]], folder: Path) -> None:
    """A written table is read with the same names and cells, or refused."""
    rows, content, keys = case
    found = _read(content, folder, **keys)
    plain = [[unicodedata.normalize("NFC", cell) for cell in row] for row in rows]
    assert list(found.columns) == [name.strip() for name in plain[0]]
    for position, name in enumerate(found.columns):
        assert found[name].tolist() == [row[position] for row in plain[1:]]


# 3. Words for nothing: classes, declared categories and other columns of such words.
WORDED = st.tuples(
    st.lists(st.sampled_from([*WORDS, "", "yes", "no", "unknown", "-", "?", "missing"]), min_size=6, max_size=60),
    st.lists(st.sampled_from(["None", "NA", "", "p", "q", "null"]), min_size=60, max_size=60),
    st.none() | st.lists(st.sampled_from(["NA", "None", "?", "-"]), max_size=2, unique=True),
)


def worded(case: tuple[list[str], list[str], list[str] | None], folder: Path) -> None:
    """A word is a class unless the experiment says that it means nothing; every row is kept or counted."""
    labels, codes, declared = case
    rows = [[label, code, str(number % 7)] for number, (label, code) in enumerate(zip(labels, codes, strict=False))]
    (folder / "rows.csv").write_text(_text([["y", "c", "x"], *rows]), encoding="utf-8")
    columns: dict[str, Any] = {"categorical": ["c"]} | ({} if declared is None else {"missing": {"y": declared}})
    kind = "binary" if len(set(labels) - {"", *(declared or ())}) == 2 else "multiclass"
    asked = _experiment({"csv": "rows.csv"}, problem_type=f"{kind}_classification", columns=columns)
    made = dataset_of(datasets.load(asked.source, folder, {}), asked)
    kept = [row for row in rows if row[0] not in ("", *(declared or ()))]
    assert made.rows_without_target == len(rows) - len(kept)
    assert Counter(made.frame["y"]) == Counter(row[0] for row in kept)
    if "c" in made.features:
        assert Counter(made.frame["c"].dropna()) == Counter(row[1] for row in kept if row[1])


# 4. Numbers as text: all numbers of a file in the form of one country, with a unit or none.
FORMS = [(".", ""), (".", ","), (",", ""), (",", "."), (",", " "), (".", "'"), (".", " ")]
NUMBERS = st.tuples(
    st.sampled_from([(1000, 10**6), (0, 10**6), (-(10**9), 10**9)]).flatmap(
        lambda ends: st.lists(st.integers(*ends), min_size=12, max_size=80, unique=True)
    ),
    st.integers(0, 3),
    st.sampled_from(FORMS),
    st.sampled_from(["{}", "{}", "{}", "$ {}", "€{}", "{} €", "{} %", "{} kg", "USD {}"]),
    st.booleans(),
)


def numbered(case: tuple[list[int], int, tuple[str, str], str, bool], folder: Path) -> None:
    """Numbers in any form are read as exactly these numbers, or refused; they are never text."""
    numbers, digits, (decimal, thousands), unit, declared = case
    meant = [number / 10**digits for number in numbers]
    signs = str.maketrans({",": thousands, ".": decimal})
    written = [unit.format(f"{number:,.{digits}f}".translate(signs)) for number in meant]
    rows = [["y", "n"], *([f"{'ab'[place % 2]}", cell] for place, cell in enumerate(written))]
    # Without a key and without fractions, 1.234 is read as every program reads it.
    declared = declared or (thousands == "." and not digits)
    keys: dict[str, Any] = {"decimal": decimal} if declared else {}
    if declared and thousands:
        keys["thousands"] = thousands
    (folder / "rows.csv").write_text(_text(rows, "\t"), encoding="utf-8")
    asked = _experiment({"csv": {"path": "rows.csv", "delimiter": "\t", **keys}})
    found = dataset_of(datasets.load(asked.source, folder, {}), asked).frame
    assert found["n"].tolist() == [float(f"{number:.{digits}f}") for number in meant], written[:5]


# 5. Identity: the same keys in columns of several types, in two Parquet files.
DELIVERED = st.tuples(
    st.lists(st.integers(0, 2**53), min_size=12, max_size=40),
    st.sampled_from(["int64", "uint64", "double", "string", "decimal", "category"]),
    st.sampled_from(["int64", "uint64", "double", "string", "decimal", "category"]),
)


def delivered(case: tuple[list[int], str, str], folder: Path) -> None:
    """Groups, ids and declared categories are the same in two deliveries, or one delivery is refused."""
    numbers, first, second = case
    asked = _experiment({"parquet": "rows.parquet"}, columns={"group": "g", "id": ["i"], "categorical": ["c"]})
    found = []
    for kind in (first, second):
        column = _of_kind(numbers, kind)
        table = {"y": pa.array(["a", "b"] * len(numbers)).slice(0, len(numbers)), "x": pa.array(range(len(numbers)))}
        pq.write_table(pa.table({**table, "g": column, "i": column, "c": column}), folder / "rows.parquet")
        found.append(dataset_of(datasets.load(asked.source, folder, {}), asked).frame)
    for name in {"g", "i", "c"} & set(found[0].columns):
        assert found[0][name].astype(str).tolist() == found[1][name].astype(str).tolist(), name
    assert found[0].columns.tolist() == found[1].columns.tolist()


def _of_kind(numbers: list[int], kind: str) -> Any:
    texts = [str(number) for number in numbers]
    if kind in ("string", "category"):
        return pa.array(texts) if kind == "string" else pa.array(texts).dictionary_encode()
    if kind == "decimal":
        return pa.array([Decimal(text) for text in texts], pa.decimal128(20, 0))
    return pa.array(numbers, getattr(pa, {"double": "float64"}.get(kind, kind))())


# 8. What PostgreSQL cannot hold, in names, classes, groups, segments and categories.
@st.composite
def unstorable(draw: Draw) -> tuple[dict[str, list[str]], dict[str, Any]]:
    names = draw(st.lists(values.texts, min_size=4, max_size=4, unique=True))
    pools = [draw(st.lists(values.texts, min_size=2, max_size=4, unique=True)) for _ in names]
    cells = {name: [pool[place % len(pool)] for place in range(24)] for name, pool in zip(names, pools, strict=True)}
    return cells, {"target": names[0], "columns": {"group": names[1], "id": [names[2]]}, "segments": [names[3]]}


def stored(case: tuple[dict[str, list[str]], dict[str, Any]], folder: Path) -> None:
    """Every text of an accepted table can be stored in PostgreSQL."""
    cells, changes = case
    kind = "binary" if len(set(cells[changes["target"]])) == 2 else "multiclass"
    asked = _experiment({"parquet": "rows.parquet"}, problem_type=f"{kind}_classification", **changes)
    made = dataset_of(pd.DataFrame({"x": range(24), **cells}), asked)
    for name, column in made.frame.items():
        for text in (str(name), *made.classes, *(cell for cell in column if isinstance(cell, str))):
            assert "\0" not in text.encode().decode(), name


# 13. Names and containers: columns with names of one or two levels, in a Parquet file.
NAMED = st.lists(
    st.sampled_from(["a", "a ", "Zu\u0308rich", "Z\u00fcrich", "", " ", "b", "B"]) | values.texts | st.integers(0, 3),
    min_size=1,
    max_size=5,
) | st.lists(st.tuples(st.sampled_from(["a", "b", ""]), st.sampled_from(["x", "y", "", "a_x"])), min_size=1, max_size=4)


def named(names: list[Any], folder: Path) -> None:
    """Each column is read under a name of its own, in composed letters, with its cells; or the file is refused."""
    frame = pd.DataFrame(np.arange(len(names) * 3).reshape(3, -1))
    several = isinstance(names[0], tuple)
    frame.columns = pd.MultiIndex.from_tuples(names) if several else pd.Index(map(str, names), dtype=object)
    try:
        frame.to_parquet(folder / "rows.parquet")
    except (pa.ArrowException, ValueError, UnicodeError, TypeError):
        return
    found = datasets.load(Source(parquet="rows.parquet"), folder, {})
    assert found.to_numpy().tolist() == frame.to_numpy().tolist()
    assert len(set(found.columns)) == len(names)
    assert all(name.strip() and unicodedata.is_normalized("NFC", name) for name in found.columns)
