import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from e2i_assets.adapters.datasets import load
from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.experiments.sections import Source

ROWS = pd.DataFrame({"age": [1, 2, 3], "name": ["a", "b, c", None], "share": [0.5, None, 0.25]})


def test_the_sample_is_read_without_importing_the_package_that_carries_it() -> None:
    code = (
        "import sys; from pathlib import Path; from e2i_assets.adapters.datasets import load;"
        "from e2i_assets.core.experiments.sections import Source;"
        "frame = load(Source(sample='rand_hie'), Path('/'), {}); print(frame.shape, 'statsmodels' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout == "(20190, 45) False\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_csv_file_is_read_whatever_parts_its_columns(tmp_path: Path, delimiter: str, encoding: str) -> None:
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
        (b"a,b\n\xff\xfe,2\n", "is not a CSV file in UTF-8 (byte 4); if it is Parquet, write parquet: instead of csv:"),
        (b"a,b\n\0,2\n", "is not CSV that we can read"),
        (b"a,b,a\n1,2,3\n", "has more than one column 'a': rename them"),
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


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"csv": "data/vists.csv"}, "'data/vists.csv' is not a file in {root}; did you mean 'visits.csv'?"),
        ({"csv": "data/zzz"}, "is not a file in {root}: the folder has visits.csv"),
        ({"parquet": "dat/visits.parquet"}, "is not there: {root} has no folder dat"),
        ({"csv": "data"}, "'data' is not a file in {root}"),
    ],
)
def test_a_file_that_is_not_there_is_said_with_what_is(tmp_path: Path, source: dict[str, Any], expected: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "visits.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataInvalid) as caught:
        load(Source(**source), tmp_path, {})
    assert expected.format(root=tmp_path) in str(caught.value)
