"""Parquet files and folders: column names without nesting, one table from many files, and no unfinished files."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from e2i_assets.adapters.sources.datasets import load
from e2i_assets.adapters.sources.fingerprints import Fingerprints
from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.experiments.source_section import Source

TABLE = pd.DataFrame(
    {"age": [41, 52, 63, 30], "city": ["Ulm", "Bern", "Ulm", "Bern"], "year": [2024, 2025, 2024, 2025]}
)
SOURCE = Source(parquet="rows")


def read(folder: Path) -> pd.DataFrame:
    return load(SOURCE, folder, {})


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ([("p", "age"), ("p", "cost")], ["age", "cost"]),
        ([("sum", "age"), ("mean", "age")], ["sum_age", "mean_age"]),
        ([("age", ""), ("cost", "sum")], ["age", "cost_sum"]),
        ([("x", "p", "age"), ("y", "p", "age")], ["x_p_age", "y_p_age"]),
        ([("a", 1), ("a", 2)], ["1", "2"]),
    ],
)
def test_levels_of_names_become_one(tmp_path: Path, columns: list[tuple[object, ...]], names: list[str]) -> None:
    pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples(columns)).to_parquet(tmp_path / "rows")
    assert list(read(tmp_path)) == names


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a", "a"], "has more than one column 'a': rename them"),
        (["é", "e\u0301"], "has more than one column 'é'"),
        (["a", " "], "has a column without a name (number 2)"),
    ],
)
def test_names_that_no_file_can_tell_apart_are_refused(tmp_path: Path, names: list[str], expected: str) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=names), tmp_path / "rows")
    with pytest.raises(DataInvalid) as caught:
        read(tmp_path)
    assert expected in str(caught.value)


def test_letters_are_composed_in_names_and_cells(tmp_path: Path) -> None:
    pd.DataFrame({"Gro\u0308ße": ["Zu\u0308rich", "Zürich", None]}).to_parquet(tmp_path / "rows")
    frame = read(tmp_path)
    assert (list(frame), frame["Größe"].nunique(), frame["Größe"].isna().sum()) == (["Größe"], 1, 1)


def test_a_partitioned_folder_is_one_table(tmp_path: Path) -> None:
    TABLE.to_parquet(tmp_path / "rows", partition_cols=["year", "city"])
    (tmp_path / "rows" / "_SUCCESS").touch()
    (tmp_path / "rows" / ".crc").touch()
    frame = read(tmp_path)
    assert set(frame) == {"age", "year", "city"}
    assert sorted(frame[["age", "city", "year"]].itertuples(index=False)) == sorted(TABLE.itertuples(index=False))


def test_a_folder_of_parts_is_one_table_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    TABLE[:1].to_parquet(tmp_path / "rows" / "part-0.parquet")
    TABLE[1:].astype({"age": "float64"}).to_parquet(tmp_path / "rows" / "part-1.parquet")
    assert read(tmp_path)["age"].tolist() == [41.0, 52.0, 63.0, 30.0]


def test_a_file_in_a_folder_named_like_a_partition_has_no_such_column(tmp_path: Path) -> None:
    (tmp_path / "month=3").mkdir()
    TABLE.to_parquet(tmp_path / "month=3" / "rows.parquet")
    assert list(load(Source(parquet="month=3/rows.parquet"), tmp_path, {})) == list(TABLE)


def test_a_folder_that_is_no_table_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    for make, expected in (
        (lambda: None, "is a folder without Parquet files"),
        (lambda: TABLE.to_parquet(folder / "a.parquet"), None),
        (lambda: TABLE.drop(columns="age").to_parquet(folder / "b.parquet"), "has files of different columns: 'age'"),
        (lambda: TABLE.assign(age="x").to_parquet(folder / "b.parquet"), "columns have different types"),
        (lambda: (folder / "b.parquet").write_text("a,b"), "is not Parquet that we can read"),
        (lambda: (folder / "b.parquet").write_text(""), "has the empty file b.parquet"),
        (lambda: (folder / "b.parquet").rename(folder / "b.csv"), "is a folder with b.csv, which is no Parquet file"),
        (lambda: (folder / "_temporary").mkdir(), "is being written, since it has a folder _temporary"),
    ):
        make()
        if expected is None:
            assert len(read(tmp_path)) == len(TABLE)
            continue
        with pytest.raises(DataInvalid) as caught:
            read(tmp_path)
        assert expected in str(caught.value) or "b.csv" in str(caught.value)


def test_a_folder_leads_nowhere_else_and_brings_no_more_than_allowed(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "rows").mkdir(parents=True)
    TABLE.to_parquet(tmp_path / "outside.parquet")
    TABLE.to_parquet(project / "rows" / "a.parquet")
    with pytest.raises(DataInvalid, match="raise E2I_SOURCE_ROWS"):
        load(SOURCE, project, {"E2I_SOURCE_ROWS": "3"})
    (project / "rows" / "b.parquet").symlink_to(tmp_path / "outside.parquet")
    with pytest.raises(DataInvalid, match="is outside the project folder"):
        read(project)


def test_the_fingerprint_of_a_folder_follows_its_files_and_their_places(tmp_path: Path) -> None:
    TABLE.to_parquet(tmp_path / "rows", partition_cols=["year"])
    prints = Fingerprints(tmp_path, {})
    first = prints.fingerprint(SOURCE)
    assert prints.fingerprint(SOURCE) == first
    (tmp_path / "rows" / "year=2024").rename(tmp_path / "rows" / "year=2023")
    assert prints.fingerprint(SOURCE) != first
