import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from e2i_assets.adapters.sources.datasets import load
from e2i_assets.adapters.sources.fingerprints import Fingerprints
from e2i_assets.core.errors import DataInvalid, E2iError
from e2i_assets.core.experiments.source_section import CsvFile, Source

ROWS = pd.DataFrame({"age": [1, 2, 3], "name": ["a", "b, c", None], "share": [0.5, None, 0.25]})


def test_the_sample_is_read_without_importing_the_package_that_carries_it() -> None:
    code = (
        "import sys; from pathlib import Path; from e2i_assets.adapters.sources.datasets import load;"
        "from e2i_assets.core.experiments.source_section import Source;"
        "frame = load(Source(sample='rand_hie'), Path('/'), {}); print(frame.shape, 'statsmodels' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout == "(20190, 45) False\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_csv_file_is_read_with_any_delimiter(tmp_path: Path, delimiter: str, encoding: str) -> None:
    ROWS.to_csv(tmp_path / "rows.csv", sep=delimiter, index=False, encoding=encoding)
    pd.testing.assert_frame_equal(load(Source(csv="rows.csv"), tmp_path, {}).fillna(-1), ROWS.fillna(-1))


def test_a_parquet_file_is_read_with_its_own_index_as_columns(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    ROWS.to_parquet(tmp_path / "data" / "rows.parquet")
    ROWS.set_index("name").to_parquet(tmp_path / "data" / "indexed.parquet")
    pd.testing.assert_frame_equal(load(Source(parquet="data/rows.parquet"), tmp_path, {}), ROWS)
    assert set(load(Source(parquet="data/indexed.parquet"), tmp_path, {}).columns) == set(ROWS.columns)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "source.csv: 'rows.csv' is an empty file"),
        (b"\n \n", "source.csv: 'rows.csv' is an empty file"),
        (b"a,b\n", "source.csv: 'rows.csv' has no rows"),
        (b"just a word\nand another\n", "its first line has no two columns parted by a comma, semicolon, tab or |"),
        (b"a,b\n1,2\n3,4,5,6\n7", "is not CSV that we can read: "),
        (b'a,b\n"1,2\n', "is not CSV that we can read: "),
        (
            b"a,b\n\xff\xfe,2\n",
            "is not text in utf-8 (byte 4, line 2): write source.csv.encoding, such as cp1252 ('ÿþ,2')",
        ),
        (b"a,b\n\0,2\n", "is not CSV that we can read"),
        (b"a,b,a\n1,2,3\n", "has more than one column 'a': rename them"),
        (b"\xef\xbb\xbf", "is an empty file"),
        (b"\xef\xbb\xbf\n\n", "is an empty file"),
        (b"a," + b"b" * 200_000 + b"\n1,2\n", "is not CSV that we can read: field larger than field limit"),
    ],
)
def test_a_file_that_is_no_csv_table_is_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(DataInvalid) as caught:
        load(Source(csv="rows.csv"), tmp_path, {})
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"", "is an empty file"), (b"a,b\n1,2\n", "source.parquet: 'rows.parquet' is not Parquet that we can read")],
)
def test_a_file_that_is_no_parquet_table_is_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "rows.parquet").write_bytes(content)
    with pytest.raises(DataInvalid) as caught:
        load(Source(parquet="rows.parquet"), tmp_path, {})
    assert expected in str(caught.value)


@pytest.mark.parametrize("of", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
@pytest.mark.parametrize("text", [b"caf\xe9", b"a\xed\xa0\x80"], ids=["latin-1", "lone surrogate"])
def test_text_in_parquet_that_is_not_utf8_is_refused_with_its_column(
    text: bytes, of: pa.DataType, tmp_path: Path
) -> None:
    cells = pa.array([b"b", text] * 5, pa.binary()).view(pa.string())
    cells = cells.dictionary_encode() if pa.types.is_dictionary(of) else cells.cast(of)
    pq.write_table(pa.table({"y": range(10), "place": cells}), tmp_path / "rows.parquet")
    with pytest.raises(DataInvalid, match=r"'rows\.parquet' has text in column 'place' that is not UTF-8"):
        load(Source(parquet="rows.parquet"), tmp_path, {})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"csv": "data/vists.csv"}, "'data/vists.csv' is not a file in {root}; did you mean 'visits.csv'?"),
        ({"csv": "data/zzz"}, "is not a file in {root}: the folder has visits.csv"),
        ({"parquet": "dat/visits.parquet"}, "is not there: {root} has no folder dat"),
        ({"csv": "data"}, "'data' is not a file in {root}"),
    ],
)
def test_a_missing_file_is_reported_with_the_existing_ones(
    tmp_path: Path, source: dict[str, Any], expected: str
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "visits.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataInvalid) as caught:
        load(Source(**source), tmp_path, {})
    assert expected.format(root=tmp_path) in str(caught.value)


def test_a_file_outside_the_project_is_read_only_where_its_folder_is_allowed(tmp_path: Path) -> None:
    """A user that can write an experiment file or a link must not read every file that the account can read."""
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    (project / "data").mkdir(parents=True)
    elsewhere.mkdir()
    ROWS.to_csv(elsewhere / "rows.csv", index=False)
    ROWS.to_parquet(elsewhere / "rows.parquet")
    (project / "data" / "linked.csv").symlink_to(elsewhere / "rows.csv")
    (project / "folder").symlink_to(elsewhere)
    for source in (Source(csv="data/linked.csv"), Source(csv="folder/rows.csv"), Source(parquet="folder/rows.parquet")):
        with pytest.raises(DataInvalid, match=r"is outside the project folder.*E2I_SOURCE_FOLDERS"):
            load(source, project, {})
        with pytest.raises(DataInvalid, match="is outside the project folder"):
            Fingerprints(project, {}).fingerprint(source)
        allowed = {"E2I_SOURCE_FOLDERS": f"/nowhere:{elsewhere}"}
        assert len(load(source, project, allowed)) == len(ROWS)
        assert Fingerprints(project, allowed).fingerprint(source)
    outside = CsvFile.model_construct(path="../elsewhere/rows.csv")
    with pytest.raises(DataInvalid, match="is outside the project folder"):
        load(Source.model_construct(sample=None, csv=outside, parquet=None, sql=None), project, {})


def test_a_link_to_itself_is_reported_as_an_invalid_path(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").symlink_to(tmp_path / "rows.csv")
    with pytest.raises(DataInvalid, match=r"source\.csv"):
        load(Source(csv="rows.csv"), tmp_path, {})


def test_a_folder_that_is_allowed_is_named_as_an_absolute_path(tmp_path: Path) -> None:
    with pytest.raises(E2iError, match="E2I_SOURCE_FOLDERS has 'data': each folder must be an absolute path"):
        load(Source(csv="rows.csv"), tmp_path, {"E2I_SOURCE_FOLDERS": "data"})


def test_a_file_with_more_rows_or_bytes_than_a_source_may_have_is_refused_with_the_limit(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": range(200_000), "b": range(200_000)})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_parquet(tmp_path / "rows.parquet")
    for source in (Source(csv="rows.csv"), Source(parquet="rows.parquet")):
        with pytest.raises(
            DataInvalid, match="at most 199,999 are read: take a sample of them, or raise E2I_SOURCE_ROWS"
        ):
            load(source, tmp_path, {"E2I_SOURCE_ROWS": "199999"})
        with pytest.raises(
            DataInvalid, match=r"has [2-4] MB, and at most 1 are read: make it smaller, or raise E2I_SOURCE_MB"
        ):
            load(source, tmp_path, {"E2I_SOURCE_MB": "1"})
        assert len(load(source, tmp_path, {"E2I_SOURCE_ROWS": "200000", "E2I_SOURCE_MB": "4"})) == 200_000


@pytest.mark.parametrize(
    ("column", "columns"),
    [
        (pa.array(["x" * 1_000_000]).dictionary_encode().take(pa.array([0] * 50_000)), 1),
        (pa.array([7]).take(pa.array([0] * 500_000)), 60),
        (pa.array([["y" * 9_000]]).take(pa.array([0] * 15_000)), 1),
    ],
    ids=["texts", "numbers", "lists"],
)
def test_a_small_parquet_file_of_a_huge_table_is_rejected_before_it_is_decoded(
    tmp_path: Path, column: pa.Array, columns: int
) -> None:
    table = pa.table({f"c{number}": column for number in range(columns)})
    pq.write_table(table, tmp_path / "rows.parquet", compression="zstd", store_schema=False)
    assert (tmp_path / "rows.parquet").stat().st_size < 1_000_000
    before = pa.total_allocated_bytes()
    with pytest.raises(DataInvalid, match="raise E2I_SOURCE_MB"):
        load(Source(parquet="rows.parquet"), tmp_path, {"E2I_SOURCE_MB": "100"})
    assert pa.total_allocated_bytes() - before < 50_000_000
