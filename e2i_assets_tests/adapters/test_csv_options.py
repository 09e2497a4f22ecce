"""The options of a CSV file that the reader does not guess are suggested, and the file is then read as it was meant."""

from pathlib import Path

import pytest

from e2i_assets.adapters.sources.csv_options import suggested_options
from e2i_assets.adapters.sources.csv_table import csv_table
from e2i_assets.adapters.sources.limits import SourceLimits
from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.experiments.source_section import CsvFile

LIMITS = SourceLimits()
GERMAN = "ort;alter\r\n" + "".join(f"{ort};{age}\r\n" for ort in ("Köln", "Zürich", "Weißenfels") for age in range(20))
POLISH = "miasto;wiek\n" + "".join(
    f"{city};{age}\n" for city in ("Łódź", "Kraków", "Pałac", "Gdańsk") for age in range(9)
)
RUSSIAN = "город;возраст\n" + "".join(f"{city};{age}\n" for city in ("Москва", "Тверь") for age in range(9))
TITLE = "Report of 31.10.2026\nby: the team\n\n"


def read(path: Path, content: bytes, **known: object) -> tuple[CsvFile, list[str], str]:
    (path / "a.csv").write_bytes(content)
    found = suggested_options(path / "a.csv", CsvFile(path="a.csv", **known), "source.csv", LIMITS)  # type: ignore[arg-type]
    table = csv_table(path / "a.csv", found, "source.csv", LIMITS)
    return found, [*table.columns], str(table.iloc[0, 0])


@pytest.mark.parametrize(
    ("text", "encoding", "first"),
    [(GERMAN, "cp1252", "Köln"), (POLISH, "cp1250", "Łódź"), (RUSSIAN, "cp1251", "Москва"),
     (GERMAN, "utf-16-le", "Köln"), (GERMAN, "utf-16-be", "Köln")],
)  # fmt: skip
def test_the_encoding_is_suggested(tmp_path: Path, text: str, encoding: str, first: str) -> None:
    found, names, cell = read(tmp_path, text.encode(encoding))
    assert (found.encoding, names, cell) == (encoding, text.splitlines()[0].split(";"), first)


@pytest.mark.parametrize("above", [TITLE, "Report;;\nof 31.10.2026;;\n;;\n", "Report\n"])
def test_lines_above_the_header_are_skipped(tmp_path: Path, above: str) -> None:
    rows = "name;age;cost\n" + "".join(f"anna;{age};{age},5\n" for age in range(40))
    found, names, cell = read(tmp_path, (above + rows).encode())
    assert (found.skip_rows, names, cell) == (above.count("\n"), ["name", "age", "cost"], "anna")


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n",
        "a;b\n1;2\n",
        GERMAN,
        "sep=;\na;b\n1;2\n",
        '"a\nb",c\n1,2\n',
        "2019,2020\n1,2\n3,4\n",
        "a,,c\n1,2,3\n",
    ],
)
def test_a_file_that_needs_no_options_gets_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    asked = CsvFile(path="a.csv")
    assert suggested_options(tmp_path / "a.csv", asked, "source.csv", LIMITS) == asked


@pytest.mark.parametrize(
    "text",
    ["city,age,cost\n" + "Graz, AT,3,4\n" * 9, "a,b,c,d\n" + "1,2,3\n" * 9, "a,b\n1,2\n3"],
)
def test_a_damaged_header_is_not_taken_for_a_title(tmp_path: Path, text: str) -> None:
    """The first row of the table would become the header."""
    with pytest.raises(DataInvalid, match="is not CSV that we can read"):
        read(tmp_path, text.encode())


def test_declared_options_are_kept(tmp_path: Path) -> None:
    found, names, _ = read(tmp_path, (TITLE + GERMAN).encode("cp1252"), skip_rows=3, encoding="cp1252")
    assert (found.skip_rows, found.encoding, found.delimiter, names) == (3, "cp1252", None, ["ort", "alter"])


def test_bytes_that_no_encoding_explains_are_refused_with_the_key(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match=r"source\.csv\.encoding"):
        read(tmp_path, b"a;b\nx" + bytes(range(128, 256)) + b"x;1\n")
