"""CSV files from users and programs: read correctly, or rejected with the line and the key to set."""

import bz2
import gzip
import io
import lzma
import os
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from e2i_assets.adapters.sources.datasets import load
from e2i_assets.adapters.sources.fingerprints import Fingerprints
from e2i_assets.core.data.row_places import notes_of, places_of
from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.experiments.source_section import Source
from e2i_assets_tests.support.objects import as_objects

PLAIN = "age,city,cost\n41,Ulm,7.5\n52,Köln,8.25\n63,Bern,9.0\n"
TABLE = pd.DataFrame({"age": [41, 52, 63], "city": ["Ulm", "Köln", "Bern"], "cost": [7.5, 8.25, 9.0]})


def read(folder: Path, content: bytes | str, name: str = "rows.csv", **options: Any) -> pd.DataFrame:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return as_objects(load(Source.model_validate({"csv": {"path": name, **options}}), folder, {}))


def refusal(folder: Path, content: bytes | str, **options: Any) -> str:
    with pytest.raises(DataInvalid) as caught:
        read(folder, content, **options)
    (violation,) = caught.value.violations
    return str(violation)


MANY = "a,b,c\n" + "1,2,3\n" * 60


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "a,b\n1,2\n3,Ulm, DE\n",
            ["1 row does not have the 2 cells of the header (a, b)", "line 3 has 3 (3 | Ulm |  DE)"],
        ),
        ("a,b\n1,x, y\n2,x, z\n", ["2 rows do not", "line 2 has 3", "line 3 has 3", "quotation marks around a cell"]),
        ("a,b,c\n1,2,3\n4,5\n6,7,8\n", ["line 3 has 2 (4 | 5)"]),
        (
            f"{MANY}4,5",
            ["line 62 has 2 (4 | 5)", "It is the last row: if it is a line of totals or a remark, remove it"],
        ),
        ("a,b,c\n1,2,3\n4,5,\n6,7,8,\n", ["line 4 has 4"]),
        (MANY + "1\n" * 40, ["40 rows do not", "line 62 has 1", "and 37 more"]),
        (f"{MANY}total,60\n", ["line 62 has 2 (total | 60)"]),
        (
            'a,b\n1,"x\n2,y\n3,z\n',
            ['a quotation mark " in the row of line 2 is never closed', "source.csv.quote: none"],
        ),
        ('a,b\n1,x\n2,"y', ["in the row of line 3 is never closed"]),
        ('a,b\n1,"x"y\n2,z\n', ["the row of line 2 has text behind a closing quotation mark"]),
        ('a,b\n1,"say "hi" there"\n2,"z"\n', ["the row of line 2 has text behind a closing quotation mark"]),
        ('a,b\n1,"u\nv"\n2,3,4\n', ["line 4 has 3"]),
        ("\n\na,b\n\n1,2\n3\n", ["line 6 has 1 (3)"]),
        ('a,b\n1,"x\n' + '2,"y"\n' * 5, ["text behind a closing quotation mark"]),
        ("a,b\r1,2\r3\r4,5\r", ["line 3 has 1 (3)"]),
    ],
)
def test_rows_that_do_not_match_the_header_are_rejected_with_line_and_cells(
    tmp_path: Path, content: str, expected: list[str]
) -> None:
    said = refusal(tmp_path, content)
    assert all(part in said for part in expected), said


@pytest.mark.parametrize(
    ("content", "column", "cells"),
    [
        ('"a\n(x)",b\n1,2\n', "a\n(x)", [1]),
        ('a,b\n1,"u\nv"\n2,w\n', "b", ["u\nv", "w"]),
        ('a,b\n1,5" pipe\n2,z\n', "b", ['5" pipe', "z"]),
        ('a,b\n1,"say ""hi"""\n', "b", ['say "hi"']),
        ('a,b\n1,""\n2,x\n', "b", [None, "x"]),
        ("a,b\n1,x\ufeff\n", "b", ["x\ufeff"]),
        ("a,b\n1,x\u2028y\n", "b", ["x\u2028y"]),
        ("a,b\r\n1,x\r\n", "b", ["x"]),
        ("a,b\r1,x\r2,y\r", "b", ["x", "y"]),
        ("a,b\n1,x\r\n2,y\n", "b", ["x", "y"]),
        ("a,b\n\n1,x\n\n2,y\n\n", "b", ["x", "y"]),
        ("a,b\n1,x", "b", ["x"]),
        ("a,b\n1," + "x" * 3_000_000 + "\n", "b", ["x" * 3_000_000]),
    ],
)
def test_a_legal_file_is_read_cell_by_cell(tmp_path: Path, content: str, column: str, cells: list[Any]) -> None:
    assert read(tmp_path, content)[column].tolist() == cells


def test_the_line_number_of_a_row_is_correct_after_any_content(tmp_path: Path) -> None:
    for content, lines in (
        ("a,b\n1,2\n3,4\n", [2, 3]),
        ("sep=;\na;b\n1;2\n3;4\n", [3, 4]),
        ('a,b\n1,"x\ny"\n\n3,4\n', [2, 5]),
        ('"a\n(x)",b\n1,2\n3,4', [3, 4]),
        ("a,b\r\n1,2\r\n3,4", [2, 3]),
    ):
        places = places_of(read(tmp_path, content))
        assert [places.of(row) for row in range(2)] == lines
        assert places.shown([0]) == f"line {lines[0]}"


def test_a_missing_newline_at_the_end_is_noted(tmp_path: Path) -> None:
    assert notes_of(read(tmp_path, PLAIN)) == ()
    assert "its last line has no line break at its end" in notes_of(read(tmp_path, PLAIN.rstrip()))[0]


def test_a_file_that_changes_during_the_read_is_rejected(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("a,b\n" + "1,2\n" * 2_000_000)
    going = threading.Event()

    def write() -> None:
        with rows.open("a") as file:
            while not going.is_set():
                file.write("1,2\n")
                file.flush()
                time.sleep(0.001)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with pytest.raises(DataInvalid, match="was written to while it was read: run again when it is complete"):
            load_until_refused(tmp_path)
    finally:
        going.set()
        writer.join()


def load_until_refused(folder: Path) -> None:
    for _ in range(50):
        load(Source.model_validate({"csv": "rows.csv"}), folder, {})


def zipped(**members: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return target.getvalue()


def zstandard(content: bytes) -> bytes:
    return bytes(pa.compress(content, "zstd", asbytes=True))


PACKED = {
    "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstandard,
    "zip": lambda content: zipped(rows=content),
}  # fmt: skip


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("ending", ["", ".packed"])
def test_a_compressed_file_is_read_by_its_content_and_not_by_its_name(tmp_path: Path, kind: str, ending: str) -> None:
    packed = PACKED[kind](PLAIN.encode())
    pd.testing.assert_frame_equal(read(tmp_path, packed, f"rows.csv{ending}"), TABLE)
    if kind != "zst":
        assert "cannot be unpacked" in refusal(tmp_path, packed[: len(packed) // 2])


def test_a_file_that_decompresses_beyond_the_limit_is_rejected(tmp_path: Path) -> None:
    for kind, pack in PACKED.items():
        (tmp_path / "rows.csv").write_bytes(pack(b"a,b\n" + b"1,2\n" * 1_000_000))
        with pytest.raises(DataInvalid, match="raise E2I_SOURCE_MB"):
            load(Source.model_validate({"csv": "rows.csv"}), tmp_path, {"E2I_SOURCE_MB": "1"})
        assert kind


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (zipped(one=b"a,b\n1,2\n", two=b"a,b\n"), "is an archive of 2 files (one, two): pack the one to be read alone"),
        (zipped(**{"[Content_Types].xml": b"x", "xl": b"x"}), "an Excel workbook: save the sheet as CSV"),
        (b"PAR1xxxx", "is not CSV, but a Parquet file: write parquet: instead of csv:"),
        (b"%PDF-1.4", "is not CSV, but a PDF document"),
    ],
)
def test_another_kind_of_file_is_named(tmp_path: Path, content: bytes, expected: str) -> None:
    assert expected in refusal(tmp_path, content)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_sets_the_encoding(tmp_path: Path, encoding: str) -> None:
    pd.testing.assert_frame_equal(read(tmp_path, PLAIN.encode(encoding)), TABLE)


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16-le", "utf-16-be", "cp850", "mac-roman", "utf-8"])
def test_the_encoding_of_the_experiment_is_used(tmp_path: Path, encoding: str) -> None:
    pd.testing.assert_frame_equal(read(tmp_path, PLAIN.encode(encoding), encoding=encoding), TABLE)


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        (
            PLAIN.encode("cp1252"),
            {},
            ["is not text in utf-8", "line 3", "source.csv.encoding, such as cp1252 ('52,Köln"],
        ),
        (PLAIN.encode("utf-16-le"), {}, ["looks like UTF-16 without its mark", "source.csv.encoding: utf-16-le"]),
        (PLAIN.encode("shift_jis", "replace").replace(b"?", b"\x83\x8b"), {}, ["shift_jis ('52,Kルln"]),
        (PLAIN.encode(), {"encoding": "ascii"}, ["is not text in ascii"]),
        (b"a,b\n1,\x81\n", {"encoding": "cp1252"}, ["is not text in cp1252 (byte 6, line 2)"]),
    ],
)
def test_an_ambiguous_encoding_must_be_declared(
    tmp_path: Path, content: bytes, options: dict[str, Any], expected: list[str]
) -> None:
    said = refusal(tmp_path, content, **options)
    assert all(part in said for part in expected), said


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_an_unambiguous_delimiter_is_detected(tmp_path: Path, delimiter: str) -> None:
    pd.testing.assert_frame_equal(read(tmp_path, PLAIN.replace(",", delimiter)), TABLE)
    pd.testing.assert_frame_equal(read(tmp_path, f"sep={delimiter}\n{PLAIN.replace(',', delimiter)}"), TABLE)
    assert list(read(tmp_path, f'x{delimiter}"y,;|\t"\n1{delimiter}2\n')) == ["x", "y,;|"]


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        ("x:y\n1:2\n", {"delimiter": ":"}, {"x": [1], "y": [2]}),
        ("x y\n1 2\n", {"delimiter": " "}, {"x": [1], "y": [2]}),
        ("x;y,z\n1;2,5\n", {"delimiter": ";"}, {"x": [1], "y,z": ["2,5"]}),
        ("x,'y'\n1,'a,b'\n", {"quote": "'"}, {"x": [1], "y": ["a,b"]}),
        ('x,y\n1,"a\n2,b\n', {"quote": "none"}, {"x": [1, 2], "y": ['"a', "b"]}),
        ("Report\n2026;\n\nx;y\n1;2\n", {"skip_rows": 2}, {"x": [1], "y": [2]}),
        ("Report\rx,y\r1,2\r", {"skip_rows": 1}, {"x": [1], "y": [2]}),
        ("SEP=;\r\nx;y\r\n1;2\r\n", {}, {"x": [1], "y": [2]}),
        ('"sep=|"\nx|y\n1|2\n', {}, {"x": [1], "y": [2]}),
    ],
)
def test_the_dialect_of_the_experiment_is_used(
    tmp_path: Path, content: str, options: dict[str, Any], expected: dict[str, list[Any]]
) -> None:
    assert read(tmp_path, content, **options).to_dict("list") == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "x;y,z\n1;2,5\n",
            ["can be parted in two ways", "source.csv.delimiter", "',' (columns x;y, z)", "';' (columns x, y,z)"],
        ),
        ("Sales 2026\nx;y\n1;2\n", ["has Sales 2026 above its columns (x, y)", "source.csv.skip_rows: 1"]),
        ("# made by us\n# at noon\nx,y\n1,2\n", ["source.csv.skip_rows: 2"]),
        ("x y\n1 2\n", ["source.csv.delimiter"]),
        ("x::y\n1::2\n", ["source.csv.delimiter"]),
        ("'x','y'\n'1','2'\n", ["has names in single quotation marks", "source.csv.quote"]),
        ("x;y\n1;2;3\n", ["header (x, y)"]),
    ],
)
def test_an_ambiguous_dialect_is_rejected_with_the_key_and_the_columns(
    tmp_path: Path, content: str, expected: list[str]
) -> None:
    said = refusal(tmp_path, content)
    assert all(part in said for part in expected), said


@pytest.mark.parametrize(
    ("cells", "dtype", "first"),
    [
        (["1", "2", "3"], "int64", 1),
        (["1", "", "3"], "float64", 1.0),
        (["1.5", "2", "-3e2"], "float64", 1.5),
        ([" 1", "2 ", " 3"], "int64", 1),
        (["True", "False", "True"], "bool", True),
        (["true", "yes", "no"], "object", "true"),
        (["00123", "12", "7"], "object", "00123"),
        (["0x1F", "12", "7"], "object", "0x1F"),
        (["1", "NA", "3"], "object", "1"),
        (["9" * 19, "12", "7"], "object", "9" * 19),
        (["18446744073709551615", "12", "7"], "object", "18446744073709551615"),
        (["9007199254740993", "", "7"], "object", "9007199254740993"),
        (["9007199254740993", "12", "7"], "int64", 9007199254740993),
        (["nan", "1.5", "2"], "object", "nan"),
        (["2026-01-31", "2026-02-01", "2026-02-02"], "object", "2026-01-31"),
        (["1_000", "2", "3"], "object", "1_000"),
    ],
)
def test_a_cell_loses_nothing_by_the_type_of_its_column(
    tmp_path: Path, cells: list[str], dtype: str, first: object
) -> None:
    column = read(tmp_path, "k,v\n" + "".join(f"k,{cell}\n" for cell in cells))["v"]
    assert (str(column.dtype), column.iloc[0]) == (dtype, first)


@pytest.mark.parametrize("last", ["1.5", "", "nan", "99999999999999999999", "-inf", "x", "0x1F", "007", '"2,5"'])
def test_a_late_cell_of_a_long_column_of_fractions_is_read_as_in_a_short_one(tmp_path: Path, last: str) -> None:
    short = read(tmp_path, f"a,b\n1.25,1\n{last},2\n")["a"]
    long = read(tmp_path, "a,b\n" + "1.25,1\n" * 5000 + f"{last},2\n")["a"]
    assert long.dtype == short.dtype
    assert repr(long.iloc[-1]) == repr(short.iloc[-1])


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("a, b ,c", ["a", "b", "c"]),
        (",b,c", ["Unnamed: 0", "b", "c"]),
        ("Gro\u0308ße,b,c", ["Größe", "b", "c"]),
        ('"a","b","c"', ["a", "b", "c"]),
        ("a,b,", ["a", "b", "Unnamed: 2"]),
    ],
)
def test_column_names_are_normalised(tmp_path: Path, header: str, names: list[str]) -> None:
    assert list(read(tmp_path, f"{header}\n1,2,3\n")) == names


def test_a_column_without_name_and_values_is_ignored(tmp_path: Path) -> None:
    assert list(read(tmp_path, "a,b,\n1,2,\n3,4,\n")) == ["a", "b"]


@pytest.mark.parametrize("header", ["a,b,a", "a,b, a", "é,b,e\u0301"])
def test_duplicate_column_names_are_rejected(tmp_path: Path, header: str) -> None:
    assert "has more than one column" in refusal(tmp_path, f"{header}\n1,2,3\n")


def test_unicode_forms_of_one_word_are_one_value(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\n1,Zu\u0308rich\n2,Zürich\n")["b"].nunique() == 1


def test_the_fingerprint_depends_on_the_read_options(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(PLAIN)
    prints = Fingerprints(tmp_path, dict(os.environ))
    plain, other, same = (
        prints.fingerprint(Source.model_validate({"csv": csv}))
        for csv in ("rows.csv", {"path": "rows.csv", "decimal": ","}, {"path": "rows.csv"})
    )
    assert plain == same != other


def test_columns_of_few_texts_are_read_as_categories(tmp_path: Path) -> None:
    rows = "".join(f"{'ab'[row % 2]},text {row},{row}\n" for row in range(500))
    (tmp_path / "rows.csv").write_text(f"few,many,number\n{rows}")
    table = load(Source(csv="rows.csv"), tmp_path, {})
    assert [str(dtype) for dtype in table.dtypes] == ["category", "object", "int64"]
    assert list(table["few"].cat.categories) == ["a", "b"]
