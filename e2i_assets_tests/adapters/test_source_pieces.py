"""Rows that are read in pieces are those that are read at once, with the same lines in messages."""

import bz2
import gzip
import lzma
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from e2i_assets.adapters.sources import csv_pieces, source_pieces
from e2i_assets.adapters.sources.csv_pieces import csv_pieces as pieces
from e2i_assets.adapters.sources.datasets import load
from e2i_assets.adapters.sources.limits import SourceLimits
from e2i_assets.core.data.row_places import places_of
from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.experiments.source_section import CsvFile, Source
from e2i_assets_tests.support.objects import as_objects

ROWS = [f"{row},Köln {row % 7},{row / 8}" for row in range(500)]
QUOTED = [f'{row},"a ""b"",\nc{row}",{row / 8}' for row in range(500)]
ZIPPED = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


def in_pieces(file: Path, size: int, **options: object) -> tuple[list[pd.DataFrame], pd.DataFrame]:
    asked = CsvFile.model_validate({"path": file.name, **options})
    found = list(pieces(file, asked, "source.csv", SourceLimits(), (), size))
    return found, pd.concat(found, ignore_index=True)


def whole(file: Path, **options: object) -> pd.DataFrame:
    return as_objects(load(Source.model_validate({"csv": {"path": file.name, **options}}), file.parent, {}))


@pytest.mark.parametrize("size", [1_000, 1_001, 3_777, 1_000_000])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("rows", [ROWS, QUOTED], ids=["plain", "quoted"])
def test_pieces_have_all_rows_with_their_lines(tmp_path: Path, rows: list[str], end: str, size: int) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(end.join(["number,name,share", *rows]).encode())
    found, table = in_pieces(file, size)
    expected = whole(file)
    pd.testing.assert_frame_equal(table, expected)
    if not (end == "\r" and rows is QUOTED):  # its only line feeds are inside of cells, so it is one piece
        assert len(found) <= 2 if size == 1_000_000 else len(found) > 3
    lines = [places_of(piece).of(row) for piece in found for row in range(len(piece))]
    assert lines == [places_of(expected).of(row) for row in range(len(expected))]


@pytest.mark.parametrize("packed", list(ZIPPED))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_compressed_and_encoded_files_are_read_in_pieces(tmp_path: Path, packed: str, encoding: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(ZIPPED[packed]("\n".join(["Zahl,Name,Teil", *ROWS]).encode(encoding)))
    options = {"encoding": encoding} if encoding == "cp1252" else {}
    found, table = in_pieces(file, 1_001, **options)
    assert len(found) > 3
    pd.testing.assert_frame_equal(table, whole(file, **options))


@pytest.mark.parametrize(
    ("row", "message"),
    [("7,x", "line 402 has 2 (7 | x)"), ('7,"x,y', "in the row of line 402"), ("7,\0,1", "line 402 has a zero byte")],
)
def test_a_mistake_in_a_late_piece_names_its_line(tmp_path: Path, row: str, message: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("\n".join(["title", "number,name,share", *ROWS[:399], row, *ROWS[400:], ""]))
    with pytest.raises(DataInvalid) as refused:
        in_pieces(file, 1_000, skip_rows=1)
    assert message in str(refused.value)


def test_bytes_that_are_no_text_are_refused_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(b"number,name\n" + b"1,a\n" * 2_000 + b"2,K\xf6ln\n")
    with pytest.raises(DataInvalid, match="line 2002"):
        in_pieces(file, 1_000)


def test_the_limits_hold_for_pieces(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("\n".join(["number,name,share", *ROWS]))
    asked = CsvFile(path="rows.csv")
    with pytest.raises(DataInvalid, match="at most 100 are read"):
        list(pieces(file, asked, "source.csv", SourceLimits(rows=100), (), 1_000))
    file.write_bytes(gzip.compress(b"number,name\n" + b"1,a\n" * 500_000))
    with pytest.raises(DataInvalid, match="at most 1 are read"):
        list(pieces(file, asked, "source.csv", SourceLimits(megabytes=1), (), 100_000))


def test_columns_as_text_keep_their_digits(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("code,share\n250.00,1\n1.10,2\n")
    source = Source(csv=CsvFile(path="rows.csv"))
    (piece,) = source_pieces.pieces(source, tmp_path, {}, ("code",))
    assert piece["code"].tolist() == ["250.00", "1.10"]
    assert piece["share"].dtype == np.int64
    assert csv_pieces.BYTES_AT_A_TIME > 1_000_000


@pytest.mark.parametrize("is_folder", [False, True])
def test_parquet_is_read_in_pieces(tmp_path: Path, is_folder: bool) -> None:
    rows = source_pieces.ROWS_AT_A_TIME + 10
    table = pd.DataFrame({"number": np.arange(rows), "name": ["a", "b"] * (rows // 2)})
    (tmp_path / "rows").mkdir()
    file = tmp_path / ("rows/1.parquet" if is_folder else "rows.parquet")
    table.to_parquet(file)
    source = Source(parquet="rows" if is_folder else "rows.parquet")
    found = list(source_pieces.pieces(source, tmp_path, {}, ()))
    assert len(found) == 2
    assert places_of(found[1]).of(0) == len(found[0]) + 1
    pd.testing.assert_frame_equal(pd.concat(found, ignore_index=True), table)
